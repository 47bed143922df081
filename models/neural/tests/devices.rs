//! Every layer gives the same outputs and gradients in `f32` on the CPU, in `f64` on the CPU
//! (which is held against central differences) and, where the crate is built with `cuda` and a
//! device answers, in `f32` there.

use candle_core::{DType, Device, Result, Tensor, Var};
use meg_core::Seed;
use neural::check::{cells, normal_tensor};
use neural::layers::{
    Activation, BatchNorm, BatchNormSettings, ConvBlock, ConvShape, ConvTransposeBlock, Dropout,
    Initial, LeakyCritic, Lstm, LstmInitial, MinibatchDiscrimination, Mode, Nonlinearity,
    Optimiser, Padding, ParameterStore, Residual, Segments, Span, SpanHeads, activation, loss,
};
use neural::{Adam, Randomness};

/// One kind of numbers on one device.
struct Place {
    dtype: DType,
    device: Device,
}

/// A network made in a store that turns an input into an output.
type Network<'a> = Box<dyn Fn(&Tensor) -> Result<Tensor> + 'a>;

impl Place {
    fn store(&self) -> ParameterStore {
        ParameterStore::new(self.dtype, &self.device)
    }

    /// The same values everywhere, rounded to `f32`.
    fn input(&self, shape: &[usize], salt: u64) -> Result<Tensor> {
        let rounded = normal_tensor(shape, salt).to_dtype(DType::F32)?;
        rounded.to_device(&self.device)?.to_dtype(self.dtype)
    }

    /// Output, gradient of the input and of every parameter, and the weights after a step of the
    /// optimiser.
    fn trial(
        &self,
        shape: &[usize],
        make: &dyn Fn(&Place, &mut ParameterStore) -> Result<Network<'static>>,
    ) -> Result<Vec<Vec<f64>>> {
        let mut store = self.store();
        let network = make(self, &mut store)?;
        let x = Var::from_tensor(&self.input(shape, 1)?)?;
        let out = network(&x)?;
        let weights = self.input(out.dims(), 2)?;
        let loss = out.mul(&weights)?.sum_all()?;
        let mut seen = vec![cells(&out)?];
        seen.push(cells(loss.backward()?.get(&x).expect("the input has a gradient"))?);
        if store.trainable().next().is_some() {
            let adam =
                Adam { rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 0.1, weight_decay: 0.1 };
            let mut optimiser = Optimiser::new().group(store.trainable(), adam)?;
            let mut gradients = optimiser.gradients(&loss)?;
            seen.extend(gradients.tensors().map(cells).collect::<Result<Vec<_>>>()?);
            gradients.clip_norm(5.0)?;
            optimiser.step(&gradients)?;
        }
        for entry in store.entries() {
            seen.push(cells(&entry.var)?);
        }
        Ok(seen)
    }
}

/// Asserts that two places see the same, to `1e-4` of the largest cell of each tensor.
fn agree(
    name: &str,
    shape: &[usize],
    make: impl Fn(&Place, &mut ParameterStore) -> Result<Network<'static>>,
) {
    let exact = Place { dtype: DType::F64, device: Device::Cpu };
    let exact = exact.trial(shape, &make).unwrap();
    for place in places() {
        let seen = place.trial(shape, &make).unwrap();
        assert_eq!(seen.len(), exact.len());
        for (part, (seen, exact)) in seen.iter().zip(&exact).enumerate() {
            let scale = exact.iter().fold(1e-2f64, |most, x| most.max(x.abs()));
            for (seen, exact) in seen.iter().zip(exact) {
                let near = (seen - exact).abs() <= 1e-4 * scale;
                assert!(near, "{name} on {:?}, part {part}: {seen} {exact}", place.device);
            }
        }
    }
}

fn places() -> Vec<Place> {
    let mut places = vec![Place { dtype: DType::F32, device: Device::Cpu }];
    if cfg!(feature = "cuda") {
        match Device::new_cuda(0) {
            Ok(device) => places.push(Place { dtype: DType::F32, device }),
            Err(error) => eprintln!("skipped on CUDA: {error}"),
        }
    }
    places
}

