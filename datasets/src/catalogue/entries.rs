use super::{Address, Ending, Entry, Format, Label, Packing, Source, SourceFile, Split, columns};
use crate::read::Separator;

const CC_BY: &str = "CC BY 4.0";
const THYROID: &str =
    "R. Quinlan (1986), Thyroid Disease, UCI Machine Learning Repository, doi 10.24432/C5D010";
const SYNTHEA: &str = "J. Walonoski et al. (2018), Synthea: an approach, method, and software mechanism for generating synthetic patients and the synthetic electronic health care record, JAMIA 25(3), 230-238";
const SYNTHEA_LICENCE: &str = "free of restrictions (output of Synthea)";
const OWN: &str = "that of this project";
const BNLEARN: &str = "of the network: CC BY-SA 3.0 (Bayesian Network Repository), to be cited";
const CTGAN: &str = "L. Xu, M. Skoularidou, A. Cuesta-Infante, K. Veeramachaneni (2019), Modeling tabular data using conditional GAN, NeurIPS 32";
const GARAVAN_GROUP: &str = "garavan";
const HYPOTHYROID_GROUP: &str = "hypothyroid";
const PATIENTS_GROUP: &str = "patients";

const GARAVAN: Format = Format {
    missing: &["?"],
    drop: &["TBG measured", "TBG"],
    label: Some(Label { column: "class", ending: Ending::StopBar, groups: &[] }),
    ..Format::commas(columns::GARAVAN)
};

const THYROID_0387: Format = Format {
    missing: &["?"],
    label: Some(Label {
        column: "diagnosis",
        ending: Ending::Bracket,
        groups: &[
            ("A", "A-D"),
            ("AK", "A-D"),
            ("B", "A-D"),
            ("C", "A-D"),
            ("C|I", "I-J"),
            ("D", "A-D"),
            ("D|R", "R"),
            ("E", "E-H"),
            ("F", "E-H"),
            ("FK", "E-H"),
            ("G", "E-H"),
            ("GI", "E-H"),
            ("GK", "E-H"),
            ("GKJ", "E-H"),
            ("H|K", "K"),
            ("I", "I-J"),
            ("J", "I-J"),
            ("K", "K"),
            ("KJ", "K"),
            ("L", "L-N"),
            ("LJ", "L-N"),
            ("M", "L-N"),
            ("MI", "L-N"),
            ("MK", "L-N"),
            ("N", "L-N"),
            ("O", "O-Q"),
            ("OI", "O-Q"),
            ("P", "O-Q"),
            ("Q", "O-Q"),
            ("R", "R"),
            ("S", "S-T"),
        ],
    }),
    ..Format::commas(columns::THYROID_0387)
};

const ADULT: Format = Format {
    separator: Separator::CommaBlank,
    missing: &["?"],
    label: Some(Label { column: "income", ending: Ending::FullStop, groups: &[] }),
    ..Format::commas(columns::ADULT)
};

const INTRUSION: Format = Format {
    drop: &["num_outbound_cmds", "is_host_login"],
    label: Some(Label {
        column: "label",
        ending: Ending::FullStop,
        groups: &[
            ("back", "dos"),
            ("buffer_overflow", "u2r"),
            ("ftp_write", "r2l"),
            ("guess_passwd", "r2l"),
            ("imap", "r2l"),
            ("ipsweep", "probe"),
            ("land", "dos"),
            ("loadmodule", "u2r"),
            ("multihop", "r2l"),
            ("neptune", "dos"),
            ("nmap", "probe"),
            ("perl", "u2r"),
            ("phf", "r2l"),
            ("pod", "dos"),
            ("portsweep", "probe"),
            ("rootkit", "u2r"),
            ("satan", "probe"),
            ("smurf", "dos"),
            ("spy", "r2l"),
            ("teardrop", "dos"),
            ("warezclient", "r2l"),
            ("warezmaster", "r2l"),
        ],
    }),
    gzip: true,
    ..Format::commas(columns::INTRUSION)
};

