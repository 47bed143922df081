#![doc = include_str!("../README.md")]

mod batch;
mod fitted;
mod fused;
mod network;
mod plain;
mod train;

use meg_core::{FitContext, Fitted, ModelEntry, Result, Synthesizer, Table, Variant, out_of_range};
use transforms::{EncoderOptions, TableEncoder};

/// TVAE in the list of models.
pub const ENTRY: ModelEntry = ModelEntry::new::<Tvae>(
    "tvae",
    "Xu et al. 2019, NeurIPS 32, arXiv 1907.00503",
    fitted::load,
)
.variants(&[
    Variant {
        name: "tvae",
        about: "the published training; modes and levels are drawn, as the paper's text has it",
        settings: "draw = true",
    },
    Variant {
        name: "tvae-paper",
        about: "as published: the likeliest mode and level, which hides rare ones",
        settings: "",
    },
])
.with_checkpoints();

meg_core::recipe! {
    /// The variational autoencoder of tables. Defaults are the published settings.
    pub struct Tvae {
        /// Passes over the training rows; the last batch of a pass may be smaller than the others.
        pub epochs: u64 = 300,
        /// Least number of updates, whatever the epochs say; 0 leaves it to the epochs.
        pub min_updates: u64 = 0,
        /// Rows per update.
        pub batch_size: usize = 500,
        /// Length of the latent vector.
        pub embedding_dim: usize = 128,
        /// Units of each hidden layer of the encoder.
        pub compress_dims: Vec<usize> = vec![128, 128],
        /// Units of each hidden layer of the decoder.
        pub decompress_dims: Vec<usize> = vec![128, 128],
        /// Learning rate.
        pub learning_rate: f64 = 1e-3,
        /// Weight decay, added to the gradient.
        pub weight_decay: f64 = 1e-5,
        /// Weight of the reconstruction beside the divergence (the paper's text: 1).
        pub loss_factor: f64 = 2.0,
        /// Modes and levels are drawn by their probabilities; false: the likeliest is taken.
        pub draw: bool = false,
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

impl Synthesizer for Tvae {
    fn check(&self) -> Result<()> {
        let sized = |key: &str, value: usize, most: usize| {
            let rule = format!("in 1..={most}");
            if (1..=most).contains(&value) { Ok(()) } else { Err(out_of_range(key, value, &rule)) }
        };
        sized("batch_size", self.batch_size, 1_000_000)?;
        sized("embedding_dim", self.embedding_dim, MOST_UNITS)?;
        sized("max_modes", self.max_modes, 1_000)?;
        if self.epochs == 0 && self.min_updates == 0 {
            return Err(out_of_range("epochs", 0, "at least 1, or min_updates above 0"));
        }
        for (key, layers) in
            [("compress_dims", &self.compress_dims), ("decompress_dims", &self.decompress_dims)]
        {
            let fits = |units: &usize| (1..=MOST_UNITS).contains(units);
            if layers.is_empty() || layers.len() > 100 || !layers.iter().all(fits) {
                let rule = format!("a list of 1 to 100 layers of 1 to {MOST_UNITS} units");
                return Err(out_of_range(key, format!("{layers:?}"), &rule));
            }
        }
        for (key, value) in
            [("learning_rate", self.learning_rate), ("loss_factor", self.loss_factor)]
        {
            if !(value > 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "above 0"));
            }
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(out_of_range("weight_decay", self.weight_decay, "at least 0"));
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

#[cfg(test)]
mod agreement;
