//! Small networks from the layers learn what they are made for, and to the same bits each time.

use candle_core::{DType, Device, Result, Tensor};
use meg_core::{Rng, Seed};
use neural::layers::{
    Activation, ConvBlock, ConvShape, ConvTransposeBlock, Dropout, Initial, LeakyCritic, Linear,
    Lstm, LstmInitial, MinibatchDiscrimination, Mode, Nonlinearity, Optimiser, Padding,
    ParameterStore, Residual, Segments, Span, SpanHeads, host_tensor, loss, mix_rows,
};
use neural::{Adam, Randomness};
use rand::Rng as _;

const ADAM: Adam = Adam { rate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };

fn store() -> ParameterStore {
    ParameterStore::new(DType::F32, &Device::Cpu)
}

fn adam(store: &ParameterStore, settings: Adam) -> Optimiser {
    Optimiser::new().group(store.trainable(), settings).unwrap()
}

fn tensor(cells: Vec<f32>, shape: &[usize]) -> Tensor {
    host_tensor(cells, shape, DType::F32, &Device::Cpu).unwrap()
}

fn normals(randomness: &mut Randomness, shape: &[usize]) -> Tensor {
    let mut cells = vec![0.0; shape.iter().product()];
    randomness.normals(&mut cells);
    tensor(cells, shape)
}

fn value(loss: &Tensor) -> f32 {
    loss.to_scalar().unwrap()
}

/// The sign of the first of six inputs must still be known after the last.
#[test]
fn an_lstm_remembers() {
    let mut store = store();
    let mut rng = Seed(1).stream("init");
    let sides = (1, 8);
    let lstm = Lstm::new(&mut store, "lstm", sides, LstmInitial::TensorFlow, &mut rng).unwrap();
    let out = Linear::new(&mut store, "out", 8, 1, &mut rng).unwrap();
    let mut optimiser = adam(&store, Adam { rate: 0.02, ..ADAM });
    let mut randomness = Randomness::new(Seed(1).stream("data"));
    let mut last = f32::INFINITY;
    for _ in 0..200 {
        let x = normals(&mut randomness, &[64, 6, 1]);
        let first = x.narrow(1, 0, 1).unwrap().reshape((64, 1)).unwrap();
        let targets = first.gt(0f32).unwrap().to_dtype(DType::F32).unwrap();
        let states = lstm.sequence(&x).unwrap();
        let logits = out.forward(&states[5].hidden).unwrap();
        let loss = loss::binary_cross_entropy(&logits, &targets).unwrap();
        optimiser.minimise(&loss).unwrap();
        last = value(&loss);
    }
    assert!(last < 0.25, "{last}, where a guess has 0.69");
}

/// A convolution down to 2 x 2 and a transposed one back, through batch norms.
#[test]
fn a_convolutional_autoencoder_reproduces_stripes() {
    let mut store = store();
    let mut rng = Seed(2).stream("init");
    let shape = |inputs, outputs| {
        let padding = Padding::Each(1);
        ConvShape { inputs, outputs, kernel: 4, stride: 2, padding }
    };
    let leaky = Nonlinearity::Leaky(0.2);
    let down = ConvBlock::new(&mut store, "down", shape(1, 8), true, leaky, &mut rng).unwrap();
    let tanh = Nonlinearity::Tanh;
    let up = ConvTransposeBlock::new(&mut store, "up", shape(8, 1), false, tanh, &mut rng).unwrap();
    let mut optimiser = adam(&store, Adam { rate: 0.01, ..ADAM });
    let mut data: Rng = Seed(2).stream("data");
    let mut images = || {
        let mut cells = Vec::new();
        for _ in 0..32 {
            let stripes: [f32; 4] = std::array::from_fn(|_| data.random_range(-0.9..0.9));
            cells.extend((0..16).map(|at| stripes[at / 4]));
        }
        tensor(cells, &[32, 1, 4, 4])
    };
    let error = |x: &Tensor, mode: Mode| {
        let made = up.forward(&down.forward(x, mode).unwrap(), mode).unwrap();
        made.sub(x).unwrap().sqr().unwrap().mean_all().unwrap()
    };
    let test = images();
    let before = value(&error(&test, Mode::Sampling));
    for _ in 0..300 {
        optimiser.minimise(&error(&images(), Mode::Training)).unwrap();
    }
    let after = value(&error(&test, Mode::Sampling));
    assert!(before > 0.2 && after < 0.02, "{before} to {after}");
}

