use crate::{
    Entry, Network, Places, Source, Split, clinic, mixture,
    places::hex,
    read::to_table,
    split::{EqualRows, stratified},
};
use meg_core::{Column, Error, Observer, Result, Rng, Schema, Seed, Table};
use rand::seq::index::sample;
use sha2::{Digest, Sha256};

/// Rows of a simulated table of the CTGAN paper, both parts together.
const SIMULATED_ROWS: usize = 20_000;
/// Rows of `clinic`, both parts together.
const CLINIC_ROWS: usize = 10_000;

/// A table, split.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Name of the catalogue, or of the user's own folder or file.
    pub name: String,
    /// Rows for the generator.
    pub train: Table,
    /// Rows that the generator never sees.
    pub holdout: Table,
    /// SHA-256 (hex) over schema and cells of both parts.
    pub hash: String,
    /// SHA-256 (hex) over the row numbers of the two parts, or how the parts are given: `published`,
    /// `halves`, [`folder`](crate::FOLDER_SPLIT).
    pub split: String,
}

impl Entry {
    /// Finds or fetches the files, reads and splits them.
    ///
    /// # Errors
    /// When a file cannot be found, fetched or read.
    pub fn load(
        &self,
        places: &Places,
        seed: Seed,
        observer: &mut dyn Observer,
    ) -> Result<Dataset> {
        match &self.source {
            Source::Table { format, schema } => {
                let schema = Schema::from_toml(schema)?;
                let mut parts = Vec::new();
                for (file, (path, bytes)) in
                    self.files.iter().zip(self.read_files(places, observer)?)
                {
                    let name = path.display().to_string();
                    let raw = format.parse(&name, &bytes, file.skip_lines)?;
                    parts.push(to_table(&raw, &schema)?);
                }
                self.divide(parts, seed)
            }
            Source::Mixture => {
                let unknown = || Error::data(format!("no mixture is named {:?}", self.name));
                let law = mixture(self.name, seed).ok_or_else(unknown)?;
                self.divide(vec![law.sample(SIMULATED_ROWS, &mut self.rows_rng(seed))?], seed)
            }
            Source::Network => {
                let network = self.network(places, observer)?;
                self.divide(vec![network.sample(SIMULATED_ROWS, &mut self.rows_rng(seed))?], seed)
            }
            Source::Clinic => {
                self.divide(vec![clinic(CLINIC_ROWS, &mut self.rows_rng(seed))?], seed)
            }
        }
    }

    /// The network that the rows of the entry are drawn from.
    ///
    /// # Errors
    /// When the entry is of another kind, or its file cannot be found, fetched or read.
    pub fn network(&self, places: &Places, observer: &mut dyn Observer) -> Result<Network> {
        if !matches!(self.source, Source::Network) {
            return Err(Error::Request(format!("{} is not drawn from a network", self.name)));
        }
        match self.read_files(places, observer)?.as_slice() {
            [] => Network::asia(),
            [(path, bytes), ..] => {
                let file = path.display().to_string();
                let text = String::from_utf8_lossy(bytes);
                Network::from_bif(&file, &text)
            }
        }
    }

    fn rows_rng(&self, seed: Seed) -> Rng {
        seed.stream(&format!("{} rows", self.name))
    }

    fn divide(&self, mut parts: Vec<Table>, seed: Seed) -> Result<Dataset> {
        let last = parts.pop().ok_or_else(|| Error::data("the entry has no file"))?;
        let name = self.name.to_owned();
        match (self.split, parts.pop()) {
            (Split::Published, Some(train)) => {
                Ok(Dataset::new(name, train, last, "published".into()))
            }
            (Split::Stratified { holdout }, None) => {
                Ok(Dataset::split(name, &last, holdout, EqualRows::Together, seed))
            }
            (Split::Halves, None) => {
                let half = last.rows() / 2;
                let rows: Vec<usize> = (0..last.rows()).collect();
                let (train, holdout) = rows.split_at(half);
                let (train, holdout) = (last.select_rows(train), last.select_rows(holdout));
                Ok(Dataset::new(name, train, holdout, "halves".into()))
            }
            (Split::Published, None) => {
                Err(Error::data(format!("{name} is split by its files, but has one file only")))
            }
            (_, Some(_)) => Err(Error::data("an entry of two files is split by them")),
        }
    }
}

impl Dataset {
    /// A table of the user's, with a share held out: by the classes of the target column where the
    /// schema names one.
    pub fn split(name: String, table: &Table, holdout: f64, equal: EqualRows, seed: Seed) -> Self {
        let mut rng = seed.stream(&format!("split {name}"));
        let parts = stratified(table, table.schema().target(), holdout, equal, &mut rng);
        let (train, holdout) = (table.select_rows(&parts.train), table.select_rows(&parts.holdout));
        Self::new(name, train, holdout, parts.hash())
    }

    /// Two parts that are given.
    pub fn new(name: String, train: Table, holdout: Table, split: String) -> Self {
        let hash = hash(&[&train, &holdout]);
        Self { name, train, holdout, hash, split }
    }

    /// The same with at most so many training rows, drawn from the seed, in their order.
    #[must_use]
    pub fn with_train_rows(self, rows: usize, seed: Seed) -> Self {
        if self.train.rows() <= rows {
            return self;
        }
        let mut rng = seed.stream(&format!("rows {}", self.name));
        let mut chosen = sample(&mut rng, self.train.rows(), rows).into_vec();
        chosen.sort_unstable();
        let train = self.train.select_rows(&chosen);
        Self::new(self.name, train, self.holdout, self.split)
    }
}

/// SHA-256 (hex) over the schema and the cells of a table.
pub fn table_hash(table: &Table) -> String {
    hash(&[table])
}

/// SHA-256 (hex) over the schema and the cells of tables.
fn hash(tables: &[&Table]) -> String {
    let mut hash = Sha256::new();
    for table in tables {
        hash.update(table.schema().to_toml());
        hash.update((table.rows() as u64).to_le_bytes());
        for column in table.columns() {
            hash_column(&mut hash, column);
        }
    }
    hex(&hash.finalize())
}

fn hash_column(hash: &mut Sha256, column: &Column) {
    match column {
        Column::Numbers(cells) => {
            for &cell in cells {
                // One pattern of bits for all that is missing, one for both zeros.
                let cell = if cell.is_nan() { f64::NAN } else { cell + 0.0 };
                hash.update(cell.to_bits().to_le_bytes());
            }
        }
        Column::Codes(cells) => cells.iter().for_each(|cell| hash.update(cell.to_le_bytes())),
        Column::Texts(cells) => {
            for cell in cells {
                let text = cell.as_deref().unwrap_or_default();
                let length = cell.as_ref().map_or(u64::MAX, |text| text.len() as u64);
                hash.update(length.to_le_bytes());
                hash.update(text);
            }
        }
    }
}
