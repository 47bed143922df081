use crate::{ModeNormalizer, fresh_identifiers};
use meg_core::{
    Column, ColumnKind, ColumnSpec, DataError, Error, Event, MISSING, Observer, Phase, Result, Rng,
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

/// How one column is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "block")]
enum Block {
    /// Regenerated, never encoded.
    Identifier,
    /// The same number in every row, or missing in every row (`None`): no unit.
    ConstantNumber { number: Option<f64> },
    /// The same level in every row, or missing in every row (`MISSING`): no unit.
    ConstantLevel { code: u32 },
    /// A number with at least two values, or one value and missing cells (`modes` is `None`).
    Number { start: usize, modes: Option<ModeNormalizer>, least: f64, most: f64, nullable: bool },
    /// A category with at least two levels; the code `MISSING` comes last.
    Category { start: usize, codes: Vec<u32> },
}

impl Block {
    /// Whether a block read from a file can encode and decode this column.
    fn fits(&self, spec: &ColumnSpec) -> bool {
        let known = |code: u32| {
            if code == MISSING { spec.nullable } else { (code as usize) < spec.levels().len() }
        };
        match self {
            Block::Identifier => spec.kind == ColumnKind::Identifier,
            Block::ConstantNumber { number } => {
                spec.is_numeric() && number.map_or(spec.nullable, f64::is_finite)
            }
            Block::ConstantLevel { code } => spec.is_category() && known(*code),
            Block::Number { modes, least, most, nullable, .. } => {
                spec.is_numeric()
                    && least.is_finite()
                    && most.is_finite()
                    && least <= most
                    && (spec.nullable || !nullable)
                    && modes.as_ref().map_or(*nullable, ModeNormalizer::is_sound)
            }
            Block::Category { codes, .. } => {
                let mut sorted = codes.clone();
                sorted.sort_unstable();
                sorted.dedup();
                spec.is_category()
                    && codes.len() > 1
                    && sorted.len() == codes.len()
                    && codes.iter().all(|&code| known(code))
            }
        }
    }
}

/// An encoded table, compact: the places of the numbers, and for every softmax span the unit that
/// is 1. A dense row exists only where a batch needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Number of rows.
    pub rows: usize,
    /// Units of a dense row.
    pub width: usize,
    /// The unit of each place.
    pub place_units: Vec<u32>,
    /// Row-major places, as many per row as `place_units`.
    pub places: Vec<f32>,
    /// Row-major units that are 1, as many per row as there are softmax spans.
    pub hot: Vec<u32>,
    /// Softmax spans.
    pub hot_per_row: usize,
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
        // As many columns at a time as there are threads, with word to the observer in between.
        while encoder.blocks.len() < columns {
            let first = encoder.blocks.len();
            let fitted = parallel::map(threads, (columns - first).min(threads.max(1)), |ahead| {
                let at = first + ahead;
                let mut rng = seed.stream(&format!("encoder/{at}"));
                fit_column(&table.schema().columns[at], &table.columns()[at], options, &mut rng)
            });
            for block in fitted {
                encoder.push(encoder.blocks.len(), block?);
            }
            let done = encoder.blocks.len() as u64;
            observer.step(Phase::Encode, done, &[("units", encoder.width as f64)])?;
        }
        observer.event(&Event::End { phase: Phase::Encode });
        Ok(encoder)
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
    /// value of a constant column).
    pub fn encode(&self, table: &Table, seed: Seed, threads: usize) -> Result<Encoded> {
        let rows = table.rows();
        let columns = parallel::map(threads, self.blocks.len(), |at| {
            let mut rng = seed.stream(&format!("encode/{at}"));
            let spec = &self.schema.columns[at];
            encode_column(&self.blocks[at], spec, &table.columns()[at], &mut rng)
        });
        let place_units = self.units(Activation::Tanh);
        let hot_per_row = self.units(Activation::Softmax).len();
        let mut encoded = Encoded {
            rows,
            width: self.width,
            places: vec![0.0; rows * place_units.len()],
            place_units,
            hot: vec![0; rows * hot_per_row],
            hot_per_row,
        };
        let (mut place_at, mut hot_at) = (0, 0);
        for column in columns {
            let (places, hot) = column?;
            place_at = scatter(&mut encoded.places, encoded.place_units.len(), place_at, places);
            hot_at = scatter(&mut encoded.hot, hot_per_row, hot_at, hot);
        }
        Ok(encoded)
    }

    fn units(&self, activation: Activation) -> Vec<u32> {
        let of_kind = |span: &&Span| span.activation == activation;
        self.spans.iter().filter(of_kind).map(|span| span.start as u32).collect()
    }

    /// Decodes row-major rows of units. A span's largest unit decides its mode or level.
    ///
    /// # Errors
    /// When the number of units is not a multiple of the width of a row.
    pub fn decode(&self, units: &[f32], rows: usize, rng: &mut Rng) -> Result<Table> {
        if units.len() != rows * self.width {
            let problem = format!("{} units for {rows} rows of {}", units.len(), self.width);
            return Err(Error::Tensor(problem));
        }
        let columns = self
            .blocks
            .iter()
            .zip(&self.schema.columns)
            .map(|(block, spec)| self.decode_column(block, spec, units, rows, rng))
            .collect();
        Table::new(self.schema.clone(), columns)
    }

    fn decode_column(
        &self,
        block: &Block,
        spec: &ColumnSpec,
        units: &[f32],
        rows: usize,
        rng: &mut Rng,
    ) -> Column {
        let row = |row: usize| &units[row * self.width..(row + 1) * self.width];
        match block {
            Block::Identifier => fresh_identifiers(&spec.name, rows, rng),
            Block::ConstantNumber { number } => {
                Column::Numbers(vec![number.unwrap_or(f64::NAN); rows])
            }
            Block::ConstantLevel { code } => Column::Codes(vec![*code; rows]),
            Block::Category { start, codes } => {
                let code = |at| codes[argmax(&row(at)[*start..*start + codes.len()])];
                Column::Codes((0..rows).map(code).collect())
            }
            Block::Number { start, modes, least, most, nullable } => {
                let (start, modes) = (*start, modes.as_ref());
                let (least, most) = (*least, *most);
                let number = |at| {
                    let value = decode_number(&row(at)[start..], modes, least, *nullable);
                    let value = spec.snap(value);
                    if self.clip && !value.is_nan() { value.clamp(least, most) } else { value }
                };
                Column::Numbers((0..rows).map(number).collect())
            }
        }
    }
}

