//! The named tables: what each is, where its files are, how they read, how it is split.

mod columns;
mod entries;
mod format;
mod patients;
mod public;
mod simulated;
mod thyroid;

pub use entries::CATALOGUE;
pub(crate) use format::gunzip;
pub use format::{Ending, Format, Label};

/// One named table.
#[derive(Debug)]
pub struct Entry {
    /// Name, as after `--datasets`.
    pub name: &'static str,
    /// What it is, in one or a few sentences.
    pub about: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// How to cite it.
    pub citation: &'static str,
    /// Tables with the same group share rows and must not be counted as independent.
    pub group: Option<&'static str>,
    /// Its files; none for a table that is made here. Of two, the second is the holdout part.
    pub files: &'static [SourceFile],
    /// Where its rows come from.
    pub source: Source,
    /// Name of the column that a predictive model would predict.
    pub target: Option<&'static str>,
    /// How its rows are divided.
    pub split: Split,
}

/// Where the rows of an [`Entry`] come from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// From its files.
    Table {
        /// How the files read.
        format: Format,
        /// The columns that are kept, as the text of a `schema.toml`.
        schema: &'static str,
    },
    /// Drawn from the [`Mixture`](crate::Mixture) of this name.
    Mixture,
    /// Drawn from the [`Network`](crate::Network) of this name: that of its file, or the built-in
    /// one.
    Network,
    /// Drawn by [`clinic`](crate::clinic).
    Clinic,
}

/// A file that an [`Entry`] reads.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile {
    /// File name, the original one.
    pub name: &'static str,
    /// Folder it may lie in, inside a data folder.
    pub folder: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: &'static str,
    /// Lines at the top that are no part of the table.
    pub skip_lines: usize,
    /// Where it can be fetched, best first.
    pub addresses: &'static [Address],
}

/// Where a file can be fetched.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    /// The canonical address.
    pub url: &'static str,
    /// How the file lies there.
    pub packing: Packing,
}

/// How a file lies at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Plain,
    /// Inside a gzip stream.
    Gzip,
    /// A member of a ZIP archive: the first whose path ends with the file's name.
    Zip,
}

/// How the rows of a table are divided into training and holdout rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// As published: the first file trains, the second is held out.
    Published,
    /// A share of each class is held out, drawn from the seed; equal rows stay on one side.
    Stratified {
        /// Share of the rows that is held out.
        holdout: f64,
    },
    /// The first half trains, the second is held out.
    Halves,
}

impl Entry {
    /// The entry of this name.
    pub fn find(name: &str) -> Option<&'static Entry> {
        CATALOGUE.iter().find(|entry| entry.name == name)
    }
}

#[cfg(test)]
mod tests {
    //! The layouts on invented lines; the tables themselves are no part of the project.

    use super::*;
    use crate::read::to_table;
    use flate2::{Compression, write::GzEncoder};
    use meg_core::{Schema, Table};
    use std::io::Write;

    /// Reads text as the file `part` of an entry.
    fn read(name: &str, part: usize, text: &str) -> Table {
        let entry = Entry::find(name).unwrap();
        let Source::Table { format, schema } = &entry.source else { panic!("{name} has no file") };
        let mut bytes = text.as_bytes().to_vec();
        if format.gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        let raw = format.parse("sample", &bytes, entry.files[part].skip_lines).unwrap();
        to_table(&raw, &Schema::from_toml(schema).unwrap()).unwrap()
    }

