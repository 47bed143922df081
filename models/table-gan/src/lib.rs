#![doc = include_str!("../README.md")]

mod batch;
mod classes;
mod codec;
mod fitted;
mod losses;
mod network;
mod plan;
mod settings;
mod train;
mod trainer;

#[cfg(test)]
mod agreement;

pub use settings::{Architecture, Classification, Information, Noise, TableGan};

use meg_core::{ModelEntry, Variant};

/// table-GAN in the list of models.
pub const ENTRY: ModelEntry = ModelEntry::new::<TableGan>(
    "table-gan",
    "Park et al. 2018, PVLDB 11(10), arXiv 1806.03384",
    fitted::load,
)
.variants(&[
    Variant {
        name: "table-gan",
        about: "the paper's networks and losses, its low privacy (both deltas 0), and at least \
                3000 updates whatever the table's size",
        settings: "min_updates = 3000",
    },
    Variant {
        name: "table-gan-a",
        about: "the authors' code: conditional on the label, two generator updates per \
                discriminator update, variances and L1 in the information loss",
        settings: "architecture = \"authors\"\nconditional = true\npadding = \"repeat\"\n\
                   generator_steps = 2\ninformation = \"variance\"\nclassification_weight = 0.5",
    },
    Variant {
        name: "table-gan-b",
        about: "the version behind the rows of the CTGAN paper: moments of raw cells in the \
                information loss, 300 epochs of batches of 500",
        settings: "epochs = 300\nbatch_size = 500\nnoise = \"normal\"\nbeta2 = 0.9\n\
                   epsilon = 1e-3\nweight_decay = 1e-5\nlog_floor = 1e-4\ninformation = \"cells\"\n\
                   classification = \"cross_entropy\"\nbinary_targets_only = true\n\
                   separate_class_step = true\nrange_margin = 1e-3",
    },
])
.with_checkpoints();
