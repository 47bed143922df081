//! How a table becomes the steps of the generator, and how their outputs become cells again.

use crate::Tgan;
use meg_core::{
    Column, ColumnKind, ColumnSpec, DataError, Error, Event, FitContext, MISSING, Phase, Result,
    Rng, Schema, Table, parallel,
};
use serde::{Deserialize, Serialize};
use transforms::{ColumnTransform, SoftModes, fresh_identifiers};

/// A category with more observed levels is refused.
const MOST_LEVELS: usize = 5_000;

/// The coding of every column (models.md 1.3 and 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    schema: Schema,
    codings: Vec<Coding>,
    clip: bool,
}

/// How one column is coded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "coding")]
enum Coding {
    /// Regenerated, never coded.
    Identifier,
    /// The same number in every row, or missing in every row (`None`).
    ConstantNumber { number: Option<f64> },
    /// The same level in every row, or missing in every row (`MISSING`).
    ConstantLevel { code: u32 },
    /// One number or a missing cell: two levels.
    OneNumber { number: f64 },
    /// A place, then the shares of the components; where cells are missing, their share is last.
    Number { modes: SoftModes, least: f64, most: f64, nullable: bool },
    /// One unit per observed level; the code `MISSING` comes last.
    Category { codes: Vec<u32> },
}

/// What a step of the generator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The place of a number within its component, in [-1, 1].
    Place,
    /// The shares of the components of that number.
    Shares,
    /// The shares of the levels of a category.
    Levels,
}

/// One step of the generator: neighbouring units of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub output: Output,
    /// First unit.
    pub start: usize,
    /// Number of units.
    pub width: usize,
}

/// A coded table, compact: places and shares of numbers as they are, levels by number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Encoded {
    pub rows: usize,
    /// Row-major units of the steps [`Output::Place`] and [`Output::Shares`].
    pub soft: Vec<f32>,
    /// Row-major levels, one per step [`Output::Levels`].
    pub levels: Vec<u32>,
}

impl Columns {
    /// Learns the coding of every column; columns are spread over threads.
    pub(crate) fn fit(recipe: &Tgan, table: &Table, ctx: &mut FitContext<'_>) -> Result<Self> {
        table.schema().check_modelable()?;
        if table.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        let count = table.columns().len();
        ctx.observer.event(&Event::Start { phase: Phase::Encode, total: Some(count as u64) });
        let mut codings = Vec::with_capacity(count);
        let (seed, observer) = (ctx.seed, &mut ctx.observer);
        let fit = |at: usize| {
            let mut rng = seed.stream(&format!("tgan/column/{at}"));
            let spec = &table.schema().columns[at];
            Coding::fit(spec, &table.columns()[at], recipe.components, &mut rng)
        };
        parallel::map_in_order(ctx.threads, count, fit, |coding| {
            codings.push(coding?);
            observer.step(Phase::Encode, codings.len() as u64, &[]).map(|_| ())
        })?;
        observer.event(&Event::End { phase: Phase::Encode });
        let mut schema = table.schema().as_ref().clone();
        if !recipe.round {
            for column in &mut schema.columns {
                if let ColumnKind::Number { decimals } = &mut column.kind {
                    *decimals = None;
                }
            }
        }
        Ok(Self { schema, codings, clip: recipe.clip })
    }

    /// Checks what was read from a file: every index and size that decoding relies on.
    pub(crate) fn check(&self) -> Result<()> {
        self.schema.check()?;
        if self.codings.len() != self.schema.columns.len() {
            return Err(Error::Artifact("there is another number of columns than codings".into()));
        }
        for (coding, spec) in self.codings.iter().zip(&self.schema.columns) {
            if !coding.fits(spec) {
                let problem = format!("the coding of the column {:?} is damaged", spec.name);
                return Err(Error::Artifact(problem));
            }
        }
        Ok(())
    }

