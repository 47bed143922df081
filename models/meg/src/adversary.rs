//! Phase 2: generators against a discriminator of whole rows, with the likelihood as anchor.

use crate::codec::Targets;
use crate::dependence;
use crate::dice::Dice;
use crate::ensemble::{Ensemble, MemberView};
use crate::learn::{Batches, Learned, Material, does_not_fit};
use crate::learner::Learner;
use crate::masks::Plan;
use crate::network::{Layout, Weights};
use crate::sample::{Drawn, draw_codes};
use crate::train::Split;
use crate::trainer::Optimiser;
use meg_core::{Result, Seed, StreamPosition, TrainingState};
use neural::{Losses, Randomness};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Steps of the discriminator before the generators hear of it.
const HEAD_START: u64 = 100;
/// Share of the discriminator's hidden units that are silent.
const DROPOUT: f64 = 0.5;
/// A row counts at most so many times what a training row does.
const MOST: f32 = 2.0;
/// Rows that a judge learns from, of each kind, and its steps.
const JUDGE_ROWS: usize = 20_000;
const JUDGE_STEPS: u64 = 300;
/// Judgements whose mean decides.
const JUDGEMENTS: usize = 3;

/// The phase goes on from the weights of the likelihood phase.
///
/// A discriminator (the same kind of network, asked for the column "real") learns to tell training
/// rows from rows that are drawn whole from the generators. Its log-odds estimate the logarithm of
/// the ratio of both densities; the generators climb its mean over their own rows (the gradient of
/// Williams 1992, with the mean as baseline), which lowers their divergence from the data in the
/// direction that likelihood does not see, and the likelihood of training rows in the same step
/// keeps them where they are right.
///
/// The result counts only where held-out rows are both harder to tell from drawn ones for a judge
/// of its own and nearer in the shares of all pairs of columns.
#[derive(Debug)]
pub(crate) struct Adversary {
    learned: Learned,
    critic: Critic,
    before: Judgement,
    /// Generators and discriminator in training.
    generators: Learner,
    discriminator: Learner,
    batches: Batches,
    randomness: Randomness,
    done: u64,
}

/// What a step tells.
struct Moved {
    /// Loss of the discriminator.
    critic: f64,
    /// Share of the rows of the batch that it told rightly before it learned from them.
    accuracy: f64,
    /// Loss of the generators, where they moved.
    loss: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    before: Judgement,
    /// Nats per held-out row of the likelihood phase.
    score: f64,
    fakes: StreamPosition,
}

const MEMORY_PART: &str = "adversarial phase";
const LEARNED_PREFIX: &str = "likelihood.";
const GENERATORS_PREFIX: &str = "";
const DISCRIMINATOR_PREFIX: &str = "discriminator.";

impl Adversary {
    /// # Errors
    /// When a judge diverges.
    pub(crate) fn new(
        material: &Material<'_>,
        split: &Split,
        learned: Learned,
        number: u64,
    ) -> Result<Self> {
        let critic = Critic::new(material);
        let before = judge(material, &critic, split, &learned.states[0], number)?;
        Self::begin(material, split, learned, critic, before)
    }

    fn begin(
        material: &Material<'_>,
        split: &Split,
        learned: Learned,
        critic: Critic,
        before: Judgement,
    ) -> Result<Self> {
        let seed = material.seed.derive("meg/adversary");
        Ok(Self {
            generators: material.trainer_from(learned.states[0].clone(), seed)?,
            discriminator: critic.trainer(material, seed)?,
            batches: Batches::new(split.rows.clone(), material.batch, seed),
            randomness: Randomness::new(seed.stream("meg/fakes")),
            learned,
            critic,
            before,
            done: 0,
        })
    }

    pub(crate) fn step(&mut self, material: &Material<'_>, number: u64) -> Result<Losses> {
        self.done += 1;
        let both = self.done > HEAD_START;
        let Moved { critic, accuracy, loss } = self.update(material, both, number)?;
        let critics = [("discriminator_loss", critic), ("discriminator_accuracy", accuracy)];
        Ok(loss.map(|loss| ("loss", loss)).into_iter().chain(critics).collect())
    }