    /// The cells of a row that are asked for, by column name.
    fn cells(table: &Table, row: usize, names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|name| table.text(row, table.schema().find(name).unwrap())).collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|&text| (!text.is_empty()).then(|| text.to_owned())).collect()
    }

    #[test]
    fn blanks_separate_the_neural_network_table() {
        let line = "0.5 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0.001 0.02 0.1 0.09 0.11 3  \n";
        let table = read("thyroid", 0, line);
        assert_eq!(table.columns().len(), 22);
        let found = cells(&table, 0, &["age", "on_thyroxine", "TSH", "class"]);
        assert_eq!(found, some(&["0.5000", "1", "0.00100", "3"]));
    }

    #[test]
    fn the_garavan_label_ends_before_the_record_number() {
        let flags = "f,".repeat(14);
        let line = format!("?,F,{flags}t,1.3,f,?,t,125,t,1.14,t,109,f,?,SVI,sick.|17\n");
        let found = cells(&read("thyroid-sick", 1, &line), 0, &["age", "T3", "FTI", "class"]);
        assert_eq!(found, some(&["", "", "109.0", "sick"]));
    }

    #[test]
    fn the_class_may_come_first() {
        let flags = "f,".repeat(11);
        let line = format!("hypothyroid,50,?,{flags}y,30,n,?,y,15,y,1.48,y,10,n,?\n");
        let found = cells(&read("thyroid-hypothyroid", 0, &line), 0, &["class", "sex", "T4U"]);
        assert_eq!(found, some(&["hypothyroid", "", "1.48"]));
        let table = read("thyroid-new", 0, "2,110,10.5,2.0,1.5,2.5\n");
        assert_eq!(cells(&table, 0, &["class", "basal TSH"]), some(&["2", "1.5"]));
    }

    #[test]
    fn diagnoses_are_grouped() {
        let flags = "f,".repeat(14);
        let line = |diagnosis: &str| {
            format!("50,M,{flags}t,0.3,t,8.099999,f,?,f,?,f,?,f,?,other,{diagnosis}[123]\n")
        };
        let text = ["GK", "C|I", "-"].map(line).concat();
        let table = read("thyroid-0387", 0, &text);
        assert_eq!(cells(&table, 0, &["diagnosis", "T3"]), some(&["E-H", "8.10"]));
        assert_eq!(cells(&table, 1, &["diagnosis"]), some(&["I-J"]));
        assert_eq!(cells(&table, 2, &["diagnosis"]), some(&["-"]));
    }

    #[test]
    fn the_second_census_file_has_a_comment_and_full_stops() {
        let row =
            "30, ?, 100, HS-grad, 9, Divorced, Sales, Wife, White, Male, 0, 0, 40, Cuba, >50K";
        let second = format!("|a comment\n{row}.\n\n");
        let names = ["age", "workclass", "native-country", "income"];
        let expected = some(&["30", "", "Cuba", ">50K"]);
        assert_eq!(cells(&read("adult", 1, &second), 0, &names), expected);
        assert_eq!(cells(&read("adult", 0, &format!("{row}\n\n")), 0, &names), expected);
    }

    #[test]
    fn attacks_are_grouped_and_constant_columns_left_out() {
        let row =
            |label| format!("0,tcp,http,SF{}{},{label}.\n", ",0".repeat(20), ",0.00".repeat(17));
        let table = read("intrusion", 0, &(row("normal") + &row("nmap")));
        assert_eq!(table.columns().len(), 40);
        assert_eq!(cells(&table, 0, &["label"]), some(&["normal"]));
        assert_eq!(cells(&table, 1, &["service", "label"]), some(&["http", "probe"]));
    }

    #[test]
    fn patients_keep_leading_zeros_and_lose_identifiers() {
        let header = "Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,PASSPORT,PREFIX,FIRST,LAST,SUFFIX,MAIDEN,MARITAL,RACE,ETHNICITY,GENDER,BIRTHPLACE,ADDRESS,CITY,STATE,COUNTY,ZIP,LAT,LON,HEALTHCARE_EXPENSES,HEALTHCARE_COVERAGE";
        let row = "k,1950-01-02,,s,,,Mr.,A,B,,,,white,hispanic,M,Boston  Massachusetts  US,1 Way,Boston,Massachusetts,Suffolk County,01013,42.123456789012,-71.5,10.07,1334.8799999999999";
        let text = format!("{header}\n{row}\n");
        let names = ["MARITAL", "ZIP", "HEALTHCARE_COVERAGE"];
        let table = read("patients", 0, &text);
        assert_eq!(table.columns().len(), 11);
        assert_eq!(cells(&table, 0, &names), some(&["", "01013", "1334.88"]));
        let full = cells(&read("patients-full", 0, &text), 0, &["SSN", "BIRTHDATE", "LAT"]);
        assert_eq!(full, some(&["s", "1950-01-02", "42.123456789012"]));
    }

    #[test]
    fn plain_tables() {
        let car = read("car", 0, "vhigh,low,5more,more,big,high,vgood\n");
        assert_eq!(cells(&car, 0, &["doors", "class"]), some(&["5more", "vgood"]));
        let nursery =
            "usual,proper,foster,more,critical,inconv,nonprob,priority,very_recom\n\n".to_owned();
        assert_eq!(cells(&read("nursery", 0, &nursery), 0, &["class"]), some(&["very_recom"]));
        let magic = read("magic", 0, "28.5,16.1,2.6,0.4,0.2,-27.7,22.0,-8.25,40.1,81.9,h\n");
        assert_eq!(cells(&magic, 0, &["fM3Trans", "class"]), some(&["-8.2500", "h"]));
    }
}
