//! The fused updates against the plain candle expressions, on the same batches.

use crate::Ctgan;
use crate::batch::{BatchSource, CriticBatch, GeneratorBatch};
use crate::conditions::{ConditionSpace, TrainingSampler};
use crate::fused::FusedTrainer;
use crate::network::{Critic, Generator, heads};
use crate::plain::PlainTrainer;
use candle_core::{DType, Tensor};
use meg_core::{Device, Seed, Silent, Table, conformance};
use neural::Parameter;
use transforms::{Encoded, EncoderOptions, TableEncoder};

struct Bench {
    recipe: Ctgan,
    encoder: TableEncoder,
    encoded: Encoded,
    space: ConditionSpace,
}

impl Bench {
    fn new(table: &Table) -> Self {
        let recipe = Ctgan {
            batch_size: 40,
            embedding_dim: 12,
            generator_dim: vec![24, 16],
            discriminator_dim: vec![24, 20, 16],
            generator_decay: 1e-3,
            ..Ctgan::default()
        };
        let options = EncoderOptions::default();
        let encoder = TableEncoder::fit(table, &options, Seed(1), 1, &mut Silent).unwrap();
        let encoded = encoder.encode(table, Seed(1), 1).unwrap();
        let space = ConditionSpace::new(&encoder, &encoded);
        Self { recipe, encoder, encoded, space }
    }

    fn source(&self) -> BatchSource<'_> {
        let sampler = TrainingSampler::new(&self.space, &self.encoder, &self.encoded, true);
        BatchSource::new(&self.recipe, sampler, &self.space, self.encoder.width(), Seed(7))
    }

    fn networks(&self) -> (Generator, Critic) {
        let mut rng = Seed(3).stream("init");
        let (conditions, width) = (self.space.width(), self.encoder.width());
        let mut generator = Generator::new(&self.recipe, conditions, width, &mut rng);
        // Scales away from 1 and shifts away from 0, so that a slip in either shows.
        for (_, norm) in &mut generator.layers {
            norm.gamma = Parameter::linear(&norm.gamma.shape, 1, &mut rng);
            norm.beta = Parameter::linear(&norm.beta.shape, 1, &mut rng);
        }
        (generator, Critic::new(&self.recipe, conditions, width, &mut rng))
    }

    fn fused(&self, threads: usize) -> FusedTrainer {
        let (generator, critic) = self.networks();
        let heads = heads(self.encoder.spans(), self.encoder.width(), self.recipe.temperature);
        FusedTrainer::new(&self.recipe, generator, critic, heads, threads)
    }

    fn plain(&self, precision: DType) -> PlainTrainer {
        let (generator, critic) = self.networks();
        let heads = heads(self.encoder.spans(), self.encoder.width(), self.recipe.temperature);
        PlainTrainer::new(&self.recipe, generator, critic, heads, Device::Cpu, precision).unwrap()
    }
}

fn assert_same_gradients(fused: Vec<&mut Parameter>, plain: &[Tensor]) {
    assert_eq!(fused.len(), plain.len());
    for (at, (parameter, gradient)) in fused.into_iter().zip(plain).enumerate() {
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // A bias before a batch norm has the gradient 0: what is left of it is rounding.
        let largest = gradient.iter().fold(1e-4f32, |most, x| most.max(x.abs()));
        assert_eq!(parameter.gradient.len(), gradient.len());
        for (ours, exact) in parameter.gradient.iter().zip(&gradient) {
            let away = (ours - exact).abs() / largest;
            assert!(
                away < 2e-4,
                "parameter {at}: {ours} where candle has {exact} (largest {largest})"
            );
        }
    }
}

