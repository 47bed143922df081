//! The game of generators and discriminator.

use super::MegClassic;
use super::fitted::FittedClassic;
use super::network::{Generators, Perceptron, cross_entropy};
use super::scale::Scaler;
use crate::further::check_fixed;
use crate::record::{self, TrainingRecord, Trainings};
use meg_core::{FitContext, Fitted, Result, Rng, Seed, StreamPosition, Table, TrainingState};
use neural::training::first_not_finite;
use neural::{Adam, Losses, Parameter, Randomness, Trainee, TrainingLoop};
use rand::Rng as _;

pub(super) fn fit(
    recipe: &MegClassic,
    train: &Table,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    let scaler = Scaler::fit(train, recipe.scaling)?;
    let generators = Generators::new(recipe, scaler.width(), ctx.seed);
    let discriminator = first_discriminator(recipe, &scaler, ctx.seed);
    let trainings = Vec::new();
    play(recipe, Players { scaler, generators, discriminator, trainings }, train, ctx.seed, ctx)
}

/// Settings that scales and networks were made by.
const FIXED: [&str; 4] = ["input_dim", "hidden", "shared_noise", "scaling"];

/// So many updates more of the saved networks. The documentation loads the generators and
/// initialises their optimisers, and so do we: Adam begins anew.
pub(super) fn fit_further(
    recipe: &MegClassic,
    base: FittedClassic,
    rows: &Table,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    check_fixed(recipe, &base.recipe, &FIXED)?;
    let FittedClassic { scaler, generators, discriminator, trainings, .. } = base;
    let trainings = record::before(trainings);
    scaler.check_further(rows)?;
    // The same seed again must not bring the same batches again.
    let seed = ctx.seed.derive(&format!("meg-classic/further/{}", trainings.len()));
    let discriminator = discriminator.unwrap_or_else(|| {
        ctx.observer.note("the saved model is of an older version and holds no discriminator: the generators play against a new one");
        first_discriminator(recipe, &scaler, seed)
    });
    play(recipe, Players { scaler, generators, discriminator, trainings }, rows, seed, ctx)
}

fn first_discriminator(recipe: &MegClassic, scaler: &Scaler, seed: Seed) -> Perceptron {
    let mut rng = seed.stream("meg-classic/discriminator");
    Perceptron::new(scaler.width(), recipe.hidden, 1, &mut rng)
}

/// What a game begins with.
struct Players {
    scaler: Scaler,
    generators: Generators,
    discriminator: Perceptron,
    /// The games before.
    trainings: Trainings,
}

fn play(
    recipe: &MegClassic,
    players: Players,
    rows: &Table,
    seed: Seed,
    ctx: &mut FitContext<'_>,
) -> Result<Box<dyn Fitted>> {
    let Players { scaler, generators, discriminator, mut trainings } = players;
    let mut game = Game {
        recipe,
        rows: scaler.encode(rows),
        count: rows.rows(),
        generators,
        discriminator,
        batches: seed.stream("meg-classic/batches"),
        noise: Randomness::new(seed.stream("meg-classic/noise")),
    };
    // A table without units has nothing to learn.
    let steps = if scaler.width() == 0 { 0 } else { recipe.epochs };
    let updates = TrainingLoop::new(steps).run(&mut game, ctx)?;
    let (seed, rows) = (ctx.seed.0, rows.rows() as u64);
    trainings.push(Some(TrainingRecord { seed, rows, held_out: 0, updates }));
    Ok(Box::new(FittedClassic {
        recipe: recipe.clone(),
        scaler,
        generators: game.generators,
        discriminator: Some(game.discriminator),
        trainings,
    }))
}

struct Game<'a> {
    recipe: &'a MegClassic,
    /// Training rows as units, row-major.
    rows: Vec<f32>,
    count: usize,
    generators: Generators,
    discriminator: Perceptron,
    batches: Rng,
    noise: Randomness,
}

/// Names of the streams' positions in a checkpoint.
const BATCHES_PART: &str = "stream of batches";
const NOISE_PART: &str = "stream of noise";