    /// A step of the discriminator and, if wanted, one of the generators.
    fn update(&mut self, material: &Material<'_>, both: bool, number: u64) -> Result<Moved> {
        let recipe = material.recipe;
        let real = rows_of(material, self.batches.next());
        let rows = real[0].len();
        // The one place where rows for discriminator and generators are made: as in sampling.
        let randomness = &mut self.randomness;
        let fake = self.generators.with_view(|view| fakes(view, rows, randomness))?;
        let rewards = self.discriminator.log_odds(&labelled(&fake, 0))?;
        let of_real = self.discriminator.log_odds(&labelled(&real, 1))?;
        let right = of_real.iter().filter(|odds| **odds > 0.0).count()
            + rewards.iter().filter(|odds| **odds < 0.0).count();
        let accuracy = right as f64 / (2 * rows) as f64;
        let batch = joined(&labelled(&real, 1), &labelled(&fake, 0));
        let equal = vec![1.0; 2 * rows];
        let critic = self.discriminator.step_on(&batch, &equal, recipe.learning_rate, number)?;
        if !both {
            return Ok(Moved { critic, accuracy, loss: None });
        }
        let mean = rewards.iter().sum::<f32>() / rows as f32;
        let weight = recipe.adversarial_weight as f32;
        let of_fakes = rewards.iter().map(|reward| weight * (reward - mean).clamp(-MOST, MOST));
        let weights: Vec<f32> = std::iter::repeat_n(1.0, rows).chain(of_fakes).collect();
        let rate = recipe.learning_rate * recipe.rate_cut;
        let batch = joined(&real, &fake);
        let loss = self.generators.step_on(&batch, &weights, rate, number)?;
        Ok(Moved { critic, accuracy, loss: Some(loss) })
    }

    pub(crate) fn finished(&self, material: &Material<'_>) -> bool {
        self.done >= limit(material)
    }

    /// What the phase came to, with a sentence about it.
    ///
    /// # Errors
    /// When a judge diverges.
    pub(crate) fn learned(
        self,
        material: &Material<'_>,
        split: &Split,
        number: u64,
    ) -> Result<(Learned, String)> {
        let Self { learned, critic, before, generators, .. } = self;
        let weights = generators.averages()?;
        drop(generators);
        let after = judge(material, &critic, split, &weights, number)?;
        let better = after.detection < before.detection && after.pairs < before.pairs;
        let note = format!(
            "adversarial phase {}: detection {:.4} to {:.4}, distance of pairs {:.4} to {:.4}",
            if better { "accepted" } else { "refused" },
            before.detection,
            after.detection,
            before.pairs,
            after.pairs
        );
        let states = if better { vec![weights] } else { learned.states };
        Ok((Learned { states, ..learned }, note))
    }

    /// What the likelihood phase came to, as if there had been no other.
    pub(crate) fn without(self) -> Learned {
        self.learned
    }

    pub(crate) fn steps(&self) -> u64 {
        self.done
    }

    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        match self.generators.not_finite()? {
            None => self.discriminator.not_finite(),
            found => Ok(found),
        }
    }

    pub(crate) fn save(&self, state: &mut TrainingState) -> Result<()> {
        let memory = Memory {
            before: self.before.clone(),
            score: self.learned.score,
            fakes: StreamPosition::of(&self.randomness.rng),
        };
        state.put(MEMORY_PART, &memory)?;
        self.learned.states[0].save(LEARNED_PREFIX, state);
        self.generators.save(GENERATORS_PREFIX, state)?;
        self.discriminator.save(DISCRIMINATOR_PREFIX, state)
    }

    pub(crate) fn restore(
        material: &Material<'_>,
        split: &Split,
        state: &TrainingState,
        done: u64,
    ) -> Result<Self> {
        let Memory { before, score, fakes } = state.part(MEMORY_PART)?;
        if done > limit(material) {
            return Err(does_not_fit());
        }
        let mut weights = Weights::zeros(&material.layout);
        weights.restore(LEARNED_PREFIX, state)?;
        let learned = Learned::one(&material.layout, weights, score);
        let mut phase = Self::begin(material, split, learned, Critic::new(material), before)?;
        phase.generators.restore(GENERATORS_PREFIX, state, done.saturating_sub(HEAD_START))?;
        phase.discriminator.restore(DISCRIMINATOR_PREFIX, state, done)?;
        fakes.restore(&mut phase.randomness.rng)?;
        phase.batches.skip(done);
        phase.done = done;
        Ok(phase)
    }
}

/// Steps of the phase.
fn limit(material: &Material<'_>) -> u64 {
    HEAD_START.saturating_add(material.recipe.adversarial_steps)
}

