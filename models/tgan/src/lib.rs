#![doc = include_str!("../README.md")]

mod batch;
mod columns;
mod critic;
mod fitted;
mod fused;
mod lane;
mod network;
mod plain;
mod train;

use meg_core::{FitContext, Fitted, ModelEntry, Result, Synthesizer, Table, Variant, out_of_range};

/// TGAN in the list of models.
pub const ENTRY: ModelEntry = ModelEntry::new::<Tgan>(
    "tgan",
    "Xu and Veeramachaneni 2018, arXiv 1811.11264",
    fitted::load,
)
.variants(&[
    Variant {
        name: "tgan",
        about: "the networks of the code's own defaults, and as many steps as five minutes hold on thyroid",
        settings: "epochs = 1\nsteps_per_epoch = 4000\nlstm_dim = 100\nfeature_dim = 100",
    },
    Variant {
        name: "tgan-paper",
        about: "the settings that the author says were used, 5 epochs of 10 000 steps: hours",
        settings: "",
    },
])
.with_checkpoints();

meg_core::recipe! {
    /// The tabular GAN with an LSTM generator. Defaults are the settings that the author says were used.
    pub struct Tgan {
        /// Epochs; they have a fixed number of steps, whatever the table's size.
        pub epochs: u64 = 5,
        /// Steps of an epoch, each one update of the generator and one of the discriminator.
        pub steps_per_epoch: u64 = 10_000,
        /// Rows per step; a smaller table makes smaller batches.
        pub batch_size: usize = 200,
        /// Length of the noise vector.
        pub noise_dim: usize = 200,
        /// Units of the LSTM.
        pub lstm_dim: usize = 400,
        /// Length of the feature vector between the LSTM and an output, and of the next input.
        pub feature_dim: usize = 200,
        /// Units of each hidden layer of the discriminator.
        pub discriminator_dim: Vec<usize> = vec![200, 200],
        /// Kernels of the minibatch discrimination in each of them; 0 leaves it out.
        pub diversity_kernels: usize = 10,
        /// Dimensions of each kernel.
        pub diversity_dim: usize = 10,
        /// Share of discriminator units that dropout silences.
        pub dropout: f64 = 0.5,
        /// Learning rate of both networks.
        pub learning_rate: f64 = 5e-4,
        /// Weight decay of both networks, added to the gradient before it is cut.
        pub weight_decay: f64 = 1e-5,
        /// Cells of gradients are cut at this absolute value.
        pub clip_gradient: f64 = 5.0,
        /// Weight of the divergence between generated and real shares of levels and modes.
        pub divergence_weight: f64 = 1.0,
        /// Weight of real rows in the discriminator's loss, in the place of smoothed labels.
        pub real_weight: f64 = 0.7,
        /// Uniform noise on the units of real levels, below 1.
        pub smoothing: f64 = 0.2,
        /// Components of the mixture of a number column.
        pub components: usize = 5,
        /// Sampled numbers are rounded to the decimals of their column.
        pub round: bool = true,
        /// Sampled numbers are cut at the smallest and largest training value.
        pub clip: bool = true,
    }
}

/// Units of a layer, at most: beyond it lies a slip of the keyboard, not a network.
const MOST_UNITS: usize = 16_384;
/// Rows of a batch, at most: time and memory of minibatch discrimination grow with the square.
const MOST_ROWS: usize = 4_000;

impl Synthesizer for Tgan {
    fn check(&self) -> Result<()> {
        let sized = |key: &str, value: usize, least: usize, most: usize| {
            let rule = format!("in {least}..={most}");
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(out_of_range(key, value, &rule))
            }
        };
        sized("batch_size", self.batch_size, 2, MOST_ROWS)?;
        sized("noise_dim", self.noise_dim, 1, MOST_UNITS)?;
        sized("lstm_dim", self.lstm_dim, 1, MOST_UNITS)?;
        sized("feature_dim", self.feature_dim, 1, MOST_UNITS)?;
        sized("diversity_kernels", self.diversity_kernels, 0, 1_000)?;
        sized("diversity_dim", self.diversity_dim, 1, 1_000)?;
        sized("components", self.components, 1, 1_000)?;
        for (key, value) in [("epochs", self.epochs), ("steps_per_epoch", self.steps_per_epoch)] {
            if value == 0 {
                return Err(out_of_range(key, value, "at least 1"));
            }
        }
        let fits = |units: &usize| (1..=MOST_UNITS).contains(units);
        let layers = &self.discriminator_dim;
        if layers.is_empty() || layers.len() > 100 || !layers.iter().all(fits) {
            let rule = format!("a list of 1 to 100 layers of 1 to {MOST_UNITS} units");
            return Err(out_of_range("discriminator_dim", format!("{layers:?}"), &rule));
        }
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("clip_gradient", self.clip_gradient),
            ("real_weight", self.real_weight),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "above 0"));
            }
        }
        for (key, value) in
            [("weight_decay", self.weight_decay), ("divergence_weight", self.divergence_weight)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "at least 0"));
            }
        }
        for (key, value) in [("dropout", self.dropout), ("smoothing", self.smoothing)] {
            if !(0.0..1.0).contains(&value) {
                return Err(out_of_range(key, value, "in [0, 1)"));
            }
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        // A device that does not answer is an error before the mixtures, not after.
        neural::tensor_device(ctx.device)?;
        let columns = columns::Columns::fit(self, train, ctx)?;
        let encoded = columns.encode(train, ctx.threads)?;
        train::fit(self, columns, &encoded, ctx)
    }
}

#[cfg(test)]
mod agreement;
