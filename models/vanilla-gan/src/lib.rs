#![doc = include_str!("../README.md")]

mod batch;
mod codec;
mod fitted;
mod fused;
mod network;
mod plain;
mod ranks;
mod settings;
mod train;

#[cfg(test)]
mod agreement;

pub use settings::{BinEdges, Encoding, VanillaGan};

use meg_core::{ModelEntry, Variant};

/// The vanilla GAN in the list of models.
pub const ENTRY: ModelEntry = ModelEntry::new::<VanillaGan>(
    "vanilla-gan",
    "Goodfellow et al. 2014, arXiv 1406.2661; perceptrons over codes as in ydata-synthetic's GAN",
    fitted::load,
)
.variants(&[
    Variant {
        name: "vanilla-gan",
        about: "the published networks over ranks instead of powers, with finer bins, larger \
                batches and averaged weights",
        settings: "encoding = \"ranks\"\nbin_edges = \"quantile\"\nbins = 100\nsteps = 6000\n\
                   batch_size = 64\nbeta2 = 0.9\naverage = 0.99",
    },
    Variant {
        name: "vanilla-gan-paper",
        about: "as published: codes and 20 bins through a power transform, 5001 batches of 32",
        settings: "",
    },
])
.with_checkpoints();
