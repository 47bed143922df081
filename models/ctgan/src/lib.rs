#![doc = include_str!("../README.md")]

mod batch;
mod conditions;
mod fitted;
mod fused;
mod network;
mod plain;
mod train;

#[cfg(test)]
mod agreement;

use meg_core::{
    Device, FitContext, Fitted, ModelEntry, Result, Synthesizer, Table, Variant, out_of_range,
};
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
        ]);

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

impl Synthesizer for Ctgan {
    fn check(&self) -> Result<()> {
        let positive = |key: &str, value: usize| {
            if value == 0 { Err(out_of_range(key, value, "at least 1")) } else { Ok(()) }
        };
        positive("batch_size", self.batch_size)?;
        positive("pac", self.pac)?;
        positive("embedding_dim", self.embedding_dim)?;
        positive("discriminator_steps", self.discriminator_steps)?;
        positive("max_modes", self.max_modes)?;
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
            if layers.is_empty() || layers.contains(&0) {
                let rule = "a list of layers of at least 1 unit";
                return Err(out_of_range(key, format!("{layers:?}"), rule));
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
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(out_of_range("temperature", self.temperature, "above 0"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(out_of_range("dropout", self.dropout, "in [0, 1)"));
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        let options = EncoderOptions {
            modes: self.max_modes,
            round: self.round,
            clip: self.clip,
            ..EncoderOptions::default()
        };
        let encoder = TableEncoder::fit(train, &options, ctx.seed, ctx.threads, ctx.observer)?;
        let encoded = encoder.encode(train, ctx.seed, ctx.threads)?;
        if ctx.device != Device::Cpu {
            // A device that does not answer is an error before the first step, not after.
            neural::tensor_device(ctx.device)?;
        }
        train::fit(self, encoder, &encoded, ctx)
    }
}