impl Game<'_> {
    fn adam(&self) -> Adam {
        Adam {
            rate: self.recipe.learning_rate as f32,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }

    fn batch(&mut self) -> Vec<f32> {
        let width = self.generators.networks.len();
        let mut batch = Vec::with_capacity(self.recipe.batch_size * width);
        for _ in 0..self.recipe.batch_size {
            let row = self.batches.random_range(0..self.count);
            batch.extend(&self.rows[row * width..(row + 1) * width]);
        }
        batch
    }

    fn dropout(&mut self) -> Vec<f32> {
        if self.recipe.dropout == 0.0 {
            return Vec::new();
        }
        let mut kept = vec![0.0; self.recipe.batch_size * self.recipe.hidden];
        self.noise.dropout(self.recipe.dropout as f32, &mut kept);
        kept
    }

    /// Adds the gradients of the discriminator for rows that should be called `target`; returns
    /// the loss, how many rows it calls so (even odds count half), and the gradient at the rows.
    fn judge(&mut self, rows: &[f32], target: f32) -> (f64, f64, Vec<f32>) {
        let kept = self.dropout();
        let pass = self.discriminator.forward(rows, self.recipe.batch_size, kept);
        let (loss, gradient) = cross_entropy(&pass.out, target);
        let right = count_right(&pass.out, target > 0.5);
        (loss, right, self.discriminator.backward(rows, &pass, &gradient))
    }

    fn named_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let generators = self.generators.networks.iter_mut().enumerate();
        let generators = generators.flat_map(|(at, one)| one.named_mut(&format!("generator{at}")));
        let mut all: Vec<_> = generators.collect();
        all.extend(self.discriminator.named_mut("discriminator"));
        all
    }
}

/// Rows whose odds lean to the right side, ties half. With dropout the odds are those under it.
fn count_right(logits: &[f32], real: bool) -> f64 {
    let right = |&logit: &f32| match logit {
        0.0 => 0.5,
        _ => f64::from(u8::from((logit > 0.0) == real)),
    };
    logits.iter().map(right).sum()
}

impl Trainee for Game<'_> {
    fn step(&mut self, number: u64) -> Result<Losses> {
        let (adam, rows) = (self.adam(), self.recipe.batch_size);
        let real = self.batch();
        let fakes = self.generators.draw(rows, &mut self.noise);
        self.discriminator.clear();
        let (on_real, real_right, _) = self.judge(&real, 1.0);
        let (on_fakes, fakes_right, _) = self.judge(&fakes.rows, 0.0);
        let accuracy = (real_right + fakes_right) / (2 * rows) as f64;
        for (_, parameter) in self.discriminator.named_mut("") {
            parameter.step(&adam, number);
        }
        let fakes = self.generators.draw(rows, &mut self.noise);
        self.discriminator.clear();
        let (loss, _, gradient) = self.judge(&fakes.rows, 1.0);
        self.generators.backward(&fakes, &gradient);
        for network in &mut self.generators.networks {
            for (_, parameter) in network.named_mut("") {
                parameter.step(&adam, number);
            }
        }
        Ok(vec![
            ("generator_loss", loss),
            ("discriminator_loss", on_real + on_fakes),
            ("discriminator_accuracy", accuracy),
        ])
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        let named = self.named_mut();
        let parts = named.iter().flat_map(|(name, parameter)| {
            parameter.finite_parts().map(|(part, cells)| (format!("the {part} {name}"), cells))
        });
        Ok(first_not_finite(parts))
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        state.put(BATCHES_PART, &StreamPosition::of(&self.batches))?;
        state.put(NOISE_PART, &StreamPosition::of(&self.noise.rng))?;
        for (name, parameter) in self.named_mut() {
            parameter.save(&name, state);
        }
        Ok(())
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        state.part::<StreamPosition>(BATCHES_PART)?.restore(&mut self.batches)?;
        state.part::<StreamPosition>(NOISE_PART)?.restore(&mut self.noise.rng)?;
        for (name, parameter) in self.named_mut() {
            parameter.restore(&name, state)?;
        }
        Ok(())
    }
}
