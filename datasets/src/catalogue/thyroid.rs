//! The tables of the thyroid archive of UCI.

use super::{Address, Ending, Entry, Format, Label, Packing, Source, SourceFile, Split, columns};
use crate::read::Separator;

const LICENCE: &str = "CC BY 4.0";
const CITATION: &str =
    "R. Quinlan (1986), Thyroid Disease, UCI Machine Learning Repository, doi 10.24432/C5D010";
/// Tables of the same patients.
const GARAVAN_GROUP: Option<&str> = Some("garavan");
/// Tables of the same rows.
const HYPOTHYROID_GROUP: Option<&str> = Some("hypothyroid");

/// A file of the archive: name, bytes, SHA-256.
macro_rules! file {
    ($name:literal, $bytes:literal, $sha256:literal) => {
        SourceFile {
            name: $name,
            folder: "thyroid",
            bytes: $bytes,
            sha256: $sha256,
            skip_lines: 0,
            addresses: &[
                Address {
                    url: concat!(
                        "https://archive.ics.uci.edu/ml/machine-learning-databases/thyroid-disease/",
                        $name
                    ),
                    packing: Packing::Plain,
                },
                Address {
                    url: "https://archive.ics.uci.edu/static/public/102/thyroid+disease.zip",
                    packing: Packing::Zip,
                },
            ],
        }
    };
}

/// An entry: name, description, group, files, format, target, split.
macro_rules! entry {
    ($name:literal, $about:expr, $group:expr, $files:expr, $format:expr, $target:literal, $split:expr) => {
        Entry {
            name: $name,
            about: $about,
            licence: LICENCE,
            citation: CITATION,
            group: $group,
            files: $files,
            source: Source::Table {
                format: $format,
                schema: include_str!(concat!("../../schemas/", $name, ".toml")),
            },
            target: Some($target),
            split: $split,
        }
    };
}

/// One of the six Garavan databases: name, what its label is about, files.
macro_rules! garavan {
    ($name:literal, $what:literal, $train:expr, $holdout:expr) => {
        entry!(
            $name,
            concat!(
                "One of the six Garavan databases, which hold the same 2 800 + 972 patients under different labels; here the label is about ",
                $what,
                ". `?` is missing. The columns TBG and TBG measured are left out (never measured), as is the record number."
            ),
            GARAVAN_GROUP,
            &[$train, $holdout],
            GARAVAN,
            "class",
            Split::Published
        )
    };
}

const GARAVAN: Format = Format {
    missing: &["?"],
    drop: &["TBG measured", "TBG"],
    label: Some(Label { column: "class", ending: Ending::StopBar, groups: &[] }),
    ..Format::commas(columns::GARAVAN)
};

const HYPOTHYROID: Format = Format { missing: &["?"], ..Format::commas(columns::HYPOTHYROID) };

/// The diagnoses that occur, by the group of the first letter; of X|Y, more likely Y, by Y.
#[rustfmt::skip]
const DIAGNOSES: &[(&str, &str)] = &[
    ("A", "A-D"), ("AK", "A-D"), ("B", "A-D"), ("C", "A-D"), ("D", "A-D"),
    ("E", "E-H"), ("F", "E-H"), ("FK", "E-H"), ("G", "E-H"), ("GI", "E-H"), ("GK", "E-H"),
    ("GKJ", "E-H"),
    ("C|I", "I-J"), ("I", "I-J"), ("J", "I-J"),
    ("H|K", "K"), ("K", "K"), ("KJ", "K"),
    ("L", "L-N"), ("LJ", "L-N"), ("M", "L-N"), ("MI", "L-N"), ("MK", "L-N"), ("N", "L-N"),
    ("O", "O-Q"), ("OI", "O-Q"), ("P", "O-Q"), ("Q", "O-Q"),
    ("D|R", "R"), ("R", "R"),
    ("S", "S-T"),
];

/// The table for neural networks.
pub(super) const ANN: Entry = entry!(
    "thyroid",
    "The thyroid table for neural networks (ann-thyroid): 3 772 + 3 428 patients, 15 yes/no attributes, 6 numbers scaled to about 0..1, and the class (1, 2: disturbed, 3: normal). Nothing is marked as missing. The conventional column names. Its training patients are those of the Garavan tables.",
    GARAVAN_GROUP,
    &[
        file!(
            "ann-train.data",
            264_725,
            "3da53a156bda36cb0c97e9f4b6b111c9226c54c4aa00230de5604b787c47e3a6"
        ),
        file!(
            "ann-test.data",
            241_196,
            "c649ea19416e78c7996cfaaa2a9e281cb597d4b075aaa68c494fc3e4ee3aa30b"
        ),
    ],
    Format { separator: Separator::Blanks, ..Format::commas(columns::ANN_THYROID) },
    "class",
    Split::Published
);