/// Batches of copies of one row against batches of different rows: no row alone tells them apart.
#[test]
fn minibatch_discrimination_sees_a_collapsed_generator() {
    let mut store = store();
    let mut rng = Seed(3).stream("init");
    let initial = Initial::Normal { mean: 0.0, deviation: 0.1 };
    let sides = (4, 5, 3);
    let layer =
        MinibatchDiscrimination::new(&mut store, "m", sides, initial, None, &mut rng).unwrap();
    let out = Linear::new(&mut store, "out", 5, 1, &mut rng).unwrap();
    let mut optimiser = adam(&store, Adam { rate: 0.02, ..ADAM });
    let mut randomness = Randomness::new(Seed(3).stream("data"));
    let mut last = f32::INFINITY;
    for _ in 0..100 {
        let different = normals(&mut randomness, &[16, 4]);
        let alike = normals(&mut randomness, &[1, 4]).broadcast_as((16, 4)).unwrap();
        let logits = |batch: &Tensor| out.forward(&layer.forward(batch)?);
        let real = loss::binary_cross_entropy_to(&logits(&different).unwrap(), 1.0).unwrap();
        let fake = loss::binary_cross_entropy_to(&logits(&alike).unwrap(), 0.0).unwrap();
        let loss = (real + fake).unwrap();
        optimiser.minimise(&loss).unwrap();
        last = value(&loss);
    }
    assert!(last < 0.1, "{last}, where a guess has 1.39");
}

/// TVAE in small: two spans of levels that always agree, one number that follows them.
#[test]
fn a_variational_autoencoder_learns_which_levels_go_together() {
    let mut store = store();
    let mut rng = Seed(4).stream("init");
    let encoder = Linear::new(&mut store, "encoder", 7, 32, &mut rng).unwrap();
    let centre = Linear::new(&mut store, "centre", 32, 2, &mut rng).unwrap();
    let spread = Linear::new(&mut store, "spread", 32, 2, &mut rng).unwrap();
    let decoder = Linear::new(&mut store, "decoder", 2, 32, &mut rng).unwrap();
    let out = Linear::new(&mut store, "out", 32, 7, &mut rng).unwrap();
    let sigma = store.parameter("sigma", &[1], Initial::Constant(0.3), &mut rng).unwrap();
    let segments = Segments::new(&[(1, 3), (4, 3)], 7, DType::F32, &Device::Cpu).unwrap();
    let mut optimiser = adam(&store, Adam { rate: 5e-3, weight_decay: 1e-5, ..ADAM });
    let mut randomness = Randomness::new(Seed(4).stream("noise"));
    let mut data: Rng = Seed(4).stream("data");
    let decode = |z: &Tensor| -> Result<Tensor> { out.forward(&decoder.forward(z)?.tanh()?) };
    for _ in 0..400 {
        let rows = tensor((0..100).flat_map(|_| vae_row(&mut data)).collect(), &[100, 7]);
        let hidden = encoder.forward(&rows).unwrap().tanh().unwrap();
        let (mean, log_variance) =
            (centre.forward(&hidden).unwrap(), spread.forward(&hidden).unwrap());
        let deviation = (&log_variance * 0.5).unwrap().exp().unwrap();
        let noise = normals(&mut randomness, &[100, 2]);
        let z = (&mean + deviation.mul(&noise).unwrap()).unwrap();
        let logits = decode(&z).unwrap();
        let place = |of: &Tensor| of.narrow(1, 0, 1).unwrap();
        let number =
            loss::gaussian_likelihood(&place(&rows), &place(&logits).tanh().unwrap(), &sigma);
        let number = (number.unwrap().sum_all().unwrap() / 100.0).unwrap();
        let levels = loss::span_cross_entropy(&segments, &logits, &rows).unwrap();
        let divergence = loss::gaussian_divergence(&mean, &log_variance).unwrap();
        let loss = ((number + levels).unwrap() * 2.0).unwrap() + divergence;
        optimiser.minimise(&loss.unwrap()).unwrap();
        sigma.set(&sigma.as_detached_tensor().clamp(0.01f32, 1.0).unwrap()).unwrap();
    }
    let made = decode(&normals(&mut randomness, &[2_000, 2])).unwrap();
    let level = |start: usize| {
        let span = made.narrow(1, start, 3).unwrap();
        span.argmax(1).unwrap().to_vec1::<u32>().unwrap()
    };
    let (one, other) = (level(1), level(4));
    let agree = one.iter().zip(&other).filter(|(x, y)| x == y).count();
    assert!(agree > 1_900, "{agree} of 2000 pairs of levels agree");
    let shares: Vec<usize> =
        (0..3).map(|level| one.iter().filter(|seen| **seen == level).count()).collect();
    assert!(shares.iter().all(|share| (400..1_000).contains(share)), "{shares:?}");
}

