use crate::plan::Plan;
use crate::settings::{Architecture, TableGan};
use candle_core::{Result, Tensor};
use meg_core::Rng;
use neural::layers::activation::leaky_relu;
use neural::layers::{
    BatchNormSettings, ConvShape, ImageConv, ImageDeconv, ImageNorm, Initial, KernelThreads, Mode,
    Padding, ParameterStore,
};

/// From noise (and classes) to matrices.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    input: ImageConv,
    /// A norm with ReLU, then a transposed convolution.
    stages: Vec<(ImageNorm, ImageDeconv)>,
    first: (usize, usize),
}

/// From matrices (and classes) to features and a logit: discriminator and classifier.
#[derive(Debug, Clone)]
pub(crate) struct Critic {
    stages: Vec<(ImageConv, Option<ImageNorm>)>,
    head: ImageConv,
}

/// What a [`Critic`] says of each row.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// Features just before the last layer, rows x features.
    pub features: Tensor,
    /// Logits, one per row.
    pub logits: Tensor,
}

/// Slope below 0 of discriminator and classifier.
const LEAK: f64 = 0.2;

/// How the layers of an architecture begin.
struct Begin {
    conv: Initial,
    deconv: Initial,
    bias: Option<Initial>,
    norm: BatchNormSettings,
}

impl Begin {
    fn new(recipe: &TableGan, plan: &Plan) -> Self {
        let normal = |mean| Initial::Normal { mean, deviation: 0.02 };
        let (conv, scale) = match recipe.architecture {
            Architecture::Dcgan => (normal(0.0), normal(1.0)),
            Architecture::Authors => {
                (Initial::TruncatedNormal { deviation: 0.02 }, Initial::Constant(1.0))
            }
        };
        let norm = BatchNormSettings { scale: Some(scale), ..BatchNormSettings::default() };
        let bias = plan.bias.then_some(Initial::Constant(0.0));
        Self { conv, deconv: normal(0.0), bias, norm }
    }
}

/// A linear layer is a convolution of an image of one cell.
fn linear(inputs: usize, outputs: usize) -> ConvShape {
    ConvShape { inputs, outputs, kernel: 1, stride: 1, padding: Padding::Each(0) }
}

impl Generator {
    pub(crate) fn new(
        store: &mut ParameterStore,
        recipe: &TableGan,
        plan: &Plan,
        threads: KernelThreads,
        rng: &mut Rng,
    ) -> Result<Self> {
        let begin = Begin::new(recipe, plan);
        let (side, channels) = plan.first;
        let shape = linear(plan.noise + plan.classes, side * side * channels);
        let initial = (begin.deconv, begin.bias);
        let input = ImageConv::new(store, "input", shape, initial, threads, rng)?;
        let mut stages = Vec::new();
        let mut before = channels;
        for (at, &shape) in plan.up.iter().enumerate() {
            let settings = (begin.norm, 0.0, true);
            let norm = ImageNorm::new(store, &format!("norm{at}"), before, settings, threads, rng)?;
            let name = format!("up{at}");
            stages.push((norm, ImageDeconv::new(store, &name, shape, initial, threads, rng)?));
            before = shape.outputs;
        }
        Ok(Self { input, stages, first: plan.first })
    }

    /// The same network, following its weights, without gradients for them.
    pub(crate) fn frozen(&self) -> Self {
        let stages = self.stages.iter();
        let stages = stages.map(|(norm, deconv)| (norm.frozen(), deconv.frozen())).collect();
        Self { input: self.input.frozen(), stages, first: self.first }
    }

    /// Matrices (rows x side x side x 1) in (-1, 1) from noise (rows x noise) and classes (rows x
    /// classes, one-hot).
    pub(crate) fn forward(
        &self,
        noise: &Tensor,
        classes: Option<&Tensor>,
        mode: Mode,
    ) -> Result<Tensor> {
        self.logits(noise, classes, mode)?.tanh()
    }

    /// The same before tanh, which would hide what is not finite.
    pub(crate) fn logits(
        &self,
        noise: &Tensor,
        classes: Option<&Tensor>,
        mode: Mode,
    ) -> Result<Tensor> {
        let rows = noise.dim(0)?;
        let inputs = match classes {
            Some(classes) => Tensor::cat(&[noise, classes], 1)?,
            None => noise.clone(),
        };
        let width = inputs.dim(1)?;
        let (side, channels) = self.first;
        let mut x = self.input.forward(&inputs.reshape((rows, 1, 1, width))?)?;
        x = x.reshape((rows, side, side, channels))?;
        for (norm, deconv) in &self.stages {
            x = deconv.forward(&told(&norm.forward(&x, mode)?, classes)?)?;
        }
        Ok(x)
    }
}

impl Critic {
    pub(crate) fn new(
        store: &mut ParameterStore,
        recipe: &TableGan,
        plan: &Plan,
        threads: KernelThreads,
        rng: &mut Rng,
    ) -> Result<Self> {
        let begin = Begin::new(recipe, plan);
        let initial = (begin.conv, begin.bias);
        let mut stages = Vec::new();
        for (at, down) in plan.down.iter().enumerate() {
            let conv =
                ImageConv::new(store, &format!("down{at}"), down.shape, initial, threads, rng)?;
            let norm = match down.norm {
                false => None,
                true => {
                    let settings = (begin.norm, LEAK, false);
                    let (name, channels) = (format!("norm{at}"), down.shape.outputs);
                    Some(ImageNorm::new(store, &name, channels, settings, threads, rng)?)
                }
            };
            stages.push((conv, norm));
        }
        let shape = linear(plan.features + plan.classes, 1);
        let head = ImageConv::new(store, "head", shape, (begin.deconv, begin.bias), threads, rng)?;
        Ok(Self { stages, head })
    }