/// Label: binding protein.
pub(super) const ALLBP: Entry = garavan!(
    "thyroid-allbp",
    "binding protein",
    file!(
        "allbp.data",
        242_460,
        "2d2f9f2d956f70e013d673de6d662eae2f2097d100c1bcb5529925c1b9281d46"
    ),
    file!("allbp.test", 84_030, "1b9ede405d8d85cc7e03d0e5301bb43128747c127c1d2b361f6ded7029f5b2af")
);
/// Label: hyperthyroid conditions.
pub(super) const ALLHYPER: Entry = garavan!(
    "thyroid-allhyper",
    "hyperthyroid conditions",
    file!(
        "allhyper.data",
        240_433,
        "0f51a31e457233ce24b38a8ee4f47089a240e76af547eaa8595461be98e36f75"
    ),
    file!(
        "allhyper.test",
        83_585,
        "6a4812e382d013c3ebf6e06e21e84686aa78f1391cad4c75867c9bbcaf5d573b"
    )
);
/// Label: hypothyroid conditions.
pub(super) const ALLHYPO: Entry = garavan!(
    "thyroid-allhypo",
    "hypothyroid conditions",
    file!(
        "allhypo.data",
        243_239,
        "273bfa43c6ad226204cb42d17365143723786db447b074abb71a23a632c1ff53"
    ),
    file!(
        "allhypo.test",
        84_461,
        "4dc8a3964d76944ad84e7c242c7155684a3d603576245f2ed64e2c6d072d9422"
    )
);
/// Label: replacement therapy.
pub(super) const ALLREP: Entry = garavan!(
    "thyroid-allrep",
    "replacement therapy",
    file!(
        "allrep.data",
        240_959,
        "d923796f741412790174cd23b6912ad9ed346c24d497f276e515944a581d648f"
    ),
    file!(
        "allrep.test",
        83_832,
        "3a0757d0270c320d9866ad2a4f30096214bde7a17a5fdd7a7433d2dc8a331b4e"
    )
);
/// Label: discordant results.
pub(super) const DIS: Entry = garavan!(
    "thyroid-dis",
    "discordant results",
    file!("dis.data", 240_289, "a3bd9146673142d1f0cf0322b2a9d4a933015b99e7194512a98e24c1c8ac56c4"),
    file!("dis.test", 83_546, "e6a1151e2a4c5f5b59cbd2d5932f488e9f28968e426956982a398319427fd383")
);
/// Label: non-thyroidal illness.
pub(super) const SICK: Entry = garavan!(
    "thyroid-sick",
    "non-thyroidal illness",
    file!("sick.data", 239_515, "81d4e8ae85233d453afc3ac721cfc5af8d83c0e8cd39d70aa9923089022f2c02"),
    file!("sick.test", 83_280, "e618b0a41f6df17ff297c8fbf7d15e8d97b37397d26e784e708ebb2297613018")
);

/// Label: hypothyroid.
pub(super) const HYPO: Entry = entry!(
    "thyroid-hypothyroid",
    "3 163 patients with the label hypothyroid; `?` is missing, the class is the first column. The same rows, in another order, as thyroid-sick-euthyroid. The archive warns that zeros in TSH, T3 and FTI may be corrupted.",
    HYPOTHYROID_GROUP,
    &[file!(
        "hypothyroid.data",
        219_022,
        "ffba466e9844cf7d6d8fde1f89209c6ab1d583c865abb449bb6ab8c70875f4c4"
    )],
    HYPOTHYROID,
    "class",
    Split::Stratified { holdout: 0.3 }
);

/// Label: sick-euthyroid.
pub(super) const SICK_EUTHYROID: Entry = entry!(
    "thyroid-sick-euthyroid",
    "3 163 patients with the label sick-euthyroid; otherwise as thyroid-hypothyroid, which holds the same rows.",
    HYPOTHYROID_GROUP,
    &[file!(
        "sick-euthyroid.data",
        220_327,
        "6b93c0a10c6a1760d47864eb9f4592750cbfac389d9a64b9feec17f2690374c4"
    )],
    HYPOTHYROID,
    "class",
    Split::Stratified { holdout: 0.3 }
);

/// The records of 1984 to 1987.
pub(super) const RECORDS_0387: Entry = entry!(
    "thyroid-0387",
    "9 172 patients of 1984 to 1987. `?` is missing. The diagnosis letters are grouped by the first one (A-D hyperthyroid, E-H hypothyroid, I-J binding protein, K other illness, L-N replacement, O-Q antithyroid treatment, R discordant, S-T other, - none; of X|Y, more likely Y, by Y). The record number is left out. Some ages are out of range (455, 65511 to 65526) and are kept. Numbers that show the noise of 32-bit floats (8.099999) are rounded (8.1).",
    None,
    &[file!(
        "thyroid0387.data",
        772_576,
        "4a20d104d4607afd7b1a477af5aa4381a2027f36cc7027f44bc2bd5a50c6724d"
    )],
    Format {
        missing: &["?"],
        label: Some(Label { column: "diagnosis", ending: Ending::Bracket, groups: DIAGNOSES }),
        ..Format::commas(columns::THYROID_0387)
    },
    "diagnosis",
    Split::Stratified { holdout: 0.3 }
);

/// The five laboratory values.
pub(super) const NEW: Entry = entry!(
    "thyroid-new",
    "215 patients with five laboratory values and the class (1 normal, 2 hyperthyroid, 3 hypothyroid), which is the first column. So few rows call for several seeds.",
    None,
    &[file!(
        "new-thyroid.data",
        4_844,
        "0760039b928ecba5170f377b8fd96caaf55ed26f9861511c52f81395a9d8227a"
    )],
    Format::commas(columns::NEW_THYROID),
    "class",
    Split::Stratified { holdout: 0.3 }
);
