//! Public tables besides the thyroid ones: census, intrusion, three small ones of UCI.

use super::{Address, Ending, Entry, Format, Label, Packing, Source, SourceFile, Split, columns};
use crate::read::Separator;

const CC_BY: &str = "CC BY 4.0";
const FIFTH: Split = Split::Stratified { holdout: 0.2 };

/// Census income.
pub(super) const ADULT: Entry = Entry {
    name: "adult",
    about: "Census income: 32 561 + 16 281 people, 14 columns and whether income is above 50 000 dollars. `?` is missing. fnlwgt is a sampling weight, capital-gain 99999 a cap, education and education-num say the same.",
    licence: CC_BY,
    citation: "B. Becker, R. Kohavi (1996), Adult, UCI Machine Learning Repository, doi 10.24432/C5XW20",
    group: None,
    files: &[
        SourceFile {
            name: "adult.data",
            folder: "adult",
            bytes: 3_974_305,
            sha256: "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.data",
                    packing: Packing::Plain,
                },
                Address {
                    url: "https://archive.ics.uci.edu/static/public/2/adult.zip",
                    packing: Packing::Zip,
                },
            ],
        },
        SourceFile {
            name: "adult.test",
            folder: "adult",
            bytes: 2_003_153,
            sha256: "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
            skip_lines: 1,
            addresses: &[
                Address {
                    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.test",
                    packing: Packing::Plain,
                },
                Address {
                    url: "https://archive.ics.uci.edu/static/public/2/adult.zip",
                    packing: Packing::Zip,
                },
            ],
        },
    ],
    source: Source::Table {
        format: Format {
            separator: Separator::CommaBlank,
            missing: &["?"],
            label: Some(Label { column: "income", ending: Ending::FullStop, groups: &[] }),
            ..Format::commas(columns::ADULT)
        },
        schema: include_str!("../../schemas/adult.toml"),
    },
    target: Some("income"),
    split: Split::Published,
};

/// The groups of the attacks, as in the CTGAN paper.
#[rustfmt::skip]
const ATTACKS: &[(&str, &str)] = &[
    ("back", "dos"), ("land", "dos"), ("neptune", "dos"), ("pod", "dos"), ("smurf", "dos"),
    ("teardrop", "dos"),
    ("ipsweep", "probe"), ("nmap", "probe"), ("portsweep", "probe"), ("satan", "probe"),
    ("ftp_write", "r2l"), ("guess_passwd", "r2l"), ("imap", "r2l"), ("multihop", "r2l"),
    ("phf", "r2l"), ("spy", "r2l"), ("warezclient", "r2l"), ("warezmaster", "r2l"),
    ("buffer_overflow", "u2r"), ("loadmodule", "u2r"), ("perl", "u2r"), ("rootkit", "u2r"),
];

/// Network connections.
pub(super) const INTRUSION: Entry = Entry {
    name: "intrusion",
    about: "KDD Cup 1999, the 10 percent file: 494 021 network connections, the 23 labels grouped as in the CTGAN paper (normal, dos, probe, r2l, u2r), the two constant columns num_outbound_cmds and is_host_login left out. 348 435 rows repeat another one; equal rows stay on one side of the split. The published test file holds other attacks and is not used.",
    licence: CC_BY,
    citation: "S. Stolfo, W. Fan, W. Lee, A. Prodromidis, P. Chan (1999), KDD Cup 1999 Data, UCI Machine Learning Repository, doi 10.24432/C51C7N",
    group: None,
    files: &[SourceFile {
        name: "kddcup.data_10_percent.gz",
        folder: "kddcup99-10pct",
        bytes: 2_144_903,
        sha256: "8045aca0d84e70e622d1148d7df782496f6333bf6eb979a1b0837c42a9fd9561",
        skip_lines: 0,
        addresses: &[
            Address {
                url: "http://kdd.ics.uci.edu/databases/kddcup99/kddcup.data_10_percent.gz",
                packing: Packing::Plain,
            },
            Address {
                url: "https://ndownloader.figshare.com/files/5976042",
                packing: Packing::Plain,
            },
        ],
    }],
    source: Source::Table {
        format: Format {
            drop: &["num_outbound_cmds", "is_host_login"],
            label: Some(Label { column: "label", ending: Ending::FullStop, groups: ATTACKS }),
            gzip: true,
            ..Format::commas(columns::INTRUSION)
        },
        schema: include_str!("../../schemas/intrusion.toml"),
    },
    target: Some("label"),
    split: FIFTH,
};

/// Car.
pub(super) const CAR: Entry = Entry {
    name: "car",
    about: "1 728 cars, every combination of six categories, with an evaluation made by rules.",
    licence: CC_BY,
    citation: "M. Bohanec (1988), Car Evaluation, UCI Machine Learning Repository, doi 10.24432/C5JP48",
    group: None,
    files: &[SourceFile {
        name: "car.data",
        folder: "car",
        bytes: 51_867,
        sha256: "b703a9ac69f11e64ce8c223c0a40de4d2e9d769f7fb20be5f8f2e8a619893d83",
        skip_lines: 0,
        addresses: &[Address {
            url: "https://archive.ics.uci.edu/ml/machine-learning-databases/car/car.data",
            packing: Packing::Plain,
        }],
    }],
    source: Source::Table {
        format: Format::commas(columns::CAR),
        schema: include_str!("../../schemas/car.toml"),
    },
    target: Some("class"),
    split: FIFTH,
};

/// Nursery.
pub(super) const NURSERY: Entry = Entry {
    name: "nursery",
    about: "12 960 applications to nursery schools, every combination of eight categories, with a recommendation made by rules; the class recommend has two rows only.",
    licence: CC_BY,
    citation: "V. Rajkovic (1989), Nursery, UCI Machine Learning Repository, doi 10.24432/C5P88W",
    group: None,
    files: &[SourceFile {
        name: "nursery.data",
        folder: "nursery",
        bytes: 1_059_371,
        sha256: "8e0389c3dd37590248a921c2726d869ee96b817761a35eb8416afa24f31f931d",
        skip_lines: 0,
        addresses: &[Address {
            url: "https://archive.ics.uci.edu/ml/machine-learning-databases/nursery/nursery.data",
            packing: Packing::Plain,
        }],
    }],
    source: Source::Table {
        format: Format::commas(columns::NURSERY),
        schema: include_str!("../../schemas/nursery.toml"),
    },
    target: Some("class"),
    split: FIFTH,
};

/// Magic.
pub(super) const MAGIC: Entry = Entry {
    name: "magic",
    about: "MAGIC gamma telescope: 19 020 simulated air showers, ten numbers and the class (g gamma, h hadron).",
    licence: CC_BY,
    citation: "R. Bock (2004), MAGIC Gamma Telescope, UCI Machine Learning Repository, doi 10.24432/C52C8B",
    group: None,
    files: &[SourceFile {
        name: "magic04.data",
        folder: "magic",
        bytes: 1_477_391,
        sha256: "e9314b7ebd4b4b59a3b3d65f7316663963777b16a46786877651dbbaa640b36a",
        skip_lines: 0,
        addresses: &[Address {
            url: "https://archive.ics.uci.edu/ml/machine-learning-databases/magic/magic04.data",
            packing: Packing::Plain,
        }],
    }],
    source: Source::Table {
        format: Format::commas(columns::MAGIC),
        schema: include_str!("../../schemas/magic.toml"),
    },
    target: Some("class"),
    split: FIFTH,
};