fn check_gradients(table: &Table) {
    let bench = Bench::new(table);
    let (mut fused, mut plain, mut source) =
        (bench.fused(1), bench.plain(DType::F32), bench.source());
    let (mut critic_batch, mut generator_batch) =
        (CriticBatch::default(), GeneratorBatch::default());
    source.critic(&mut critic_batch);
    let ours = fused.critic_gradients(&bench.encoded, &critic_batch);
    let (exact, gradients) = plain.critic_gradients(&bench.encoded, &critic_batch).unwrap();
    assert!((ours.wasserstein - exact.wasserstein).abs() < 1e-5, "{ours:?} {exact:?}");
    assert!((ours.penalty - exact.penalty).abs() < 1e-4, "{ours:?} {exact:?}");
    assert_same_gradients(fused.critic.parameters_mut(), &gradients);

    source.generator(&mut generator_batch);
    let ours = fused.generator_gradients(&bench.space, &generator_batch);
    let (exact, gradients) = plain.generator_gradients(&bench.space, &generator_batch).unwrap();
    assert!((ours.adversarial - exact.adversarial).abs() < 1e-5, "{ours:?} {exact:?}");
    assert!((ours.cross_entropy - exact.cross_entropy).abs() < 1e-5, "{ours:?} {exact:?}");
    assert_same_gradients(fused.generator.parameters_mut(), &gradients);
}

#[test]
fn gradients_agree_with_candle_on_a_mixed_table() {
    check_gradients(&conformance::mixed_table(200, 5));
}

/// Without category columns the generated side must be the activated rows, never the logits
/// (models.md 2.7, number 1): the plain path has no place for logits in the discriminator.
#[test]
fn gradients_agree_with_candle_without_category_columns() {
    let table = conformance::mixed_table(200, 5).select_columns(&[1, 3]).unwrap();
    let bench = Bench::new(&table);
    assert_eq!(bench.space.width(), 0);
    let mut fused = bench.fused(1);
    // Large weights: bare logits would leave the range that is checked below.
    fused.generator.output.dense.value.iter_mut().for_each(|weight| *weight *= 50.0);
    let mut batch = CriticBatch::default();
    bench.source().critic(&mut batch);
    fused.critic_gradients(&bench.encoded, &batch);
    let rows = &fused.generated_rows()[..40 * bench.encoder.width()];
    for row in rows.chunks(bench.encoder.width()) {
        for span in bench.encoder.spans() {
            let units = &row[span.start..span.start + span.width];
            match span.activation {
                transforms::Activation::Tanh => assert!(units[0].abs() <= 1.0),
                transforms::Activation::Softmax => {
                    assert!((units.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                }
            }
        }
    }
    check_gradients(&table);
}

#[test]
fn many_updates_stay_together_and_threads_change_no_bit() {
    let bench = Bench::new(&conformance::mixed_table(300, 6));
    let train = |trainer: &mut dyn FnMut(&CriticBatch, &GeneratorBatch, u64)| {
        let mut source = bench.source();
        let (mut critic, mut generator) = (CriticBatch::default(), GeneratorBatch::default());
        for step in 1..=5 {
            source.critic(&mut critic);
            source.generator(&mut generator);
            trainer(&critic, &generator, step);
        }
    };
    let run = |threads| {
        let mut fused = bench.fused(threads);
        train(&mut |critic, generator, step| {
            fused.critic_step(&bench.encoded, critic, step);
            fused.generator_step(&bench.space, generator, step);
        });
        fused.generator.tensors()
    };
    let one = run(1);
    assert!(one == run(2), "two threads give other weights");
    let mut plain = bench.plain(DType::F32);
    train(&mut |critic, generator, step| {
        plain.critic_step(&bench.encoded, critic, step).unwrap();
        plain.generator_step(&bench.space, generator, step).unwrap();
    });
    for (name, tensor) in plain.generator().unwrap().tensors() {
        for (ours, exact) in one[&name].data.iter().zip(&tensor.data) {
            // Adam divides by the gradient's own size: a rounding difference in a gradient near 0
            // may move a weight by up to a step, 2e-4.
            assert!((ours - exact).abs() < 1.5e-3, "{name}: {ours} {exact}");
        }
    }
}
