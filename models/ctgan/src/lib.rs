#![doc = include_str!("../README.md")]

mod batch;
#[doc(hidden)]
pub mod bench_support;
mod conditions;
mod fitted;
mod fused;
mod network;
mod plain;
mod state;
mod train;

#[cfg(test)]
mod agreement;

use meg_core::{FitContext, Fitted, ModelEntry, Result, Synthesizer, Table, Variant, out_of_range};
use transforms::{EncoderOptions, TableEncoder};

/// CTGAN in the list of models.
pub const ENTRY: ModelEntry =
    ModelEntry::new::<Ctgan>("ctgan", "Xu et al. 2019, NeurIPS 32, arXiv 1907.00503", fitted::load)
        .variants(&[
            Variant {
                name: "ctgan",
                about: "the paper's settings, and at least 3000 updates whatever the table's size",
                settings: "min_updates = 3000",
            },
            Variant {
                name: "ctgan-paper",
                about: "the paper's settings: 300 epochs, which are few updates on a small table",
                settings: "",
            },
        ])
        .with_checkpoints();

meg_core::recipe! {
    /// The conditional tabular GAN. Defaults are the paper's settings.
    pub struct Ctgan {
        /// Passes over the training rows; one pass is rows / batch_size updates, at least 1.
        pub epochs: u64 = 300,
        /// Least number of updates, whatever the epochs say; 0 leaves it to the epochs.
        pub min_updates: u64 = 0,
        /// Rows per update; a multiple of pac.
        pub batch_size: usize = 500,
        /// Rows that the discriminator sees together (PacGAN).
        pub pac: usize = 10,
        /// Length of the noise vector.
        pub embedding_dim: usize = 128,
        /// Units of each residual layer of the generator.
        pub generator_dim: Vec<usize> = vec![256, 256],
        /// Units of each hidden layer of the discriminator.
        pub discriminator_dim: Vec<usize> = vec![256, 256],
        /// Learning rate of the generator.
        pub generator_lr: f64 = 2e-4,
        /// Weight decay of the generator, added to the gradient.
        pub generator_decay: f64 = 1e-6,
        /// Learning rate of the discriminator.
        pub discriminator_lr: f64 = 2e-4,
        /// Weight decay of the discriminator, added to the gradient (the library: 1e-6).
        pub discriminator_decay: f64 = 0.0,
        /// Discriminator updates per generator update.
        pub discriminator_steps: usize = 1,
        /// Weight of the gradient penalty.
        pub gradient_penalty: f64 = 10.0,
        /// Temperature of the Gumbel softmax.
        pub temperature: f64 = 0.2,
        /// Share of discriminator units that dropout silences.
        pub dropout: f64 = 0.5,
        /// Conditions of the training batches follow the logarithm of the level counts; false: the counts.
        pub log_frequency: bool = true,
        /// Components of the mixture of a number column, at most.
        pub max_modes: usize = 10,
        /// Sampled numbers are rounded to the decimals of their column.
        pub round: bool = true,
        /// Sampled numbers are cut at the smallest and largest training value.
        pub clip: bool = true,
    }
}

/// Units of a layer, at most: beyond it lies a slip of the keyboard, not a network.
const MOST_UNITS: usize = 16_384;

impl Synthesizer for Ctgan {
    fn check(&self) -> Result<()> {
        let sized = |key: &str, value: usize, most: usize| {
            let rule = format!("in 1..={most}");
            if (1..=most).contains(&value) { Ok(()) } else { Err(out_of_range(key, value, &rule)) }
        };
        sized("batch_size", self.batch_size, 1_000_000)?;
        sized("pac", self.pac, 1_000_000)?;
        sized("embedding_dim", self.embedding_dim, MOST_UNITS)?;
        sized("discriminator_steps", self.discriminator_steps, 1_000)?;
        sized("max_modes", self.max_modes, 1_000)?;
        if !self.batch_size.is_multiple_of(self.pac) {
            let rule = format!("a multiple of pac ({})", self.pac);
            return Err(out_of_range("batch_size", self.batch_size, &rule));
        }
        if self.epochs == 0 && self.min_updates == 0 {
            return Err(out_of_range("epochs", 0, "at least 1, or min_updates above 0"));
        }
        for (key, layers) in
            [("generator_dim", &self.generator_dim), ("discriminator_dim", &self.discriminator_dim)]
        {
            let fits = |units: &usize| (1..=MOST_UNITS).contains(units);
            if layers.is_empty() || layers.len() > 100 || !layers.iter().all(fits) {
                let rule = format!("a list of 1 to 100 layers of 1 to {MOST_UNITS} units");
                return Err(out_of_range(key, format!("{layers:?}"), &rule));
            }
        }
        for (key, value) in
            [("generator_lr", self.generator_lr), ("discriminator_lr", self.discriminator_lr)]
        {
            if !(value > 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "above 0"));
            }
        }
        for (key, value) in [
            ("generator_decay", self.generator_decay),
            ("discriminator_decay", self.discriminator_decay),
            ("gradient_penalty", self.gradient_penalty),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "at least 0"));
            }
        }
        // Logits are divided by it in single precision, where 1e-50 is 0.
        if !(1e-3..=1e3).contains(&self.temperature) {
            return Err(out_of_range("temperature", self.temperature, "from 0.001 to 1000"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(out_of_range("dropout", self.dropout, "in [0, 1)"));
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        // A device that does not answer is an error before the long encoding, not after.
        neural::tensor_device(ctx.device)?;
        let options = EncoderOptions {
            modes: self.max_modes,
            round: self.round,
            clip: self.clip,
            ..EncoderOptions::default()
        };
        let encoder = TableEncoder::fit(train, &options, ctx.seed, ctx.threads, ctx.observer)?;
        let encoded = encoder.encode(train, ctx.seed, ctx.threads)?;
        train::fit(self, encoder, &encoded, ctx)
    }
}
