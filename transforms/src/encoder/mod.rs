mod column;
mod decode;
mod draw;
mod encoded;

pub use decode::DecodedRows;
pub use encoded::Encoded;

use crate::column::check_alike;
use column::{Block, encode_column, fit_column};
use meg_core::{
    ColumnKind, Condition, ConditionValue, DataError, Error, Event, Observer, Phase, Result,
    Schema, Seed, Table, parallel,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How tables are encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderOptions {
    /// Components of the mixture of a number column, at most.
    pub modes: usize,
    /// Components with a weight of at most this are left out.
    pub weight_threshold: f64,
    /// Decoded numbers are rounded to the decimals of their column. When off, the decoded schema
    /// leaves the decimals open.
    pub round: bool,
    /// Decoded numbers are cut at the smallest and largest training value.
    pub clip: bool,
    /// A category with more observed levels is refused.
    pub max_levels: usize,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self { modes: 10, weight_threshold: 0.005, round: true, clip: true, max_levels: 5_000 }
    }
}

/// What a generator's output layer does over a span of the encoded row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// One value in `[-1, 1]`.
    Tanh,
    /// Probabilities of the span's units.
    Softmax,
}

/// Neighbouring units of the encoded row that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Column of the table.
    pub column: usize,
    /// First unit.
    pub start: usize,
    /// Number of units.
    pub width: usize,
    /// What the units are.
    pub activation: Activation,
}

/// Turns tables into rows of units and back: `[place, modes…]` for a number (a mode for missing
/// cells, the null indicator, comes last), one unit per observed level for a category (missing
/// last). Constant columns take no unit; identifiers are never encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEncoder {
    #[serde(with = "shared_schema")]
    schema: Arc<Schema>,
    blocks: Vec<Block>,
    spans: Vec<Span>,
    width: usize,
    clip: bool,
}

/// A category column as a generator's conditions see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategorySlot {
    /// Column of the table.
    pub column: usize,
    /// Position among the units of `Encoded::hot` of one row.
    pub slot: usize,
    /// First unit.
    pub start: usize,
    /// Number of levels, missing included.
    pub width: usize,
}

impl TableEncoder {
    /// Learns the encoding of every column. Columns are spread over `threads`; the result does not
    /// depend on it.
    ///
    /// # Errors
    /// A data error for free text, for a category with too many levels and for a table without
    /// rows; an interruption when the observer asks for it.
    pub fn fit(
        table: &Table,
        options: &EncoderOptions,
        seed: Seed,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        table.schema().check_modelable()?;
        if table.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        let columns = table.schema().columns.len();
        observer.event(&Event::Start { phase: Phase::Encode, total: Some(columns as u64) });
        let mut encoder = Self {
            schema: decoded_schema(table, options),
            blocks: Vec::with_capacity(columns),
            spans: Vec::new(),
            width: 0,
            clip: options.clip,
        };
        let fit = |at: usize| {
            let mut rng = seed.stream(&format!("encoder/{at}"));
            fit_column(&table.schema().columns[at], &table.columns()[at], options, &mut rng)
        };
        parallel::map_in_order(threads, columns, fit, |block| {
            encoder.push(encoder.blocks.len(), block?);
            let done = encoder.blocks.len() as u64;
            observer.step(Phase::Encode, done, &[("units", encoder.width as f64)]).map(|_| ())
        })?;
        observer.event(&Event::End { phase: Phase::Encode });
        Ok(encoder)
    }

    /// Refuses conditions on numbers that no decoded row can meet: beyond the observed range where
    /// numbers are cut at it, and other than the number of a constant column.
    ///
    /// # Errors
    /// [`Error::Rejected`] that names column and range.
    pub fn check_conditions(&self, conditions: &[Condition]) -> Result<()> {
        for condition in conditions {
            let ConditionValue::Number(asked) = condition.value else { continue };
            let (least, most) = match self.blocks.get(condition.column) {
                Some(Block::ConstantNumber { number: Some(number) }) => (*number, *number),
                Some(Block::Number { modes, least, most, .. }) if self.clip || modes.is_none() => {
                    (*least, *most)
                }
                _ => continue,
            };
            if asked < least || asked > most {
                let spec = &self.schema.columns[condition.column];
                let shown = |cell: f64| spec.text(cell).unwrap_or_default();
                return Err(Error::Rejected(format!(
                    "condition on {:?}: the model draws values from {} to {} only, as in its training rows, never {}",
                    spec.name,
                    shown(least),
                    shown(most),
                    shown(asked)
                )));
            }
        }
        Ok(())
    }

    fn push(&mut self, column: usize, mut block: Block) {
        let mut span = |width: usize, activation| {
            let start = self.width;
            self.spans.push(Span { column, start, width, activation });
            self.width += width;
            start
        };
        match &mut block {
            Block::Identifier | Block::ConstantNumber { .. } | Block::ConstantLevel { .. } => {}
            Block::Number { start, modes, nullable, .. } => {
                *start = match modes {
                    Some(modes) => {
                        let start = span(1, Activation::Tanh);
                        span(modes.modes() + usize::from(*nullable), Activation::Softmax);
                        start
                    }
                    None => span(2, Activation::Softmax),
                };
            }
            Block::Category { start, codes } => *start = span(codes.len(), Activation::Softmax),
        }
        self.blocks.push(block);
    }