#[test]
fn networks_of_rows_agree() {
    agree("residual", &[6, 3], |_, store| {
        let block = Residual::new(store, "r", 3, 4, &mut Seed(1).stream("init"))?;
        Ok(Box::new(move |x| block.forward(x, Mode::Training)))
    });
    agree("batch norm in sampling", &[6, 3], |_, store| {
        let settings = BatchNormSettings::default();
        let norm = BatchNorm::new(store, "n", 3, settings, &mut Seed(1).stream("init"))?;
        Ok(Box::new(move |x| norm.forward(x, Mode::Sampling)))
    });
    agree("LSTM", &[3, 4, 2], |_, store| {
        let sides = (2, 5);
        let rng = &mut Seed(1).stream("init");
        let lstm = Lstm::new(store, "l", sides, LstmInitial::Torch, rng)?;
        Ok(Box::new(move |x| Ok(lstm.sequence(x)?[3].hidden.clone())))
    });
    agree("minibatch discrimination", &[5, 3], |_, store| {
        let initial = Initial::torch(3);
        let rng = &mut Seed(1).stream("init");
        let layer =
            MinibatchDiscrimination::new(store, "m", (3, 2, 4), initial, Some(initial), rng)?;
        Ok(Box::new(move |x| layer.forward(x)))
    });
    agree("critic", &[5, 4], |_, store| {
        let dropout = Dropout::new(0.5)?;
        let rng = &mut Seed(1).stream("init");
        let critic = LeakyCritic::new(store, "c", &[4, 8, 6], 0.2, dropout, rng)?;
        Ok(Box::new(move |x| {
            let mut randomness = Randomness::new(Seed(1).stream("dropout"));
            let (scores, slopes) = critic.forward(x, Some(&mut randomness))?;
            let gradient = critic.input_gradient(&slopes)?;
            scores.broadcast_add(&neural::layers::gradient_penalty(&gradient)?)
        }))
    });
}

#[test]
fn networks_of_images_agree() {
    for padding in [Padding::Each(1), Padding::Same] {
        agree("a block down and one up", &[3, 2, 4, 4], |_, store| {
            let rng = &mut Seed(1).stream("init");
            let shape =
                |inputs, outputs| ConvShape { inputs, outputs, kernel: 4, stride: 2, padding };
            let leaky = Nonlinearity::Leaky(0.2);
            let down = ConvBlock::new(store, "d", shape(2, 3), true, leaky, rng)?;
            let tanh = Nonlinearity::Tanh;
            let up = ConvTransposeBlock::new(store, "u", shape(3, 2), false, tanh, rng)?;
            Ok(Box::new(move |x| up.forward(&down.forward(x, Mode::Training)?, Mode::Training)))
        });
    }
}

#[test]
fn heads_and_losses_agree() {
    let kinds = [
        [Activation::Tanh, Activation::GumbelSoftmax, Activation::GumbelSoftmax],
        [Activation::Sigmoid, Activation::Softmax, Activation::GumbelSoftmax],
    ];
    for kinds in kinds {
        agree("heads", &[4, 8], |place, _| {
            let spans = [(0, 1), (1, 4), (5, 3)].into_iter().zip(kinds);
            let spans: Vec<Span> = spans
                .map(|((start, width), activation)| Span { start, width, activation })
                .collect();
            // A mild temperature: at 0.2 single precision alone is 1e-4 off.
            let heads = SpanHeads::new(&spans, 8, 0.7, place.dtype, &place.device)?;
            let noise = heads.noise(4, &mut Randomness::new(Seed(1).stream("noise")))?;
            Ok(Box::new(move |x| heads.forward(x, Some(&noise))))
        });
    }
    agree("losses", &[4, 8], |place, _| {
        let spans = [(0, 3), (4, 4)];
        let segments = Segments::new(&spans, 8, place.dtype, &place.device)?;
        let targets = activation::sigmoid(&place.input(&[4, 8], 3)?)?;
        Ok(Box::new(move |x| {
            let (mean, deviation) = loss::batch_moments(x)?;
            let shares = segments.softmax(x)?;
            let parts = [
                loss::binary_cross_entropy(x, &targets)?,
                loss::gaussian_divergence(x, &targets)?,
                loss::span_cross_entropy(&segments, x, &targets)?,
                loss::marginal_divergence(&segments, &shares, &targets, 1e-4)?,
                loss::hinge(&loss::distance(&mean, &deviation)?, 0.1)?,
                loss::gaussian_likelihood(x, &targets, &deviation)?.mean_all()?,
            ];
            Tensor::stack(&parts, 0)
        }))
    });
}
