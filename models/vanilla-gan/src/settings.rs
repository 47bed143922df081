use crate::codec::Codec;
use crate::train;
use meg_core::{FitContext, Fitted, Result, Synthesizer, Table, out_of_range};
use serde::{Deserialize, Serialize};

/// What the networks see of the code of a level or bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The power transform of Yeo and Johnson to mean 0 and deviation 1 (the source).
    Power,
    /// The normal quantile of its rank; rows that share a code are spread over its share.
    Ranks,
}

/// Where the bins of a number column are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinEdges {
    /// Bins of one width (the source).
    Width,
    /// Bins of about equally many rows.
    Quantile,
}

meg_core::recipe! {
    /// The vanilla GAN of tables. Defaults are the published settings.
    pub struct VanillaGan {
        /// Updates of the generator, one batch each; the discriminator has two in each.
        pub steps: u64 = 5001,
        /// Rows per update.
        pub batch_size: usize = 32,
        /// Length of the noise vector.
        pub noise_dim: usize = 32,
        /// Units of the generator's first hidden layer; the second has twice as many, the third four
        /// times, and the discriminator the same in reverse.
        pub layers_dim: usize = 128,
        /// Share of the discriminator's first two hidden layers that is silenced.
        pub dropout: f64 = 0.1,
        /// Learning rate.
        pub learning_rate: f64 = 5e-4,
        /// Decay of the optimiser's first moment.
        pub beta1: f64 = 0.5,
        /// Decay of the optimiser's second moment.
        pub beta2: f64 = 0.999,
        /// Added to the root of the optimiser's second moment.
        pub epsilon: f64 = 1e-7,
        /// Share of the past in a moving average of the generator's weights, of which rows are drawn;
        /// 0: they are drawn of the last weights.
        pub average: f64 = 0.0,
        /// Both networks share one optimiser, which counts the updates of both; false: each counts
        /// its own.
        pub shared_optimiser: bool = true,
        /// Every update sees the same first rows, which is what the source's code does by mistake.
        pub same_rows: bool = false,
        /// What the networks see of a code: its "power" transform, or its "ranks".
        pub encoding: Encoding = Encoding::Power,
        /// Bins of a number column, at most.
        pub bins: usize = 20,
        /// Where they are cut: at equal "width", or at "quantile"s.
        pub bin_edges: BinEdges = BinEdges::Width,
    }
}

/// Size of a setting that is a length, at most: beyond it lies a slip of the keyboard.
const MOST: usize = 4_096;

impl Synthesizer for VanillaGan {
    fn check(&self) -> Result<()> {
        let sized = |key: &str, value: usize, most: usize| {
            let rule = format!("in 1..={most}");
            if (1..=most).contains(&value) { Ok(()) } else { Err(out_of_range(key, value, &rule)) }
        };
        sized("batch_size", self.batch_size, 1_000_000)?;
        sized("noise_dim", self.noise_dim, MOST)?;
        sized("layers_dim", self.layers_dim, MOST)?;
        sized("bins", self.bins, 1_000_000)?;
        if self.steps == 0 {
            return Err(out_of_range("steps", 0, "at least 1"));
        }
        for (key, value) in [("learning_rate", self.learning_rate), ("epsilon", self.epsilon)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "above 0"));
            }
        }
        for (key, value) in [
            ("dropout", self.dropout),
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("average", self.average),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(out_of_range(key, value, "in [0, 1)"));
            }
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        // A device that does not answer is an error before any work, not after.
        neural::tensor_device(ctx.device)?;
        let codec = Codec::fit(self, train, ctx.seed, ctx.threads)?;
        train::fit(self, codec, train, ctx)
    }
}