    /// Schema of decoded tables.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The steps of the generator, in the order of the columns.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let parts = self.codings.iter().flat_map(Coding::outputs);
        for (output, width) in parts {
            let start = steps.last().map_or(0, |step| step.start + step.width);
            steps.push(Step { output, start, width });
        }
        steps
    }

    /// Codes the training rows.
    pub(crate) fn encode(&self, table: &Table, threads: usize) -> Result<Encoded> {
        let parts = parallel::map(threads, self.codings.len(), |at| {
            self.codings[at].encode(&table.columns()[at])
        });
        let parts = parts.into_iter().collect::<Result<Vec<Parts>>>()?;
        let rows = table.rows();
        let (mut soft, mut levels) = (Vec::new(), Vec::new());
        for row in 0..rows {
            for part in &parts {
                soft.extend_from_slice(&part.soft[row * part.width..(row + 1) * part.width]);
                levels.extend(part.levels.get(row));
            }
        }
        Ok(Encoded { rows, soft, levels })
    }

    /// The cells of each column from generated rows of `width` units. Identifiers are made anew.
    pub(crate) fn decode(&self, units: &[f32], rows: usize, rng: &mut Rng) -> Vec<Column> {
        let width = units.len() / rows.max(1);
        let mut start = 0;
        let mut columns = Vec::with_capacity(self.codings.len());
        for (coding, spec) in self.codings.iter().zip(&self.schema.columns) {
            let own: usize = coding.outputs().iter().map(|(_, width)| width).sum();
            let part = |row: usize| &units[row * width + start..row * width + start + own];
            columns.push(self.decode_column(coding, spec, rows, part, rng));
            start += own;
        }
        columns
    }

    fn decode_column<'a>(
        &self,
        coding: &Coding,
        spec: &ColumnSpec,
        rows: usize,
        units: impl Fn(usize) -> &'a [f32],
        rng: &mut Rng,
    ) -> Column {
        match coding {
            Coding::Identifier => fresh_identifiers(&spec.name, rows, rng),
            Coding::ConstantNumber { number } => {
                Column::Numbers(vec![number.unwrap_or(f64::NAN); rows])
            }
            Coding::ConstantLevel { code } => Column::Codes(vec![*code; rows]),
            Coding::OneNumber { number } => {
                let cell = |row| if likeliest(units(row)) == 0 { *number } else { f64::NAN };
                Column::Numbers((0..rows).map(cell).collect())
            }
            Coding::Category { codes } => {
                Column::Codes((0..rows).map(|row| codes[likeliest(units(row))]).collect())
            }
            Coding::Number { modes, least, most, .. } => {
                let mut shares = vec![0.0; modes.modes()];
                let number = |row: usize| {
                    let (place, generated) = (units(row)[0], &units(row)[1..]);
                    if likeliest(generated) == shares.len() {
                        return f64::NAN;
                    }
                    for (share, &unit) in shares.iter_mut().zip(generated) {
                        *share = f64::from(unit);
                    }
                    let number = spec.snap(modes.join(f64::from(place), &shares));
                    if self.clip { number.clamp(*least, *most) } else { number }
                };
                Column::Numbers((0..rows).map(number).collect())
            }
        }
    }
}

/// The coded cells of one column.
struct Parts {
    /// Units per row in `soft`.
    width: usize,
    soft: Vec<f32>,
    levels: Vec<u32>,
}

impl Coding {
    fn fit(spec: &ColumnSpec, cells: &Column, components: usize, rng: &mut Rng) -> Result<Self> {
        match cells {
            Column::Texts(_) => Ok(Coding::Identifier),
            Column::Numbers(cells) => Self::fit_number(spec, cells, components, rng),
            Column::Codes(cells) => Self::fit_category(spec, cells),
        }
    }

    fn fit_number(
        spec: &ColumnSpec,
        cells: &[f64],
        components: usize,
        rng: &mut Rng,
    ) -> Result<Self> {
        let seen = || cells.iter().copied().filter(|cell| !cell.is_nan());
        let nullable = cells.iter().any(|cell| cell.is_nan());
        let least = seen().fold(f64::INFINITY, f64::min);
        let most = seen().fold(f64::NEG_INFINITY, f64::max);
        if least > most {
            return Ok(Coding::ConstantNumber { number: None });
        }
        if least == most {
            return Ok(match nullable {
                true => Coding::OneNumber { number: least },
                false => Coding::ConstantNumber { number: Some(least) },
            });
        }
        let modes = SoftModes::fit(cells, components, rng).map_err(|error| match error {
            Error::Data(error) => (*error).column(&spec.name).into(),
            other => other,
        })?;
        Ok(Coding::Number { modes, least, most, nullable })
    }