/// All named tables.
pub const CATALOGUE: &[Entry] = &[
    Entry {
        name: "thyroid",
        about: "The thyroid table for neural networks (ann-thyroid): 3 772 + 3 428 patients, 15 yes/no attributes, 6 numbers scaled to about 0..1, and the class (1, 2: disturbed, 3: normal). Nothing is marked as missing. The conventional column names. Its training patients are those of the Garavan tables.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(GARAVAN_GROUP),
        files: &[
            SourceFile {
                name: "ann-train.data",
                folder: "thyroid",
                bytes: 264_725,
                sha256: "3da53a156bda36cb0c97e9f4b6b111c9226c54c4aa00230de5604b787c47e3a6",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/ann-train.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
            SourceFile {
                name: "ann-test.data",
                folder: "thyroid",
                bytes: 241_196,
                sha256: "c649ea19416e78c7996cfaaa2a9e281cb597d4b075aaa68c494fc3e4ee3aa30b",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/ann-test.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
        ],
        source: Source::Table {
            format: Format { separator: Separator::Blanks, ..Format::commas(columns::ANN_THYROID) },
            schema: include_str!("../../schemas/thyroid.toml"),
        },
        target: Some("class"),
        split: Split::Published,
    },
    Entry {
        name: "thyroid-allbp",
        about: "One of the six Garavan databases, which hold the same 2 800 + 972 patients under different labels; here the label is about binding protein. `?` is missing. The columns TBG and TBG measured are left out (never measured), as is the record number.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(GARAVAN_GROUP),
        files: &[
            SourceFile {
                name: "allbp.data",
                folder: "thyroid",
                bytes: 242_460,
                sha256: "2d2f9f2d956f70e013d673de6d662eae2f2097d100c1bcb5529925c1b9281d46",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allbp.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
            SourceFile {
                name: "allbp.test",
                folder: "thyroid",
                bytes: 84_030,
                sha256: "1b9ede405d8d85cc7e03d0e5301bb43128747c127c1d2b361f6ded7029f5b2af",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allbp.test",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
        ],
        source: Source::Table {
            format: GARAVAN,
            schema: include_str!("../../schemas/thyroid-allbp.toml"),
        },
        target: Some("class"),
        split: Split::Published,
    },
    Entry {
        name: "thyroid-allhyper",
        about: "One of the six Garavan databases, which hold the same 2 800 + 972 patients under different labels; here the label is about hyperthyroid conditions. `?` is missing. The columns TBG and TBG measured are left out (never measured), as is the record number.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(GARAVAN_GROUP),
        files: &[
            SourceFile {
                name: "allhyper.data",
                folder: "thyroid",
                bytes: 240_433,
                sha256: "0f51a31e457233ce24b38a8ee4f47089a240e76af547eaa8595461be98e36f75",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allhyper.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
            SourceFile {
                name: "allhyper.test",
                folder: "thyroid",
                bytes: 83_585,
                sha256: "6a4812e382d013c3ebf6e06e21e84686aa78f1391cad4c75867c9bbcaf5d573b",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allhyper.test",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
        ],
        source: Source::Table {
            format: GARAVAN,
            schema: include_str!("../../schemas/thyroid-allhyper.toml"),
        },
        target: Some("class"),
        split: Split::Published,
    },
    Entry {
        name: "thyroid-allhypo",
        about: "One of the six Garavan databases, which hold the same 2 800 + 972 patients under different labels; here the label is about hypothyroid conditions. `?` is missing. The columns TBG and TBG measured are left out (never measured), as is the record number.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(GARAVAN_GROUP),
        files: &[
            SourceFile {
                name: "allhypo.data",
                folder: "thyroid",
                bytes: 243_239,
                sha256: "273bfa43c6ad226204cb42d17365143723786db447b074abb71a23a632c1ff53",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allhypo.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
            SourceFile {
                name: "allhypo.test",
                folder: "thyroid",
                bytes: 84_461,
                sha256: "4dc8a3964d76944ad84e7c242c7155684a3d603576245f2ed64e2c6d072d9422",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allhypo.test",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
        ],
        source: Source::Table {
            format: GARAVAN,
            schema: include_str!("../../schemas/thyroid-allhypo.toml"),
        },
        target: Some("class"),
        split: Split::Published,
    },
    Entry {
        name: "thyroid-allrep",
        about: "One of the six Garavan databases, which hold the same 2 800 + 972 patients under different labels; here the label is about replacement therapy. `?` is missing. The columns TBG and TBG measured are left out (never measured), as is the record number.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(GARAVAN_GROUP),
        files: &[
            SourceFile {
                name: "allrep.data",
                folder: "thyroid",
                bytes: 240_959,
                sha256: "d923796f741412790174cd23b6912ad9ed346c24d497f276e515944a581d648f",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allrep.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
            SourceFile {
                name: "allrep.test",
                folder: "thyroid",
                bytes: 83_832,
                sha256: "3a0757d0270c320d9866ad2a4f30096214bde7a17a5fdd7a7433d2dc8a331b4e",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/allrep.test",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
        ],
        source: Source::Table {
            format: GARAVAN,
            schema: include_str!("../../schemas/thyroid-allrep.toml"),
        },
        target: Some("class"),
        split: Split::Published,
    },
    Entry {
        name: "thyroid-dis",
        about: "One of the six Garavan databases, which hold the same 2 800 + 972 patients under different labels; here the label is about discordant results. `?` is missing. The columns TBG and TBG measured are left out (never measured), as is the record number.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(GARAVAN_GROUP),
        files: &[
            SourceFile {
                name: "dis.data",
                folder: "thyroid",
                bytes: 240_289,
                sha256: "a3bd9146673142d1f0cf0322b2a9d4a933015b99e7194512a98e24c1c8ac56c4",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/dis.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
            SourceFile {
                name: "dis.test",
                folder: "thyroid",
                bytes: 83_546,
                sha256: "e6a1151e2a4c5f5b59cbd2d5932f488e9f28968e426956982a398319427fd383",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/dis.test",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
        ],
        source: Source::Table {
            format: GARAVAN,
            schema: include_str!("../../schemas/thyroid-dis.toml"),
        },
        target: Some("class"),
        split: Split::Published,
    },
    Entry {
        name: "thyroid-sick",
        about: "One of the six Garavan databases, which hold the same 2 800 + 972 patients under different labels; here the label is about non-thyroidal illness. `?` is missing. The columns TBG and TBG measured are left out (never measured), as is the record number.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(GARAVAN_GROUP),
        files: &[
            SourceFile {
                name: "sick.data",
                folder: "thyroid",
                bytes: 239_515,
                sha256: "81d4e8ae85233d453afc3ac721cfc5af8d83c0e8cd39d70aa9923089022f2c02",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/sick.data",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
            SourceFile {
                name: "sick.test",
                folder: "thyroid",
                bytes: 83_280,
                sha256: "e618b0a41f6df17ff297c8fbf7d15e8d97b37397d26e784e708ebb2297613018",
                skip_lines: 0,
                addresses: &[
                    Address {
                        url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/sick.test",
                        packing: Packing::Plain,
                    },
                    Address {
                        url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                        packing: Packing::Zip,
                    },
                ],
            },
        ],
        source: Source::Table {
            format: GARAVAN,
            schema: include_str!("../../schemas/thyroid-sick.toml"),
        },
        target: Some("class"),
        split: Split::Published,
    },
    Entry {
        name: "thyroid-hypothyroid",
        about: "3 163 patients with the label hypothyroid; `?` is missing, the class is the first column. The same rows, in another order, as thyroid-sick-euthyroid. The archive warns that zeros in TSH, T3 and FTI may be corrupted.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(HYPOTHYROID_GROUP),
        files: &[SourceFile {
            name: "hypothyroid.data",
            folder: "thyroid",
            bytes: 219_022,
            sha256: "ffba466e9844cf7d6d8fde1f89209c6ab1d583c865abb449bb6ab8c70875f4c4",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/hypothyroid.data",
                    packing: Packing::Plain,
                },
                Address {
                    url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                    packing: Packing::Zip,
                },
            ],
        }],
        source: Source::Table {
            format: Format { missing: &["?"], ..Format::commas(columns::HYPOTHYROID) },
            schema: include_str!("../../schemas/thyroid-hypothyroid.toml"),
        },
        target: Some("class"),
        split: Split::Stratified { holdout: 0.3 },
    },
    Entry {
        name: "thyroid-sick-euthyroid",
        about: "3 163 patients with the label sick-euthyroid; `?` is missing, the class is the first column. The same rows, in another order, as thyroid-hypothyroid. The archive warns that zeros in TSH, T3 and FTI may be corrupted.",
        licence: CC_BY,
        citation: THYROID,
        group: Some(HYPOTHYROID_GROUP),
        files: &[SourceFile {
            name: "sick-euthyroid.data",
            folder: "thyroid",
            bytes: 220_327,
            sha256: "6b93c0a10c6a1760d47864eb9f4592750cbfac389d9a64b9feec17f2690374c4",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/sick-euthyroid.data",
                    packing: Packing::Plain,
                },
                Address {
                    url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                    packing: Packing::Zip,
                },
            ],
        }],
        source: Source::Table {
            format: Format { missing: &["?"], ..Format::commas(columns::HYPOTHYROID) },
            schema: include_str!("../../schemas/thyroid-sick-euthyroid.toml"),
        },
        target: Some("class"),
        split: Split::Stratified { holdout: 0.3 },
    },
    Entry {
        name: "thyroid-0387",
        about: "9 172 patients of 1984 to 1987. `?` is missing. The diagnosis letters are grouped by the first one (A-D hyperthyroid, E-H hypothyroid, I-J binding protein, K other illness, L-N replacement, O-Q antithyroid treatment, R discordant, S-T other, - none; of X|Y, more likely Y, by Y). The record number is left out. Some ages are out of range (455, 65511 to 65526) and are kept. Numbers that show the noise of 32-bit floats (8.099999) are rounded (8.1).",
        licence: CC_BY,
        citation: THYROID,
        group: None,
        files: &[SourceFile {
            name: "thyroid0387.data",
            folder: "thyroid",
            bytes: 772_576,
            sha256: "4a20d104d4607afd7b1a477af5aa4381a2027f36cc7027f44bc2bd5a50c6724d",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/thyroid0387.data",
                    packing: Packing::Plain,
                },
                Address {
                    url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                    packing: Packing::Zip,
                },
            ],
        }],
        source: Source::Table {
            format: THYROID_0387,
            schema: include_str!("../../schemas/thyroid-0387.toml"),
        },
        target: Some("diagnosis"),
        split: Split::Stratified { holdout: 0.3 },
    },
    Entry {
        name: "thyroid-new",
        about: "215 patients with five laboratory values and the class (1 normal, 2 hyperthyroid, 3 hypothyroid), which is the first column. So few rows call for several seeds.",
        licence: CC_BY,
        citation: THYROID,
        group: None,
        files: &[SourceFile {
            name: "new-thyroid.data",
            folder: "thyroid",
            bytes: 4_844,
            sha256: "0760039b928ecba5170f377b8fd96caaf55ed26f9861511c52f81395a9d8227a",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/new-thyroid.data",
                    packing: Packing::Plain,
                },
                Address {
                    url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                    packing: Packing::Zip,
                },
            ],
        }],
        source: Source::Table {
            format: Format::commas(columns::NEW_THYROID),
            schema: include_str!("../../schemas/thyroid-new.toml"),
        },
        target: Some("class"),
        split: Split::Stratified { holdout: 0.3 },
    },
    Entry {
        name: "patients",
        about: "1 171 synthetic patients of Massachusetts (Synthea, April 2020), the 11 columns that published comparisons use: MARITAL (the target, missing for 380), RACE, ETHNICITY, GENDER, BIRTHPLACE, CITY, STATE (constant), COUNTY, ZIP (with its leading zero, missing for 543) and two amounts of money. Identifiers, names, dates and coordinates are left out.",
        licence: SYNTHEA_LICENCE,
        citation: SYNTHEA,
        group: Some(PATIENTS_GROUP),
        files: &[SourceFile {
            name: "patients.csv",
            folder: "patients",
            bytes: 332_570,
            sha256: "97b3d9b8a86b44e4278713c1993443c4fdf1e3836c41019de5556f5740611812",
            skip_lines: 0,
            addresses: &[Address {
                url: "https://synthetichealth.github.io/synthea-sample-data/downloads/synthea_sample_data_csv_apr2020.zip",
                packing: Packing::Zip,
            }],
        }],
        source: Source::Table {
            format: Format {
                drop: &[
                    "Id",
                    "BIRTHDATE",
                    "DEATHDATE",
                    "SSN",
                    "DRIVERS",
                    "PASSPORT",
                    "PREFIX",
                    "FIRST",
                    "LAST",
                    "SUFFIX",
                    "MAIDEN",
                    "ADDRESS",
                    "LAT",
                    "LON",
                ],
                ..Format::commas(&[])
            },
            schema: include_str!("../../schemas/patients.toml"),
        },
        target: Some("MARITAL"),
        split: Split::Stratified { holdout: 0.2 },
    },
    Entry {
        name: "patients-full",
        about: "The same 1 171 synthetic patients as `patients` with all 25 columns: identifiers and names (never to be reproduced: a test for leaks), dates of birth and death (missing: alive), coordinates.",
        licence: SYNTHEA_LICENCE,
        citation: SYNTHEA,
        group: Some(PATIENTS_GROUP),
        files: &[SourceFile {
            name: "patients.csv",
            folder: "patients",
            bytes: 332_570,
            sha256: "97b3d9b8a86b44e4278713c1993443c4fdf1e3836c41019de5556f5740611812",
            skip_lines: 0,
            addresses: &[Address {
                url: "https://synthetichealth.github.io/synthea-sample-data/downloads/synthea_sample_data_csv_apr2020.zip",
                packing: Packing::Zip,
            }],
        }],
        source: Source::Table {
            format: Format::commas(&[]),
            schema: include_str!("../../schemas/patients-full.toml"),
        },
        target: Some("MARITAL"),
        split: Split::Stratified { holdout: 0.2 },
    },
    Entry {
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
        source: Source::Table { format: ADULT, schema: include_str!("../../schemas/adult.toml") },
        target: Some("income"),
        split: Split::Published,
    },
    Entry {
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
            format: INTRUSION,
            schema: include_str!("../../schemas/intrusion.toml"),
        },
        target: Some("label"),
        split: Split::Stratified { holdout: 0.2 },
    },
    Entry {
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
        split: Split::Stratified { holdout: 0.2 },
    },
    Entry {
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
        split: Split::Stratified { holdout: 0.2 },
    },
    Entry {
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
        split: Split::Stratified { holdout: 0.2 },
    },
    Entry {
        name: "grid",
        about: "Made here from the seed: 25 normal modes at {-4, -2, 0, 2, 4} x {-4, -2, 0, 2, 4}, of variance 0.05; 20 000 points, equally many of each mode, shuffled and halved.",
        licence: OWN,
        citation: CTGAN,
        group: None,
        files: &[],
        source: Source::Mixture,
        target: None,
        split: Split::Halves,
    },
    Entry {
        name: "gridr",
        about: "Made here from the seed: 25 normal modes at {-4, -2, 0, 2, 4} x {-4, -2, 0, 2, 4}, each moved by up to 0.5 in each direction (by the seed), of variance 0.05; 20 000 points, equally many of each mode, shuffled and halved.",
        licence: OWN,
        citation: CTGAN,
        group: None,
        files: &[],
        source: Source::Mixture,
        target: None,
        split: Split::Halves,
    },
    Entry {
        name: "ring",
        about: "Made here from the seed: 8 normal modes on the unit circle, 45 degrees apart, of variance 0.05; 20 000 points, equally many of each mode, shuffled and halved.",
        licence: OWN,
        citation: CTGAN,
        group: None,
        files: &[],
        source: Source::Mixture,
        target: None,
        split: Split::Halves,
    },
    Entry {
        name: "asia",
        about: "Made here from the seed: 20 000 rows of the Bayesian network asia (8 yes/no variables, 8 arcs, 18 parameters), halved. The network is built in.",
        licence: OWN,
        citation: "S. Lauritzen, D. Spiegelhalter (1988), Local computations with probabilities on graphical structures, JRSS B 50(2), 157-224",
        group: None,
        files: &[],
        source: Source::Network,
        target: None,
        split: Split::Halves,
    },
    Entry {
        name: "alarm",
        about: "Made here from the seed: 20 000 rows of the Bayesian network alarm (37 categories, 46 arcs, 509 parameters), halved. The network is read from its .bif file.",
        licence: BNLEARN,
        citation: "I. Beinlich, H. Suermondt, R. Chavez, G. Cooper (1989), The ALARM monitoring system, AIME 89, 247-256",
        group: None,
        files: &[SourceFile {
            name: "alarm.bif",
            folder: "bayesnets",
            bytes: 13_376,
            sha256: "701e6c561f71b55669070c29614f0724b761289aa2c4a35bcc97b638ee881fa2",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://www.bnlearn.com/bnrepository/alarm/alarm.bif.gz",
                    packing: Packing::Gzip,
                },
                Address {
                    url: "https://raw.githubusercontent.com/pgmpy/pgmpy/HEAD/pgmpy/utils/example_models/alarm.bif.gz",
                    packing: Packing::Gzip,
                },
            ],
        }],
        source: Source::Network,
        target: None,
        split: Split::Halves,
    },
    Entry {
        name: "child",
        about: "Made here from the seed: 20 000 rows of the Bayesian network child (20 categories, 25 arcs, 230 parameters), halved. The network is read from its .bif file.",
        licence: BNLEARN,
        citation: "D. Spiegelhalter, R. Cowell (1992), Learning in probabilistic expert systems, Bayesian Statistics 4, 447-466",
        group: None,
        files: &[SourceFile {
            name: "child.bif",
            folder: "bayesnets",
            bytes: 5_863,
            sha256: "432c22e661cd0e8235c8d95599ac22ccc261002459f5c4e6e7235b057908fe6e",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://www.bnlearn.com/bnrepository/child/child.bif.gz",
                    packing: Packing::Gzip,
                },
                Address {
                    url: "https://raw.githubusercontent.com/pgmpy/pgmpy/HEAD/pgmpy/utils/example_models/child.bif.gz",
                    packing: Packing::Gzip,
                },
            ],
        }],
        source: Source::Network,
        target: None,
        split: Split::Halves,
    },
    Entry {
        name: "insurance",
        about: "Made here from the seed: 20 000 rows of the Bayesian network insurance (27 categories, 52 arcs, 1 008 parameters), halved. The network is read from its .bif file.",
        licence: BNLEARN,
        citation: "J. Binder, D. Koller, S. Russell, K. Kanazawa (1997), Adaptive probabilistic networks with hidden variables, Machine Learning 29, 213-244",
        group: None,
        files: &[SourceFile {
            name: "insurance.bif",
            folder: "bayesnets",
            bytes: 22_719,
            sha256: "39f9e706e9208e720a55a98b6811188b33a7292335a53373a9343a0c7065dab4",
            skip_lines: 0,
            addresses: &[
                Address {
                    url: "https://www.bnlearn.com/bnrepository/insurance/insurance.bif.gz",
                    packing: Packing::Gzip,
                },
                Address {
                    url: "https://raw.githubusercontent.com/pgmpy/pgmpy/HEAD/pgmpy/utils/example_models/insurance.bif.gz",
                    packing: Packing::Gzip,
                },
            ],
        }],
        source: Source::Network,
        target: None,
        split: Split::Halves,
    },
    Entry {
        name: "clinic",
        about: "Made here from the seed: 10 000 patients of an invented clinic, halved; numbers, categories, an ordered category, a date, missing cells and a target from a law that is known exactly.",
        licence: OWN,
        citation: "This project.",
        group: None,
        files: &[],
        source: Source::Clinic,
        target: Some("readmitted"),
        split: Split::Halves,
    },
];
