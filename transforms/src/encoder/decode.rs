//! The way back: from encoded rows to cells.

use super::column::Block;
use super::{Activation, Encoded, TableEncoder};
use crate::{ModeNormalizer, fresh_identifiers};
use meg_core::{Column, ColumnSpec, Error, Result, Rng, Schema, Table};
use std::sync::Arc;

impl TableEncoder {
    /// Decodes row-major rows of units. A span's largest unit decides its mode or level, the first
    /// of equal ones.
    ///
    /// # Errors
    /// When the number of units is not a multiple of the width of a row.
    pub fn decode(&self, units: &[f32], rows: usize, rng: &mut Rng) -> Result<Table> {
        let encoded = self.compact(units, rows)?;
        Table::new(self.schema.clone(), self.decode_cells(&encoded, rng)?)
    }

    /// Decodes encoded rows into cells of each column, in schema order. Identifiers are made anew.
    ///
    /// Nothing is checked against the schema here; [`DecodedRows`] joins the parts of a large table
    /// and checks them once.
    ///
    /// # Errors
    /// When the rows are not laid out as this encoder does, or a unit lies outside its span.
    pub fn decode_cells(&self, encoded: &Encoded, rng: &mut Rng) -> Result<Vec<Column>> {
        self.check_layout(encoded)?;
        let (mut place_at, mut hot_at) = (0, 0);
        let columns = self.blocks.iter().zip(&self.schema.columns).map(|(block, spec)| {
            let cells = Cells { encoded, place_at, hot_at };
            let (places, hots) = block.parts();
            (place_at, hot_at) = (place_at + places, hot_at + hots);
            self.decode_column(block, spec, cells, rng)
        });
        Ok(columns.collect())
    }

    /// Encoded rows to be filled: every place 0, and of every softmax span the first unit.
    pub fn blank(&self, rows: usize) -> Encoded {
        let place_units = self.units(Activation::Tanh);
        let first = self.units(Activation::Softmax);
        Encoded {
            rows,
            width: self.width,
            places: vec![0.0; rows * place_units.len()],
            place_units,
            hot_per_row: first.len(),
            hot: first.repeat(rows),
        }
    }

    fn compact(&self, units: &[f32], rows: usize) -> Result<Encoded> {
        if units.len() != rows * self.width {
            let problem = format!("{} units for {rows} rows of {}", units.len(), self.width);
            return Err(Error::Tensor(problem));
        }
        let mut encoded = self.blank(0);
        encoded.rows = rows;
        for row in units.chunks_exact(self.width.max(1)) {
            for span in &self.spans {
                match span.activation {
                    Activation::Tanh => encoded.places.push(row[span.start]),
                    Activation::Softmax => {
                        let largest = argmax(&row[span.start..span.start + span.width]);
                        encoded.hot.push((span.start + largest) as u32);
                    }
                }
            }
        }
        Ok(encoded)
    }

    fn check_layout(&self, encoded: &Encoded) -> Result<()> {
        let spans = self.spans.iter().filter(|span| span.activation == Activation::Softmax);
        let spans: Vec<_> = spans.map(|span| span.start..span.start + span.width).collect();
        let inside = |row: &[u32]| {
            spans.iter().zip(row).all(|(span, &unit)| span.contains(&(unit as usize)))
        };
        let fits = encoded.hot_per_row == spans.len()
            && encoded.place_units == self.units(Activation::Tanh)
            && encoded.places.len() == encoded.rows * encoded.place_units.len()
            && encoded.hot.len() == encoded.rows * spans.len()
            && encoded.hot.chunks_exact(spans.len().max(1)).all(inside);
        let problem = "the encoded rows are not laid out as by this encoder";
        if fits { Ok(()) } else { Err(Error::Tensor(problem.into())) }
    }

    fn decode_column(
        &self,
        block: &Block,
        spec: &ColumnSpec,
        cells: Cells<'_>,
        rng: &mut Rng,
    ) -> Column {
        let rows = cells.encoded.rows;
        match block {
            Block::Identifier => fresh_identifiers(&spec.name, rows, rng),
            Block::ConstantNumber { number } => {
                Column::Numbers(vec![number.unwrap_or(f64::NAN); rows])
            }
            Block::ConstantLevel { code } => Column::Codes(vec![*code; rows]),
            Block::Category { start, codes } => {
                Column::Codes(cells.hot().map(|unit| codes[unit - start]).collect())
            }
            Block::Number { start, modes: None, least, .. } => {
                let number = |unit| if unit == *start { *least } else { f64::NAN };
                Column::Numbers(cells.hot().map(number).collect())
            }
            Block::Number { start, modes: Some(modes), least, most, .. } => {
                let number = |(unit, place): (usize, f32)| {
                    let value = spec.snap(decode_number(modes, unit - start - 1, place));
                    if self.clip { value.clamp(*least, *most) } else { value }
                };
                Column::Numbers(cells.hot().zip(cells.places()).map(number).collect())
            }
        }
    }
}

/// NaN for the mode of missing cells, which comes last.
fn decode_number(modes: &ModeNormalizer, mode: usize, place: f32) -> f64 {
    if mode == modes.modes() { f64::NAN } else { modes.decode(mode, place) }
}

/// The encoded cells of one column.
#[derive(Clone, Copy)]
struct Cells<'a> {
    encoded: &'a Encoded,
    place_at: usize,
    hot_at: usize,
}

impl<'a> Cells<'a> {
    fn places(self) -> impl Iterator<Item = f32> + 'a {
        let places = self.encoded.place_units.len();
        (0..self.encoded.rows).map(move |row| self.encoded.places[row * places + self.place_at])
    }

    fn hot(self) -> impl Iterator<Item = usize> + 'a {
        let hots = self.encoded.hot_per_row;
        (0..self.encoded.rows).map(move |row| self.encoded.hot[row * hots + self.hot_at] as usize)
    }
}

/// A table that is decoded part by part: only its cells are ever held, and they are checked once.
#[derive(Debug)]
pub struct DecodedRows {
    schema: Arc<Schema>,
    columns: Vec<Column>,
    rows: usize,
}

impl DecodedRows {
    /// No rows yet, of the tables that this encoder decodes.
    pub fn new(encoder: &TableEncoder) -> Self {
        Self { schema: encoder.schema.clone(), columns: Vec::new(), rows: 0 }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends what [`TableEncoder::decode_cells`] returned.
    ///
    /// # Panics
    /// When the parts come from different encoders.
    pub fn push(&mut self, part: Vec<Column>) {
        self.rows += part.first().map_or(0, Column::len);
        if self.columns.is_empty() {
            self.columns = part;
            return;
        }
        for (column, part) in self.columns.iter_mut().zip(part) {
            match (column, part) {
                (Column::Numbers(cells), Column::Numbers(part)) => cells.extend(part),
                (Column::Codes(cells), Column::Codes(part)) => cells.extend(part),
                (Column::Texts(cells), Column::Texts(part)) => cells.extend(part),
                _ => unreachable!("one encoder always decodes to the same storage"),
            }
        }
    }

    /// The table, with every cell checked.
    ///
    /// # Errors
    /// A data error when a cell breaks a rule of the schema.
    pub fn into_table(self) -> Result<Table> {
        if self.columns.is_empty() {
            return Table::empty(self.schema);
        }
        Table::new(self.schema, self.columns)
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