/// A number near -0.6, 0 or 0.6 and the level that it belongs to, twice.
fn vae_row(data: &mut Rng) -> Vec<f32> {
    let level = data.random_range(0..3usize);
    let mut row = vec![0.0; 7];
    row[0] = (level as f32 - 1.0) * 0.6 + data.random_range(-0.1..0.1);
    row[1 + level] = 1.0;
    row[4 + level] = 1.0;
    row
}

/// CTGAN in small: a level with the shares 0.5, 0.3, 0.2 and a number near 0.5 beside the first
/// level and near -0.5 beside the others.
struct Gan {
    store: ParameterStore,
    generator: (Residual, Linear),
    critic: LeakyCritic,
    heads: SpanHeads,
    generator_step: Optimiser,
    critic_step: Optimiser,
    randomness: Randomness,
    data: Rng,
    hidden: usize,
}

impl Gan {
    const ROWS: usize = 100;
    const NOISE: usize = 8;

    fn new(seed: Seed, hidden: usize) -> Self {
        let (mut store, mut critics) = (store(), store());
        let mut rng = seed.stream("init");
        let residual =
            Residual::new(&mut store, "residual", Self::NOISE, hidden, &mut rng).unwrap();
        let out = Linear::new(&mut store, "out", Self::NOISE + hidden, 4, &mut rng).unwrap();
        let widths = [4, hidden, hidden];
        let dropout = Dropout::new(0.2).unwrap();
        let critic =
            LeakyCritic::new(&mut critics, "critic", &widths, 0.2, dropout, &mut rng).unwrap();
        let spans = [
            Span { start: 0, width: 1, activation: Activation::Tanh },
            Span { start: 1, width: 3, activation: Activation::GumbelSoftmax },
        ];
        let settings = Adam { beta1: 0.5, beta2: 0.9, ..ADAM };
        Self {
            heads: SpanHeads::new(&spans, 4, 0.2, DType::F32, &Device::Cpu).unwrap(),
            generator_step: adam(&store, Adam { weight_decay: 1e-6, ..settings }),
            critic_step: adam(&critics, settings),
            store,
            generator: (residual, out),
            critic,
            randomness: Randomness::new(seed.stream("noise")),
            data: seed.stream("data"),
            hidden,
        }
    }

    fn real(&mut self) -> Tensor {
        let mut cells = Vec::new();
        for _ in 0..Self::ROWS {
            let level = match self.data.random_range(0..10) {
                0..5 => 0,
                5..8 => 1,
                _ => 2,
            };
            let centre = if level == 0 { 0.5 } else { -0.5 };
            let mut row = [centre + self.data.random_range(-0.05f32..0.05), 0.0, 0.0, 0.0];
            row[1 + level] = 1.0;
            cells.extend(row);
        }
        tensor(cells, &[Self::ROWS, 4])
    }

