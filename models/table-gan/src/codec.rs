use meg_core::{
    Column, ColumnKind, ColumnSpec, DataError, Error, MISSING, Result, Rng, Schema, Table,
};
use serde::{Deserialize, Serialize};
use transforms::{ColumnTransform, MinMax, NumberMap, fresh_identifiers};

/// Turns rows into records of cells in [-1, 1] and back: one cell for a number, scaled from its
/// range; one for a category, scaled from the rank of its level (missing comes last); one more, -1
/// or 1, for a number that may be missing. Constant columns take no cell; identifiers are made anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Codec {
    schema: Schema,
    columns: Vec<Coded>,
}

/// How one column is coded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "column", deny_unknown_fields)]
enum Coded {
    /// Made anew.
    Identifier,
    /// The same number in every row, or missing in every row.
    Constant { number: Option<f64> },
    /// The same level in every row, or missing in every row.
    ConstantLevel { code: u32 },
    /// A number with two values at least, or one beside missing cells, which has no scale.
    Number {
        scale: Option<MinMax>,
        least: f64,
        most: f64,
        /// Whether a second cell says that the number is missing.
        flagged: bool,
        /// Training values to snap to, in order.
        values: Option<Vec<f64>>,
    },
    /// Observed levels in the order of the schema, `MISSING` last.
    Category { scale: MinMax, codes: Vec<u32> },
}

/// Where a target lies within a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    /// Its cell.
    pub cell: usize,
    /// The cell that says whether it is missing.
    pub flag: Option<usize>,
    /// Whether it is a category of two levels.
    pub binary: bool,
}

impl Codec {
    /// Learns the range of every number and the levels of every category.
    ///
    /// # Errors
    /// A data error for free text and for a table without rows.
    pub(crate) fn fit(table: &Table, margin: f64, snap: bool) -> Result<Self> {
        table.schema().check_modelable()?;
        if table.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        let columns = table.iter().map(|(spec, cells)| match cells {
            Column::Texts(_) => Ok(Coded::Identifier),
            Column::Numbers(cells) => fit_number(cells, margin, snap),
            Column::Codes(cells) => fit_category(spec, cells, margin),
        });
        let columns = columns.collect::<Result<_>>()?;
        Ok(Self { schema: table.schema().as_ref().clone(), columns })
    }

    /// The schema of the tables it decodes to.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Cells of a record.
    pub(crate) fn cells(&self) -> usize {
        self.columns.iter().map(Coded::cells).sum()
    }

    /// Where the schema's target lies, unless there is none, or it has no cell.
    pub(crate) fn label(&self) -> Option<Label> {
        let target = self.schema.target()?;
        let cell = self.columns[..target].iter().map(Coded::cells).sum();
        match &self.columns[target] {
            Coded::Number { scale: Some(_), flagged, .. } => {
                Some(Label { cell, flag: flagged.then_some(cell + 1), binary: false })
            }
            Coded::Category { codes, .. } => {
                Some(Label { cell, flag: None, binary: codes.len() == 2 })
            }
            _ => None,
        }
    }

    /// Records of the rows of the training table, row by row.
    pub(crate) fn encode(&self, table: &Table) -> Vec<f32> {
        let width = self.cells();
        let mut records = vec![0.0; table.rows() * width];
        let mut at = 0;
        for (coded, cells) in self.columns.iter().zip(table.columns()) {
            if coded.cells() > 0 {
                for (row, record) in records.chunks_exact_mut(width).enumerate() {
                    coded.write(cells, row, &mut record[at..at + coded.cells()]);
                }
                at += coded.cells();
            }
        }
        records
    }

    /// The table of so many records. Any finite cells give a table that obeys the schema.
    ///
    /// # Errors
    /// A data error when the rows break a constraint.
    pub(crate) fn decode(&self, records: &[f32], rows: usize, rng: &mut Rng) -> Result<Table> {
        let width = self.cells();
        let mut at = 0;
        let columns = self.columns.iter().zip(&self.schema.columns).map(|(coded, spec)| {
            let first = at;
            at += coded.cells();
            let cell = |row: usize, offset: usize| records[row * width + first + offset];
            match coded {
                Coded::Identifier => fresh_identifiers(&spec.name, rows, rng),
                Coded::Constant { number } => {
                    Column::Numbers(vec![number.unwrap_or(f64::NAN); rows])
                }
                Coded::ConstantLevel { code } => Column::Codes(vec![*code; rows]),
                Coded::Category { scale, codes } => {
                    let level = |row| codes[rank(scale, cell(row, 0), codes.len())];
                    Column::Codes((0..rows).map(level).collect())
                }
                Coded::Number { scale, flagged, .. } => {
                    let flag = |row| *flagged && cell(row, usize::from(scale.is_some())) > 0.0;
                    let number = |row| {
                        let place = if scale.is_some() { cell(row, 0) } else { 0.0 };
                        if flag(row) { f64::NAN } else { coded.number(spec, place) }
                    };
                    Column::Numbers((0..rows).map(number).collect())
                }
            }
        });
        Table::new(self.schema.clone(), columns.collect())
    }

    /// Checks a codec that was read from a file, so that no later call can panic.
    ///
    /// # Errors
    /// [`Error::Artifact`] that names the column.
    pub(crate) fn check(&self) -> Result<()> {
        self.schema.check()?;
        if self.columns.len() != self.schema.columns.len() {
            return Err(Error::Artifact("the codec has another number of columns".into()));
        }
        for (coded, spec) in self.columns.iter().zip(&self.schema.columns) {
            if !coded.fits(spec) {
                let problem = format!("the code of the column {:?} is damaged", spec.name);
                return Err(Error::Artifact(problem));
            }
        }
        Ok(())
    }
}

