//! The patients of the Synthea sample, with the columns of published comparisons and with all.

use super::{Address, Entry, Format, Packing, Source, SourceFile, Split};

const FILES: &[SourceFile] = &[SourceFile {
    name: "patients.csv",
    folder: "patients",
    bytes: 332_570,
    sha256: "97b3d9b8a86b44e4278713c1993443c4fdf1e3836c41019de5556f5740611812",
    skip_lines: 0,
    addresses: &[Address {
        url: "https://synthetichealth.github.io/synthea-sample-data/downloads/synthea_sample_data_csv_apr2020.zip",
        packing: Packing::Zip,
    }],
}];

/// Columns that published comparisons leave out.
#[rustfmt::skip]
const LEFT_OUT: &[&str] = &[
    "Id", "BIRTHDATE", "DEATHDATE", "SSN", "DRIVERS", "PASSPORT", "PREFIX", "FIRST", "LAST",
    "SUFFIX", "MAIDEN", "ADDRESS", "LAT", "LON",
];

/// The columns of published comparisons.
pub(super) const PATIENTS: Entry = entry(
    "patients",
    "1 171 synthetic patients of Massachusetts (Synthea, April 2020), the 11 columns that published comparisons use: MARITAL (the target, missing for 380), RACE, ETHNICITY, GENDER, BIRTHPLACE, CITY, STATE (constant), COUNTY, ZIP (with its leading zero, missing for 543) and two amounts of money. Identifiers, names, dates and coordinates are left out.",
    LEFT_OUT,
    include_str!("../../schemas/patients.toml"),
);

/// All columns.
pub(super) const PATIENTS_FULL: Entry = entry(
    "patients-full",
    "The same 1 171 synthetic patients as `patients` with all 25 columns: identifiers and names (never to be reproduced: a test for leaks), dates of birth and death (missing: alive), coordinates.",
    &[],
    include_str!("../../schemas/patients-full.toml"),
);

const fn entry(
    name: &'static str,
    about: &'static str,
    drop: &'static [&'static str],
    schema: &'static str,
) -> Entry {
    Entry {
        name,
        about,
        licence: "free of restrictions (output of Synthea)",
        citation: "J. Walonoski et al. (2018), Synthea: an approach, method, and software mechanism for generating synthetic patients and the synthetic electronic health care record, JAMIA 25(3), 230-238",
        group: Some("patients"),
        files: FILES,
        source: Source::Table { format: Format { drop, ..Format::commas(&[]) }, schema },
        target: Some("MARITAL"),
        split: Split::Stratified { holdout: 0.2 },
    }
}