    /// Checks an encoder that was read from a file: every index and size that decoding relies on.
    ///
    /// # Errors
    /// [`Error::Artifact`] that names the column.
    pub fn check(&self) -> Result<()> {
        self.schema.check()?;
        if self.blocks.len() != self.schema.columns.len() {
            return Err(Error::Artifact("the encoder has another number of columns".into()));
        }
        for (block, spec) in self.blocks.iter().zip(&self.schema.columns) {
            if !block.fits(spec) {
                let problem = format!("the encoding of the column {:?} is damaged", spec.name);
                return Err(Error::Artifact(problem));
            }
        }
        let mut laid_out = Self {
            schema: self.schema.clone(),
            blocks: Vec::new(),
            spans: Vec::new(),
            width: 0,
            clip: self.clip,
        };
        for (at, block) in self.blocks.iter().enumerate() {
            laid_out.push(at, block.clone());
        }
        if laid_out != *self {
            return Err(Error::Artifact("the spans of the encoder do not fit its columns".into()));
        }
        Ok(())
    }

    /// Schema of decoded tables.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The spans of a row, in order.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Units of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The category columns with at least two observed levels.
    pub fn categories(&self) -> Vec<CategorySlot> {
        let softmax = self.spans.iter().filter(|span| span.activation == Activation::Softmax);
        softmax
            .enumerate()
            .filter(|(_, span)| matches!(self.blocks[span.column], Block::Category { .. }))
            .map(|(slot, span)| CategorySlot {
                column: span.column,
                slot,
                start: span.start,
                width: span.width,
            })
            .collect()
    }

    /// Position within its category of a level's code (or `MISSING`), if it was observed.
    pub fn level_position(&self, column: usize, code: u32) -> Option<usize> {
        match &self.blocks[column] {
            Block::Category { codes, .. } => codes.iter().position(|&known| known == code),
            _ => None,
        }
    }

    /// Encodes rows of the training schema. The modes of numbers are drawn.
    ///
    /// # Errors
    /// A data error when a cell could not occur in the training rows (an unobserved level, another
    /// value of a constant column), and when the columns have other names, kinds or levels.
    pub fn encode(&self, table: &Table, seed: Seed, threads: usize) -> Result<Encoded> {
        self.check_columns(table.schema())?;
        let rows = table.rows();
        let columns = parallel::map(threads, self.blocks.len(), |at| {
            let mut rng = seed.stream(&format!("encode/{at}"));
            let spec = &self.schema.columns[at];
            encode_column(&self.blocks[at], spec, &table.columns()[at], &mut rng)
        });
        let mut encoded = self.blank(rows);
        let hot_per_row = encoded.hot_per_row;
        let (mut place_at, mut hot_at) = (0, 0);
        for column in columns {
            let (places, hot) = column?;
            place_at = scatter(&mut encoded.places, encoded.place_units.len(), place_at, places);
            hot_at = scatter(&mut encoded.hot, hot_per_row, hot_at, hot);
        }
        Ok(encoded)
    }

    fn check_columns(&self, given: &Arc<Schema>) -> Result<()> {
        if Arc::ptr_eq(given, &self.schema) {
            return Ok(());
        }
        let (was, is) = (&self.schema.columns, &given.columns);
        if was.len() != is.len() {
            let problem = format!("{} columns where training had {}", is.len(), was.len());
            return Err(DataError::new(problem).into());
        }
        was.iter().zip(is).try_for_each(|(was, is)| check_alike(was, is))
    }

    fn units(&self, activation: Activation) -> Vec<u32> {
        let of_kind = |span: &&Span| span.activation == activation;
        self.spans.iter().filter(of_kind).map(|span| span.start as u32).collect()
    }
}

fn decoded_schema(table: &Table, options: &EncoderOptions) -> Arc<Schema> {
    if options.round {
        return table.schema().clone();
    }
    let mut schema = table.schema().as_ref().clone();
    for column in &mut schema.columns {
        if let ColumnKind::Number { decimals } = &mut column.kind {
            *decimals = None;
        }
    }
    Arc::new(schema)
}

fn scatter<T: Copy>(into: &mut [T], stride: usize, at: usize, cells: Option<Vec<T>>) -> usize {
    let Some(cells) = cells else { return at };
    for (row, cell) in cells.into_iter().enumerate() {
        into[row * stride + at] = cell;
    }
    at + 1
}

/// A shared schema is written as the schema itself.
mod shared_schema {
    use super::{Arc, Schema};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(schema: &Arc<Schema>, to: S) -> Result<S::Ok, S::Error> {
        schema.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Schema>, D::Error> {
        Schema::deserialize(from).map(Arc::new)
    }
}
