//! The two ways of the same steps: written-out gradients on the processor, candle elsewhere and
//! where the plain way is asked for.

use crate::codec::{Codes, Targets};
use crate::ensemble::MemberView;
use crate::network::{Layout, Weights};
use crate::plain::PlainTrainer;
use crate::trainer::{Optimiser, Trainer};
use meg_core::{Device, Kernels, Result, Seed, TrainingState};
use std::sync::Arc;

/// How steps are computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub device: Device,
    pub kernels: Kernels,
    /// Threads of the written-out way; candle has its own.
    pub threads: usize,
}

/// A member, or a discriminator, in training.
#[derive(Debug)]
pub(crate) enum Learner {
    Fused(Box<Trainer>),
    Plain(Box<PlainTrainer>),
}

impl Learner {
    /// Begins with these weights; `batch` is the number of rows of a step.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn new(
        way: Way,
        layout: &Arc<Layout>,
        targets: &Arc<[Targets]>,
        optimiser: Optimiser,
        weights: Weights,
        seed: Seed,
        batch: usize,
    ) -> Result<Self> {
        let (layout, targets) = (Arc::clone(layout), Arc::clone(targets));
        Ok(match (way.device, way.kernels) {
            (Device::Cpu, Kernels::Fused) => Self::Fused(Box::new(Trainer::new(
                layout,
                targets,
                optimiser,
                weights,
                seed,
                batch,
                way.threads,
            ))),
            (device, _) => Self::Plain(Box::new(PlainTrainer::new(
                layout, targets, optimiser, weights, seed, device,
            )?)),
        })
    }

    /// One step on these rows; the mean loss of the rows in nats, summed over the columns.
    /// `number` counts the updates of the whole fit.
    ///
    /// # Errors
    /// When a gradient is not finite, in which case no weight has changed, or those of the device.
    pub(crate) fn step(
        &mut self,
        codes: &Codes,
        rows: &[u32],
        rate: f64,
        number: u64,
    ) -> Result<f64> {
        match self {
            Self::Fused(one) => one.step(codes, rows, rate).map_err(|wrong| wrong.at(number)),
            Self::Plain(one) => one.step(codes, rows, rate, number),
        }
    }

    /// One step on rows given as codes by place, each of which counts as its weight says, which may
    /// be negative; the mean of the weighted losses.
    ///
    /// # Errors
    /// As for [`Learner::step`].
    pub(crate) fn step_on(
        &mut self,
        batch: &[Vec<u16>],
        weights: &[f32],
        rate: f64,
        number: u64,
    ) -> Result<f64> {
        match self {
            Self::Fused(one) => one.step_on(batch, weights, rate).map_err(|wrong| wrong.at(number)),
            Self::Plain(one) => one.step_on(batch, weights, rate, number),
        }
    }

    /// For one network of two codes: how much likelier it takes code 1 for each row, in nats.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn log_odds(&mut self, batch: &[Vec<u16>]) -> Result<Vec<f32>> {
        match self {
            Self::Fused(one) => Ok(one.log_odds(batch)),
            Self::Plain(one) => one.log_odds(batch),
        }
    }

    /// Looks at the weights as they are now.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn with_view<T>(&self, look: impl FnOnce(MemberView<'_>) -> T) -> Result<T> {
        match self {
            Self::Fused(one) => Ok(look(one.view())),
            Self::Plain(one) => Ok(look(MemberView::new(one.layout(), &one.current()?))),
        }
    }

    /// The running averages of all weights.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn averages(&self) -> Result<Weights> {
        match self {
            Self::Fused(one) => Ok(one.averages()),
            Self::Plain(one) => one.averages(),
        }
    }

    /// Overwrites these weights with the running averages.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn copy_averages(&self, weights: &mut Weights) -> Result<()> {
        match self {
            Self::Fused(one) => one.copy_averages(weights),
            Self::Plain(one) => *weights = one.averages()?,
        }
        Ok(())
    }

    /// Goes on from these weights; what Adam remembers stays.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn go_back(&mut self, weights: &Weights) -> Result<()> {
        match self {
            Self::Fused(one) => {
                one.go_back(weights);
                Ok(())
            }
            Self::Plain(one) => one.go_back(weights),
        }
    }

    /// The mean negative log-likelihood of these rows under the running averages, in nats.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn score(&mut self, codes: &Codes, rows: &[u32]) -> Result<f64> {
        Ok(self.scores(codes, rows)?.into_iter().sum())
    }

    /// The parts of [`Learner::score`] by place.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn scores(&mut self, codes: &Codes, rows: &[u32]) -> Result<Vec<f64>> {
        match self {
            Self::Fused(one) => Ok(one.scores(codes, rows)),
            Self::Plain(one) => one.scores(codes, rows),
        }
    }

    /// A sentence about the first weight, gradient, moment or average that is not finite.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        match self {
            Self::Fused(one) => Ok(one.not_finite()),
            Self::Plain(one) => one.not_finite(),
        }
    }

    /// Writes all that decides the steps to come.
    ///
    /// # Errors
    /// When a part cannot be written or read back.
    pub(crate) fn save(&self, prefix: &str, state: &mut TrainingState) -> Result<()> {
        match self {
            Self::Fused(one) => one.save(prefix, state),
            Self::Plain(one) => one.save(prefix, state),
        }
    }

    /// Reads what [`Learner::save`] wrote after so many steps.
    ///
    /// # Errors
    /// [`meg_core::Error::Checkpoint`] when a part is missing or does not fit.
    pub(crate) fn restore(
        &mut self,
        prefix: &str,
        state: &TrainingState,
        steps: u64,
    ) -> Result<()> {
        match self {
            Self::Fused(one) => one.restore(prefix, state, steps),
            Self::Plain(one) => one.restore(prefix, state, steps),
        }
    }
}
