//! How one column is encoded.

use super::EncoderOptions;
use crate::ModeNormalizer;
use meg_core::{Column, ColumnKind, ColumnSpec, DataError, Error, MISSING, Result, Rng};
use serde::{Deserialize, Serialize};

/// How one column is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "block")]
pub(super) enum Block {
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
    /// Places and softmax spans of a row.
    pub(super) fn parts(&self) -> (usize, usize) {
        match self {
            Block::Identifier | Block::ConstantNumber { .. } | Block::ConstantLevel { .. } => {
                (0, 0)
            }
            Block::Number { modes, .. } => (usize::from(modes.is_some()), 1),
            Block::Category { .. } => (0, 1),
        }
    }

    /// Whether a block read from a file can encode and decode this column.
    pub(super) fn fits(&self, spec: &ColumnSpec) -> bool {
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

pub(super) fn fit_column(
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

pub(super) fn encode_column(
    block: &Block,
    spec: &ColumnSpec,
    cells: &Column,
    rng: &mut Rng,
) -> Result<Parts> {
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
    let seen: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
    let mut coded = Vec::with_capacity(seen.len());
    modes.encode_all(&seen, rng, |mode, place| coded.push((place, mode)));
    let mut coded = coded.into_iter();
    // The mode of a missing cell comes last.
    let missing = (0.0, modes.modes());
    let of_cell = |cell: &f64| {
        let (place, mode) = if cell.is_nan() { None } else { coded.next() }.unwrap_or(missing);
        (place, (start + 1 + mode) as u32)
    };
    let (places, hot) = cells.iter().map(of_cell).unzip();
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
