//! Tables made here from the seed.

use super::{Address, Entry, Packing, Source, SourceFile, Split};

const CTGAN: &str = "L. Xu, M. Skoularidou, A. Cuesta-Infante, K. Veeramachaneni (2019), Modeling tabular data using conditional GAN, NeurIPS 32";
const OWN: &str = "that of this project";

/// A network that is read from its `.bif` file: name, size, citation, bytes, SHA-256.
macro_rules! network {
    ($name:literal, $size:literal, $citation:literal, $bytes:literal, $sha256:literal) => {
        Entry {
            name: $name,
            about: concat!(
                "Made here from the seed: 20 000 rows of the Bayesian network ",
                $name,
                " (",
                $size,
                "), halved. The network is read from its .bif file."
            ),
            licence: "of the network: CC BY-SA 3.0 (Bayesian Network Repository), to be cited",
            citation: $citation,
            group: None,
            files: &[SourceFile {
                name: concat!($name, ".bif"),
                folder: "bayesnets",
                bytes: $bytes,
                sha256: $sha256,
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: concat!("https://www.bnlearn.com/bnrepository/", $name, "/", $name, ".bif.gz"),
                        packing: Packing::Gzip,
                    },
                    Address {
                        url: concat!(
                            "https://raw.githubusercontent.com/pgmpy/pgmpy/HEAD/pgmpy/utils/example_models/",
                            $name,
                            ".bif.gz"
                        ),
                        packing: Packing::Gzip,
                    },
                ],
            }],
            source: Source::Network,
            target: None,
            split: Split::Halves,
        }
    };
}

/// 25 modes.
pub(super) const GRID: Entry = made(
    "grid",
    "Made here from the seed: 25 normal modes at {-4, -2, 0, 2, 4} x {-4, -2, 0, 2, 4}, of variance 0.05; 20 000 points, equally many of each mode, shuffled and halved.",
    CTGAN,
    Source::Mixture,
);

/// 25 modes, moved.
pub(super) const GRIDR: Entry = made(
    "gridr",
    "As grid, each mode moved by up to 0.5 in each direction (by the seed).",
    CTGAN,
    Source::Mixture,
);

/// Eight modes.
pub(super) const RING: Entry = made(
    "ring",
    "As grid, with 8 modes on the unit circle, 45 degrees apart.",
    CTGAN,
    Source::Mixture,
);

/// The built-in network.
pub(super) const ASIA: Entry = made(
    "asia",
    "Made here from the seed: 20 000 rows of the Bayesian network asia (8 yes/no variables, 8 arcs, 18 parameters), halved. The network is built in.",
    "S. Lauritzen, D. Spiegelhalter (1988), Local computations with probabilities on graphical structures, JRSS B 50(2), 157-224",
    Source::Network,
);

/// Alarm.
pub(super) const ALARM: Entry = network!(
    "alarm",
    "37 categories, 46 arcs, 509 parameters",
    "I. Beinlich, H. Suermondt, R. Chavez, G. Cooper (1989), The ALARM monitoring system, AIME 89, 247-256",
    13_376,
    "701e6c561f71b55669070c29614f0724b761289aa2c4a35bcc97b638ee881fa2"
);

/// Child.
pub(super) const CHILD: Entry = network!(
    "child",
    "20 categories, 25 arcs, 230 parameters",
    "D. Spiegelhalter, R. Cowell (1992), Learning in probabilistic expert systems, Bayesian Statistics 4, 447-466",
    5_863,
    "432c22e661cd0e8235c8d95599ac22ccc261002459f5c4e6e7235b057908fe6e"
);

/// Insurance.
pub(super) const INSURANCE: Entry = network!(
    "insurance",
    "27 categories, 52 arcs, 1 008 parameters",
    "J. Binder, D. Koller, S. Russell, K. Kanazawa (1997), Adaptive probabilistic networks with hidden variables, Machine Learning 29, 213-244",
    22_719,
    "39f9e706e9208e720a55a98b6811188b33a7292335a53373a9343a0c7065dab4"
);

/// An invented clinic.
pub(super) const CLINIC: Entry = Entry {
    target: Some("readmitted"),
    ..made(
        "clinic",
        "Made here from the seed: 10 000 patients of an invented clinic, halved; numbers, categories, an ordered category, a date, missing cells and a target from a law that is known exactly.",
        "This project.",
        Source::Clinic,
    )
};

const fn made(
    name: &'static str,
    about: &'static str,
    citation: &'static str,
    source: Source,
) -> Entry {
    Entry {
        name,
        about,
        licence: OWN,
        citation,
        group: None,
        files: &[],
        source,
        target: None,
        split: Split::Halves,
    }
}