    /// The same network, following its weights, without gradients for them.
    pub(crate) fn frozen(&self) -> Self {
        let stages = self.stages.iter();
        let stages =
            stages.map(|(conv, norm)| (conv.frozen(), norm.as_ref().map(ImageNorm::frozen)));
        Self { stages: stages.collect(), head: self.head.frozen() }
    }

    /// Judges matrices (rows x side x side x 1) with classes (rows x classes, one-hot), always by the
    /// batch's own statistics.
    pub(crate) fn forward(&self, matrices: &Tensor, classes: Option<&Tensor>) -> Result<Judgement> {
        let mut x = matrices.clone();
        for (conv, norm) in &self.stages {
            x = conv.forward(&told(&x, classes)?)?;
            x = match norm {
                Some(norm) => norm.forward(&x, Mode::Training)?,
                None => leaky_relu(&x, LEAK)?,
            };
        }
        let rows = x.dim(0)?;
        let mut features = x.reshape((rows, ()))?;
        if let Some(classes) = classes {
            features = Tensor::cat(&[&features, classes], 1)?;
        }
        let width = features.dim(1)?;
        let logits = self.head.forward(&features.reshape((rows, 1, 1, width))?)?;
        Ok(Judgement { features, logits: logits.reshape(rows)? })
    }
}

/// Images with each row's class beside the channels of every cell.
fn told(images: &Tensor, classes: Option<&Tensor>) -> Result<Tensor> {
    let Some(classes) = classes else { return Ok(images.clone()) };
    let (rows, height, width, _) = images.dims4()?;
    let count = classes.dim(1)?;
    let maps = classes.reshape((rows, 1, 1, count))?.broadcast_as((rows, height, width, count))?;
    Tensor::cat(&[images, &maps], 3)?.contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use meg_core::Seed;

    fn networks(
        recipe: &TableGan,
        plan: &Plan,
    ) -> (ParameterStore, Generator, [ParameterStore; 1], Critic) {
        let rng = &mut Seed(1).stream("init");
        let mut stores = [(); 2].map(|()| ParameterStore::new(DType::F32, &Device::Cpu));
        let generator = Generator::new(&mut stores[0], recipe, plan, Some(1), rng).unwrap();
        let critic = Critic::new(&mut stores[1], recipe, plan, Some(1), rng).unwrap();
        let [one, other] = stores;
        (one, generator, [other], critic)
    }

    fn shapes(plan: &Plan, generator: &Generator, critic: &Critic) {
        let zeros = |width: usize| Tensor::zeros((3, width), DType::F32, &Device::Cpu).unwrap();
        let classes = (plan.classes > 0).then(|| zeros(plan.classes));
        let noise = zeros(plan.noise);
        let fake = generator.forward(&noise, classes.as_ref(), Mode::Training).unwrap();
        let side = plan.matrix.side();
        assert_eq!(fake.dims(), [3, side, side, 1]);
        let judged = critic.forward(&fake, classes.as_ref()).unwrap();
        assert_eq!(judged.features.dims(), [3, plan.features + plan.classes]);
        assert_eq!(judged.logits.dims(), [3]);
    }

    /// ann-thyroid's 22 cells in 8 x 8, as SDGym's version has it: a transposed convolution of 2 x 2
    /// from 100 channels to 128, two of 4 x 4 up, two of 4 x 4 down and one of 2 x 2, two cells per
    /// channel in each batch norm, no biases.
    #[test]
    fn sizes_are_those_of_sdgym() {
        let recipe = TableGan::default();
        let plan = Plan::new(&recipe, 22, 0).unwrap();
        let (store, generator, [other], critic) = networks(&recipe, &plan);
        assert_eq!(store.count(), 100 * 128 * 4 + 2 * 128 + 128 * 64 * 16 + 2 * 64 + 64 * 16);
        assert_eq!(store.count(), 183_680);
        assert_eq!(other.count(), 64 * 16 + 2 * 64 + 64 * 128 * 16 + 2 * 128 + 128 * 4);
        assert_eq!(other.count(), 132_992);
        shapes(&plan, &generator, &critic);
    }

    /// The authors' networks at 8 x 8 with a label of two classes.
    #[test]
    fn sizes_are_those_of_the_authors() {
        let recipe = TableGan { architecture: Architecture::Authors, ..TableGan::default() };
        let plan = Plan::new(&recipe, 22, 2).unwrap();
        let (store, generator, [other], critic) = networks(&recipe, &plan);
        let layer = |inputs: usize, outputs: usize| 25 * inputs * outputs + outputs;
        let input = 102 * 256 + 256;
        let norms = 2 * (256 + 128 + 64);
        assert_eq!(store.count(), input + norms + layer(258, 128) + layer(130, 64) + layer(66, 1));
        assert_eq!(other.count(), layer(3, 3) + layer(5, 66) + 2 * 66 + 267);
        shapes(&plan, &generator, &critic);
    }

    #[test]
    fn shapes_of_a_saved_generator_follow_from_the_plan() {
        for architecture in [Architecture::Dcgan, Architecture::Authors] {
            let recipe = TableGan { architecture, channels: 8, ..TableGan::default() };
            let plan = Plan::new(&recipe, 70, 3).unwrap();
            let (store, ..) = networks(&recipe, &plan);
            let seen = store.entries().iter();
            let seen: Vec<_> =
                seen.map(|entry| (entry.name.clone(), entry.var.dims().to_vec())).collect();
            assert_eq!(seen, plan.generator_shapes());
        }
    }
}