/// The discriminator without its weights: one network that sees all columns and is asked for one
/// more, which is 1 for real rows.
#[derive(Debug)]
struct Critic {
    layout: Arc<Layout>,
    ranks: Vec<Vec<Option<f32>>>,
    targets: Arc<[Targets]>,
}

impl Critic {
    fn new(material: &Material<'_>) -> Self {
        let of = &*material.layout;
        let plan = Plan { order: of.plan.order.clone(), generators: Vec::new(), dynamic: false };
        let mut ranks: Vec<_> =
            plan.order.iter().map(|&column| material.codec.ranks(column)).collect();
        ranks.push(vec![None; 2]);
        let layout = Arc::new(Layout::judging(of, plan, material.recipe.hidden));
        let targets = layout.codes.iter().map(|&codes| Targets::hard(codes)).collect();
        Self { layout, ranks, targets }
    }

    fn trainer(&self, material: &Material<'_>, seed: Seed) -> Result<Learner> {
        let mut rng = seed.stream("meg/critic");
        let counts: Vec<Vec<u64>> = self.layout.codes.iter().map(|&codes| vec![1; codes]).collect();
        let weights = Weights::new(&self.layout, &self.ranks, &counts, &mut rng);
        let optimiser = Optimiser { dropout: DROPOUT, ..material.optimiser() };
        let (layout, targets, batch) = (&self.layout, &self.targets, 2 * material.batch);
        Learner::new(material.way, layout, targets, optimiser, weights, seed, batch)
    }
}

/// The codes of training rows, by place.
fn rows_of(material: &Material<'_>, rows: &[u32]) -> Vec<Vec<u16>> {
    let of = |&column: &usize| -> Vec<u16> {
        rows.iter().map(|&row| material.codes.columns[column][row as usize]).collect()
    };
    material.layout.plan.order.iter().map(of).collect()
}

/// Rows drawn whole from one member, as codes by place. They are independent of each other: the
/// gradient and the judges count every row as one.
fn fakes(view: MemberView<'_>, rows: usize, randomness: &mut Randomness) -> Vec<Vec<u16>> {
    let free = vec![None; view.layout.codes.len()];
    let ensemble = Ensemble { members: vec![view], mixing: &[], temperature: 1.0 };
    let mut dice = Dice { randomness, even: false };
    let drawn = draw_codes(&ensemble, &free, rows, &mut dice);
    drawn.into_iter().map(|Drawn { codes, .. }| codes).collect()
}

fn labelled(rows: &[Vec<u16>], real: u16) -> Vec<Vec<u16>> {
    let label = vec![real; rows[0].len()];
    rows.iter().cloned().chain([label]).collect()
}

fn joined(a: &[Vec<u16>], b: &[Vec<u16>]) -> Vec<Vec<u16>> {
    a.iter().zip(b).map(|(a, b)| [&**a, &**b].concat()).collect()
}

/// What held-out rows say of drawn ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Judgement {
    /// Distance from 1/2 of the area under the curve of a fresh discriminator.
    detection: f64,
    /// Mean total variation between the joint shares of two columns, over all pairs.
    pairs: f64,
}

/// The mean of several judgements, each with rows and a judge of its own. The judge learns from
/// training rows and is asked about held-out ones. The same seeds for every weights, so that two
/// calls differ by the weights alone.
fn judge(
    material: &Material<'_>,
    critic: &Critic,
    split: &Split,
    weights: &Weights,
    number: u64,
) -> Result<Judgement> {
    let mut mean = Judgement { detection: 0.0, pairs: 0.0 };
    let held = rows_of(material, &split.held);
    for at in 0..JUDGEMENTS {
        let seed = material.seed.derive(&format!("meg/judge/{at}"));
        let mut randomness = Randomness::new(seed.stream("meg/fakes"));
        let mut draw =
            |rows: usize| fakes(MemberView::new(&material.layout, weights), rows, &mut randomness);
        let known = split.rows.len().min(JUDGE_ROWS);
        let (shown, asked) = (draw(known), draw(split.held.len()));
        let mut judge = critic.trainer(material, seed)?;
        let size = material.batch.min(known);
        let mut real = Batches::new(split.rows[..known].to_vec(), size, seed);
        let mut false_rows = Batches::new((0..known as u32).collect(), size, seed.derive("fakes"));
        for _ in 0..JUDGE_STEPS {
            let real = rows_of(material, real.next());
            let picked = false_rows.next();
            let of = |column: &Vec<u16>| picked.iter().map(|&row| column[row as usize]).collect();
            let fake: Vec<Vec<u16>> = shown.iter().map(of).collect();
            let batch = joined(&labelled(&real, 1), &labelled(&fake, 0));
            let weights = vec![1.0; batch[0].len()];
            judge.step_on(&batch, &weights, material.recipe.learning_rate, number)?;
        }
        let high = judge.log_odds(&labelled(&held, 1))?;
        let area = area(&high, &judge.log_odds(&labelled(&asked, 0))?);
        mean.detection += (area - 0.5).abs() / JUDGEMENTS as f64;
        mean.pairs += distance_of_pairs(material, &held, &asked) / JUDGEMENTS as f64;
    }
    Ok(mean)
}