    fn fit_category(spec: &ColumnSpec, cells: &[u32]) -> Result<Self> {
        let mut codes = cells.to_vec();
        codes.sort_unstable();
        // `MISSING` is the largest code, so that it comes last.
        codes.dedup();
        match codes.len() {
            1 => Ok(Coding::ConstantLevel { code: codes[0] }),
            count if count > MOST_LEVELS => Err(too_many_levels(spec, count)),
            _ => Ok(Coding::Category { codes }),
        }
    }

    /// Steps of the generator and their widths.
    fn outputs(&self) -> Vec<(Output, usize)> {
        match self {
            Coding::Identifier | Coding::ConstantNumber { .. } | Coding::ConstantLevel { .. } => {
                Vec::new()
            }
            Coding::OneNumber { .. } => vec![(Output::Levels, 2)],
            Coding::Number { modes, nullable, .. } => {
                let shares = modes.modes() + usize::from(*nullable);
                vec![(Output::Place, 1), (Output::Shares, shares)]
            }
            Coding::Category { codes } => vec![(Output::Levels, codes.len())],
        }
    }

    /// Whether a coding read from a file can decode this column.
    fn fits(&self, spec: &ColumnSpec) -> bool {
        let known = |code: u32| {
            if code == MISSING { spec.nullable } else { (code as usize) < spec.levels().len() }
        };
        match self {
            Coding::Identifier => spec.kind == ColumnKind::Identifier,
            Coding::ConstantNumber { number } => {
                spec.is_numeric() && number.map_or(spec.nullable, f64::is_finite)
            }
            Coding::ConstantLevel { code } => spec.is_category() && known(*code),
            Coding::OneNumber { number } => {
                spec.is_numeric() && spec.nullable && number.is_finite()
            }
            Coding::Number { modes, least, most, nullable } => {
                spec.is_numeric()
                    && least.is_finite()
                    && most.is_finite()
                    && least <= most
                    && (spec.nullable || !nullable)
                    && modes.check().is_ok()
            }
            Coding::Category { codes } => {
                let sorted = codes.windows(2).all(|pair| pair[0] < pair[1]);
                let all = codes.iter().all(|&code| known(code));
                spec.is_category() && codes.len() > 1 && sorted && all
            }
        }
    }

    fn encode(&self, cells: &Column) -> Result<Parts> {
        let (mut soft, mut levels, mut width) = (Vec::new(), Vec::new(), 0);
        match (self, cells) {
            (Coding::Number { modes, nullable, .. }, Column::Numbers(cells)) => {
                width = 1 + modes.modes() + usize::from(*nullable);
                let mut shares = vec![0.0; modes.modes()];
                for &cell in cells {
                    let place = if cell.is_nan() {
                        shares.fill(0.0);
                        0.0
                    } else {
                        modes.split(cell, &mut shares)
                    };
                    soft.push(place as f32);
                    soft.extend(shares.iter().map(|&share| share as f32));
                    if *nullable {
                        soft.push(f32::from(u8::from(cell.is_nan())));
                    }
                }
            }
            (Coding::OneNumber { .. }, Column::Numbers(cells)) => {
                levels = cells.iter().map(|cell| u32::from(cell.is_nan())).collect();
            }
            (Coding::Category { codes }, Column::Codes(cells)) => {
                for cell in cells {
                    let level = codes.binary_search(cell).map_err(|_| {
                        Error::data("a level that never occurs in the training rows")
                    })?;
                    levels.push(level as u32);
                }
            }
            _ => {}
        }
        Ok(Parts { width, soft, levels })
    }
}

fn too_many_levels(spec: &ColumnSpec, levels: usize) -> Error {
    DataError::new(format!(
        "{levels} different levels are too many for one unit each (at most {MOST_LEVELS})"
    ))
    .column(&spec.name)
    .advice("declare the column as kind = \"identifier\" in schema.toml to have fresh unique values in its place, group its rare levels, or drop it")
    .into()
}

/// The first of the largest units.
pub(crate) fn likeliest(units: &[f32]) -> usize {
    let mut best = 0;
    for (at, unit) in units.iter().enumerate().skip(1) {
        if *unit > units[best] {
            best = at;
        }
    }
    best
}