fn decode_number(units: &[f32], modes: Option<&ModeNormalizer>, only: f64, nullable: bool) -> f64 {
    match modes {
        None if argmax(&units[..2]) == 1 => f64::NAN,
        None => only,
        Some(modes) => {
            let mode = argmax(&units[1..1 + modes.modes() + usize::from(nullable)]);
            if mode == modes.modes() { f64::NAN } else { modes.decode(mode, units[0]) }
        }
    }
}

/// Position of the largest unit; the first of equal ones.
fn argmax(units: &[f32]) -> usize {
    let mut best = 0;
    for (at, unit) in units.iter().enumerate().skip(1) {
        if *unit > units[best] {
            best = at;
        }
    }
    best
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

fn fit_column(
    spec: &ColumnSpec,
    cells: &Column,
    options: &EncoderOptions,
    rng: &mut Rng,
) -> Result<Block> {
    match cells {
        Column::Texts(_) => Ok(Block::Identifier),
        Column::Numbers(cells) => Ok(fit_number(cells, options, rng)),
        Column::Codes(cells) => fit_category(spec, cells, options),
    }
}

fn fit_number(cells: &[f64], options: &EncoderOptions, rng: &mut Rng) -> Block {
    let seen: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    let nullable = seen.len() < cells.len();
    let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
    let most = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if seen.is_empty() {
        return Block::ConstantNumber { number: None };
    }
    if least == most && !nullable {
        return Block::ConstantNumber { number: Some(least) };
    }
    let modes = (least < most)
        .then(|| ModeNormalizer::fit(&seen, options.modes, options.weight_threshold, rng));
    Block::Number { start: 0, modes, least, most, nullable }
}

fn fit_category(spec: &ColumnSpec, cells: &[u32], options: &EncoderOptions) -> Result<Block> {
    let levels = spec.levels().len();
    let mut seen = vec![false; levels + 1];
    for &cell in cells {
        seen[(cell as usize).min(levels)] = true;
    }
    let codes: Vec<u32> = (0..=levels)
        .filter(|&code| seen[code])
        .map(|code| if code == levels { MISSING } else { code as u32 })
        .collect();
    if codes.len() > options.max_levels {
        return Err(too_many_levels(spec, codes.len(), options.max_levels));
    }
    if codes.len() == 1 {
        return Ok(Block::ConstantLevel { code: codes[0] });
    }
    Ok(Block::Category { start: 0, codes })
}

fn too_many_levels(spec: &ColumnSpec, levels: usize, most: usize) -> Error {
    DataError::new(format!(
        "{levels} different levels are too many for one unit each (at most {most})"
    ))
    .column(&spec.name)
    .advice("declare the column as kind = \"identifier\" in schema.toml to have fresh unique values in its place, group its rare levels, or drop it")
    .into()
}

type Parts = (Option<Vec<f32>>, Option<Vec<u32>>);

fn encode_column(block: &Block, spec: &ColumnSpec, cells: &Column, rng: &mut Rng) -> Result<Parts> {
    match (block, cells) {
        (Block::Identifier, _) => Ok((None, None)),
        (Block::ConstantNumber { number }, Column::Numbers(cells)) => {
            let same = |cell: &f64| number.map_or(cell.is_nan(), |number| *cell == number);
            match cells.iter().position(|cell| !same(cell)) {
                None => Ok((None, None)),
                Some(row) => Err(never_seen(spec, row, cells[row])),
            }
        }
        (Block::ConstantLevel { code }, Column::Codes(cells)) => {
            match cells.iter().position(|cell| cell != code) {
                None => Ok((None, None)),
                Some(row) => Err(never_seen(spec, row, cells[row])),
            }
        }
        (Block::Number { start, modes, nullable, .. }, Column::Numbers(cells)) => {
            encode_numbers(*start, modes.as_ref(), *nullable, spec, cells, rng)
        }
        (Block::Category { start, codes }, Column::Codes(cells)) => {
            Ok((None, Some(encode_codes(*start, codes, spec, cells)?)))
        }
        _ => {
            Err(DataError::new("the cells are not stored as in training").column(&spec.name).into())
        }
    }
}

fn encode_numbers(
    start: usize,
    modes: Option<&ModeNormalizer>,
    nullable: bool,
    spec: &ColumnSpec,
    cells: &[f64],
    rng: &mut Rng,
) -> Result<Parts> {
    if !nullable && let Some(row) = cells.iter().position(|cell| cell.is_nan()) {
        return Err(never_seen(spec, row, "missing"));
    }
    let Some(modes) = modes else {
        let hot = cells.iter().map(|cell| start as u32 + u32::from(cell.is_nan())).collect();
        return Ok((None, Some(hot)));
    };
    let (mut places, mut hot) = (Vec::with_capacity(cells.len()), Vec::with_capacity(cells.len()));
    for &cell in cells {
        let (mode, place) =
            if cell.is_nan() { (modes.modes(), 0.0) } else { modes.encode(cell, rng) };
        places.push(place);
        hot.push((start + 1 + mode) as u32);
    }
    Ok((Some(places), Some(hot)))
}

fn encode_codes(start: usize, codes: &[u32], spec: &ColumnSpec, cells: &[u32]) -> Result<Vec<u32>> {
    let mut units = vec![None; spec.levels().len() + 1];
    for (at, &code) in codes.iter().enumerate() {
        let known = (code as usize).min(spec.levels().len());
        units[known] = Some((start + at) as u32);
    }
    cells
        .iter()
        .enumerate()
        .map(|(row, &cell)| {
            let known = (cell as usize).min(spec.levels().len());
            units[known].ok_or_else(|| never_seen(spec, row, cell))
        })
        .collect()
}

fn never_seen(spec: &ColumnSpec, row: usize, value: impl std::fmt::Display) -> Error {
    DataError::new("the value never occurs in the training rows")
        .row(row as u64 + 1)
        .column(&spec.name)
        .value(value.to_string())
        .into()
}

fn scatter<T: Copy>(into: &mut [T], stride: usize, at: usize, cells: Option<Vec<T>>) -> usize {
    let Some(cells) = cells else { return at };
    for (row, cell) in cells.into_iter().enumerate() {
        into[row * stride + at] = cell;
    }
    at + 1
}

impl Encoded {
    /// Writes one dense row.
    pub fn write_row(&self, row: usize, out: &mut [f32]) {
        out.fill(0.0);
        let places = self.place_units.len();
        for (&unit, &place) in
            self.place_units.iter().zip(&self.places[row * places..(row + 1) * places])
        {
            out[unit as usize] = place;
        }
        for &unit in self.hot_units(row) {
            out[unit as usize] = 1.0;
        }
    }

    /// The units of a row that are 1.
    pub fn hot_units(&self, row: usize) -> &[u32] {
        &self.hot[row * self.hot_per_row..(row + 1) * self.hot_per_row]
    }

    /// The places of a row.
    pub fn places(&self, row: usize) -> &[f32] {
        let places = self.place_units.len();
        &self.places[row * places..(row + 1) * places]
    }
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