/// The chance that a row of the first kind has the larger score; ties count half.
fn area(high: &[f32], low: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> = high.iter().map(|&score| (score, true)).collect();
    all.extend(low.iter().map(|&score| (score, false)));
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won) = (0.0, 0.0);
    for tie in all.chunk_by(|a, b| a.0 == b.0) {
        let highs = tie.iter().filter(|(_, high)| *high).count() as f64;
        let lows = tie.len() as f64 - highs;
        won += highs * (below + 0.5 * lows);
        below += lows;
    }
    won / (high.len() as f64 * low.len() as f64)
}

/// Mean total variation of all pairs of columns, codes in groups of about equal count in the
/// held-out rows.
fn distance_of_pairs(material: &Material<'_>, held: &[Vec<u16>], drawn: &[Vec<u16>]) -> f64 {
    let coarse: Vec<(Vec<u16>, Vec<u16>, usize)> = held
        .iter()
        .zip(drawn)
        .zip(&material.layout.codes)
        .map(|((held, drawn), &codes)| {
            let (groups, count) = dependence::groups(held, codes);
            let of = |cells: &[u16]| cells.iter().map(|&code| groups[usize::from(code)]).collect();
            (of(held), of(drawn), count)
        })
        .collect();
    let (mut sum, mut pairs) = (0.0, 0.0f64);
    for (at, a) in coarse.iter().enumerate() {
        for b in &coarse[..at] {
            let mut counts = vec![0i64; a.2 * b.2];
            let cell = |a: u16, b: u16, width: usize| usize::from(a) * width + usize::from(b);
            a.0.iter().zip(&b.0).for_each(|(&x, &y)| counts[cell(x, y, b.2)] += 1);
            a.1.iter().zip(&b.1).for_each(|(&x, &y)| counts[cell(x, y, b.2)] -= 1);
            let off: i64 = counts.iter().map(|count| count.abs()).sum();
            sum += off as f64 / (2.0 * a.0.len() as f64);
            pairs += 1.0;
        }
    }
    sum / pairs.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Meg;
    use meg_core::{FitContext, Silent, conformance};

    /// A discriminator that judges other rows than those that are drawn teaches nothing.
    #[test]
    fn the_rows_that_are_judged_are_the_rows_that_are_sampled() {
        let table = conformance::mixed_table(300, 2);
        let recipe = Meg { max_steps: 20, folds: 1, hidden: 8, ..Meg::default() };
        let mut silent = Silent;
        let mut ctx = FitContext::new(Seed(1), &mut silent);
        let model = crate::train::fit(&recipe, &table, &mut ctx).unwrap();
        let member = &model.members[0];
        let randomness = || Randomness::new(Seed(5).stream("test"));
        let judged =
            fakes(MemberView::new(&member.layout, &member.weights), 500, &mut randomness());
        let free = vec![None; judged.len()];
        let mut randomness = randomness();
        let mut dice = Dice { randomness: &mut randomness, even: false };
        let sampled: Vec<Vec<u16>> = draw_codes(&model.ensemble(), &free, 500, &mut dice)
            .into_iter()
            .map(|column| column.codes)
            .collect();
        assert!(judged == sampled && judged.iter().any(|column| column[0] != column[1]));
    }

    #[test]
    fn the_area_is_the_chance_to_rank_two_rows_rightly() {
        assert_eq!(area(&[3.0, 4.0], &[1.0, 2.0]), 1.0);
        assert_eq!(area(&[1.0, 2.0], &[1.0, 2.0]), 0.5);
        assert_eq!(area(&[1.0, 3.0], &[2.0, 0.0]), 0.75);
        assert_eq!(area(&[0.0], &[0.0, 0.0]), 0.5);
    }
}