    fn generate(&mut self, mode: Mode) -> Result<Tensor> {
        let noise = normals(&mut self.randomness, &[Self::ROWS, Self::NOISE]);
        let logits = self.generator.1.forward(&self.generator.0.forward(&noise, mode)?)?;
        let gumbel = self.heads.noise(Self::ROWS, &mut self.randomness)?;
        self.heads.forward(&logits, Some(&gumbel))
    }

    fn step(&mut self) -> Result<()> {
        let (real, fake) = (self.real(), self.generate(Mode::Training)?.detach());
        let mixed = mix_rows(&real, &fake, &mut self.randomness)?;
        let random = &mut self.randomness;
        let real = self.critic.forward(&real, Some(&mut *random))?.0.mean_all()?;
        let fake = self.critic.forward(&fake, Some(&mut *random))?.0.mean_all()?;
        let penalty = self.critic.penalty(&mixed, Some(random))?;
        self.critic_step.minimise(&((fake - real)? + (penalty * 10.0)?)?)?;
        let fake = self.generate(Mode::Training)?;
        let score = self.critic.forward(&fake, Some(&mut self.randomness))?.0.mean_all()?;
        let mut gradients = self.generator_step.gradients(&score.neg()?)?;
        gradients.clip_norm(10.0)?;
        self.generator_step.step(&gradients)
    }

    fn bits(&self) -> Vec<u32> {
        let cells = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let all = self.store.entries().iter().flat_map(|entry| cells(&entry.var));
        all.map(f32::to_bits).collect()
    }
}

#[test]
fn a_gan_learns_shares_and_what_goes_with_them() {
    let mut gan = Gan::new(Seed(5), 32);
    for _ in 0..1_500 {
        gan.step().unwrap();
    }
    let (mut counts, mut sums) = ([0usize; 3], [0f32; 3]);
    for _ in 0..40 {
        for row in gan.generate(Mode::Sampling).unwrap().to_vec2::<f32>().unwrap() {
            let level = (0..3).max_by(|&a, &b| row[1 + a].total_cmp(&row[1 + b])).unwrap();
            counts[level] += 1;
            sums[level] += row[0];
        }
    }
    for ((count, sum), (share, mean)) in
        counts.into_iter().zip(sums).zip([(0.5, 0.5), (0.3, -0.5), (0.2, -0.5)])
    {
        assert!((count as f32 / 4_000.0 - share).abs() < 0.08, "{counts:?} {sums:?}");
        assert!((sum / count as f32 - mean).abs() < 0.15, "{counts:?} {sums:?}");
    }
}

/// The numbers of threads of the tensor library are read once per process, so that each needs a
/// process of its own: this test again, which then tells its bits.
#[test]
fn the_bits_do_not_depend_on_threads() {
    const CHILD: &str = "NEURAL_TEST_CHILD";
    const MARK: &str = "digest:";
    if std::env::var_os(CHILD).is_some() {
        let mut gan = Gan::new(Seed(6), 512);
        for _ in 0..4 {
            gan.step().unwrap();
        }
        assert_eq!(gan.hidden, 512);
        let digest = gan.bits().iter().fold(0u64, |sum, &bits| {
            sum.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(bits)
        });
        println!("{MARK}{digest}");
        return;
    }
    let digest = |threads: &str| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_bits_do_not_depend_on_threads", "--nocapture"])
            .env(CHILD, "1")
            .env("RAYON_NUM_THREADS", threads)
            .env("CANDLE_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let at = text.find(MARK).unwrap_or_else(|| panic!("no digest in {text}"));
        text[at..].split_whitespace().next().unwrap().to_owned()
    };
    let one = digest("1");
    assert_eq!(one, digest("1"), "the same threads");
    assert_eq!(one, digest("2"), "one thread and two");
    assert_eq!(one, digest("3"), "one thread and three");
}