impl Coded {
    fn cells(&self) -> usize {
        match self {
            Coded::Identifier | Coded::Constant { .. } | Coded::ConstantLevel { .. } => 0,
            Coded::Number { scale, flagged, .. } => {
                usize::from(scale.is_some()) + usize::from(*flagged)
            }
            Coded::Category { .. } => 1,
        }
    }

    fn write(&self, cells: &Column, row: usize, record: &mut [f32]) {
        match (self, cells) {
            (Coded::Number { scale, flagged, .. }, Column::Numbers(cells)) => {
                let missing = cells[row].is_nan();
                if let Some(scale) = scale {
                    record[0] = if missing { 0.0 } else { scale.forward(cells[row]) as f32 };
                }
                if *flagged {
                    record[usize::from(scale.is_some())] = if missing { 1.0 } else { -1.0 };
                }
            }
            (Coded::Category { scale, codes }, Column::Codes(cells)) => {
                let rank = codes.iter().position(|&code| code == cells[row]);
                record[0] =
                    scale.forward(rank.expect("a level of the training table") as f64) as f32;
            }
            _ => unreachable!("a column is coded as it is stored"),
        }
    }

    /// The number at a place, as the column can hold it.
    fn number(&self, spec: &ColumnSpec, place: f32) -> f64 {
        let Coded::Number { scale, least, most, values, .. } = self else {
            unreachable!("only numbers have places")
        };
        let Some(scale) = scale else { return *least };
        let value = scale.backward(f64::from(place));
        match values {
            Some(values) => nearest(values, value),
            None => spec.snap(value.clamp(*least, *most)).clamp(*least, *most),
        }
    }

    /// Whether a code read from a file can decode this column.
    fn fits(&self, spec: &ColumnSpec) -> bool {
        let known = |code: u32| {
            if code == MISSING { spec.nullable } else { (code as usize) < spec.levels().len() }
        };
        let sound = |scale: &MinMax| scale.check().is_ok();
        match self {
            Coded::Identifier => spec.kind == ColumnKind::Identifier,
            Coded::Constant { number } => {
                spec.is_numeric() && number.map_or(spec.nullable, f64::is_finite)
            }
            Coded::ConstantLevel { code } => spec.is_category() && known(*code),
            Coded::Number { scale, least, most, flagged, values } => {
                spec.is_numeric()
                    && least.is_finite()
                    && most.is_finite()
                    && least <= most
                    && scale.as_ref().map_or(*flagged, sound)
                    && (spec.nullable || !flagged)
                    && values.as_ref().is_none_or(|values| {
                        values.first() == Some(least)
                            && values.last() == Some(most)
                            && values.windows(2).all(|pair| pair[0] < pair[1])
                    })
            }
            Coded::Category { scale, codes } => {
                let mut sorted = codes.clone();
                sorted.sort_unstable();
                sorted.dedup();
                spec.is_category()
                    && sound(scale)
                    && codes.len() > 1
                    && sorted.len() == codes.len()
                    && codes.iter().all(|&code| known(code))
            }
        }
    }
}

fn fit_number(cells: &[f64], margin: f64, snap: bool) -> Result<Coded> {
    let mut seen: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    let flagged = seen.len() < cells.len();
    seen.sort_by(f64::total_cmp);
    // 0 and -0 are one value.
    seen.dedup_by(|one, other| one == other);
    let (Some(&least), Some(&most)) = (seen.first(), seen.last()) else {
        return Ok(Coded::Constant { number: None });
    };
    if least == most && !flagged {
        return Ok(Coded::Constant { number: Some(least) });
    }
    let scale = (least < most).then(|| scale(least, most, margin)).transpose()?;
    Ok(Coded::Number { scale, least, most, flagged, values: snap.then_some(seen) })
}

fn fit_category(spec: &ColumnSpec, cells: &[u32], margin: f64) -> Result<Coded> {
    let levels = spec.levels().len();
    let mut seen = vec![false; levels + 1];
    for &cell in cells {
        seen[(cell as usize).min(levels)] = true;
    }
    let codes: Vec<u32> = (0..=levels)
        .filter(|&code| seen[code])
        .map(|code| if code == levels { MISSING } else { code as u32 })
        .collect();
    if let [code] = codes[..] {
        return Ok(Coded::ConstantLevel { code });
    }
    Ok(Coded::Category { scale: scale(0.0, (codes.len() - 1) as f64, margin)?, codes })
}

fn scale(least: f64, most: f64, margin: f64) -> Result<MinMax> {
    let out = |end: f64| if end.is_finite() { end } else { f64::MAX.copysign(end) };
    MinMax::fit(&[out(least - margin), out(most + margin)], -1.0, 1.0)
}

/// The rank at a cell, the nearest of those there are.
fn rank(scale: &MinMax, cell: f32, levels: usize) -> usize {
    scale.backward(f64::from(cell)).round().clamp(0.0, (levels - 1) as f64) as usize
}

/// The nearest of sorted values, the smaller of two.
fn nearest(values: &[f64], value: f64) -> f64 {
    let at = values.partition_point(|&known| known < value);
    match (at.checked_sub(1).map(|at| values[at]), values.get(at)) {
        (Some(below), Some(&above)) => {
            if value - below <= above - value {
                below
            } else {
                above
            }
        }
        (Some(only), None) => only,
        (None, Some(&only)) => only,
        (None, None) => unreachable!("there is a value"),
    }
}
