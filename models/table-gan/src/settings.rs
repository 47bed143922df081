use crate::codec::Codec;
use crate::train;
use meg_core::{FitContext, Fitted, Result, Synthesizer, Table, out_of_range};
use serde::{Deserialize, Serialize};
use transforms::Padding;

/// Which networks are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// DCGAN's: kernels of 4, as many stages as halve the matrix down to a side of 3 or less, at
    /// most three.
    Dcgan,
    /// The authors' code: kernels of 5, three stages up and two down.
    Authors,
}

/// The law of the noise vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// Uniform in [-1, 1].
    Uniform,
    /// Standard normal.
    Normal,
}

/// What the information loss compares between real and generated rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Information {
    /// Euclidean distances of moving means and standard deviations of the discriminator's last
    /// features (the paper).
    Features,
    /// Sums of absolute distances of their moving means and variances (the authors' code).
    Variance,
    /// Sums of absolute distances of means and standard deviations of the cells of a batch (SDGym).
    Cells,
}

/// How far a label is from its prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// The absolute difference (the paper).
    Absolute,
    /// The cross entropy (SDGym).
    CrossEntropy,
}

meg_core::recipe! {
    /// The convolutional GAN of tables. Defaults are the paper's settings.
    pub struct TableGan {
        /// Passes over the training rows; the last batch of a pass may be smaller than the others.
        pub epochs: u64 = 100,
        /// Least number of updates, whatever the epochs say; 0 leaves it to the epochs.
        pub min_updates: u64 = 0,
        /// Rows per update, at least 2.
        pub batch_size: usize = 64,
        /// Length of the noise vector.
        pub noise_dim: usize = 100,
        /// Its law: "uniform" in [-1, 1], or "normal".
        pub noise: Noise = Noise::Uniform,
        /// The networks: "dcgan", or "authors" as in the authors' code.
        pub architecture: Architecture = Architecture::Dcgan,
        /// Channels of the first stage; each further stage has twice as many.
        pub channels: usize = 64,
        /// What fills the rest of the square matrix: "zero", or "repeat" the record.
        pub padding: Padding = Padding::Zero,
        /// All networks are told the class of the target (of a number: whether it is above its mean).
        pub conditional: bool = false,
        /// Learning rate.
        pub learning_rate: f64 = 2e-4,
        /// Decay of the optimiser's first moment.
        pub beta1: f64 = 0.5,
        /// Decay of the optimiser's second moment.
        pub beta2: f64 = 0.999,
        /// Added to the root of the optimiser's second moment.
        pub epsilon: f64 = 1e-8,
        /// Weight decay, added to the gradient.
        pub weight_decay: f64 = 0.0,
        /// Generator updates per discriminator update.
        pub generator_steps: usize = 1,
        /// Added to probabilities within the logarithms of the original loss.
        pub log_floor: f64 = 0.0,
        /// What the information loss compares: "features", "variance" or "cells".
        pub information: Information = Information::Features,
        /// Weight of the information loss; 0 leaves it out.
        pub information_weight: f64 = 1.0,
        /// Share of the past in the moving moments of the features.
        pub average: f64 = 0.99,
        /// Distance of the means that costs nothing: more is more private, and less like the rows.
        pub delta_mean: f64 = 0.0,
        /// The same for the standard deviations.
        pub delta_sd: f64 = 0.0,
        /// How far a label is from its prediction: "absolute", or "cross_entropy".
        pub classification: Classification = Classification::Absolute,
        /// Weight of the classification loss; 0 leaves the classifier out.
        pub classification_weight: f64 = 1.0,
        /// Only a target of two levels has a classifier; false: any target.
        pub binary_targets_only: bool = false,
        /// The classification loss has an update of the generator of its own.
        pub separate_class_step: bool = false,
        /// Both ends of a column's range are moved out by so much before it is scaled.
        pub range_margin: f64 = 0.0,
        /// Sampled numbers become the nearest training value, which copies real values.
        pub snap: bool = false,
    }
}

/// Size of a setting that is a length, at most: beyond it lies a slip of the keyboard.
const MOST: usize = 4_096;

impl Synthesizer for TableGan {
    fn check(&self) -> Result<()> {
        let sized = |key: &str, value: usize, least: usize, most: usize| {
            let rule = format!("in {least}..={most}");
            let fits = (least..=most).contains(&value);
            if fits { Ok(()) } else { Err(out_of_range(key, value, &rule)) }
        };
        // One row alone has no spread.
        sized("batch_size", self.batch_size, 2, 1_000_000)?;
        sized("noise_dim", self.noise_dim, 1, MOST)?;
        sized("channels", self.channels, 1, 512)?;
        sized("generator_steps", self.generator_steps, 1, 1_000)?;
        if self.epochs == 0 && self.min_updates == 0 {
            return Err(out_of_range("epochs", 0, "at least 1, or min_updates above 0"));
        }
        for (key, value) in [("learning_rate", self.learning_rate), ("epsilon", self.epsilon)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "above 0"));
            }
        }
        for (key, value) in
            [("beta1", self.beta1), ("beta2", self.beta2), ("average", self.average)]
        {
            if !(0.0..1.0).contains(&value) {
                return Err(out_of_range(key, value, "in [0, 1)"));
            }
        }
        for (key, value) in [
            ("weight_decay", self.weight_decay),
            ("log_floor", self.log_floor),
            ("information_weight", self.information_weight),
            ("delta_mean", self.delta_mean),
            ("delta_sd", self.delta_sd),
            ("classification_weight", self.classification_weight),
            ("range_margin", self.range_margin),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "at least 0"));
            }
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        // A device that does not answer is an error before any work, not after.
        neural::tensor_device(ctx.device)?;
        let codec = Codec::fit(train, self.range_margin, self.snap)?;
        train::fit(self, codec, train, ctx)
    }
}
