use super::{code_error, counts};
use crate::column::{ColumnTransform, Parts, into_codes, into_numbers, number_error};
use meg_core::{Column, Error, MISSING, Result, Rng};
use serde::{Deserialize, Serialize};

/// Which level comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelOrder {
    /// The order of the schema, or of bins.
    Given,
    /// The same, and the number is the code itself: levels that do not occur leave gaps.
    Code,
    /// Ascending text of the levels, as the codes of a pandas category column.
    Text,
    /// The most frequent level first; ties in the given order.
    Frequency,
}

/// Levels that occur in training become the numbers 0, 1, 2 and so on.
///
/// Law: comes back exactly. Any finite number decodes to the level of the nearest number, so to one
/// that occurs in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ordinal {
    /// Codes of the levels that occur.
    codes: Vec<u32>,
    /// Their numbers, ascending.
    numbers: Vec<f64>,
    /// The number of missing cells, if they have one.
    missing: Option<f64>,
    /// Whether a training cell is missing.
    nullable: bool,
}

impl Ordinal {
    /// Fits to codes. `names` holds the level of each code, for [`LevelOrder::Text`]. Missing cells
    /// become `missing` (pandas: -1), or stay missing without it.
    ///
    /// # Errors
    /// A recipe error when `missing` is a rank or not finite, or when levels without names should
    /// be ordered by them.
    pub fn fit(
        codes: &[u32],
        names: &[String],
        order: LevelOrder,
        missing: Option<f64>,
    ) -> Result<Self> {
        let counts = counts(codes);
        let mut ranks: Vec<u32> =
            (0..counts.len() as u32).filter(|&code| counts[code as usize] > 0).collect();
        match order {
            LevelOrder::Given | LevelOrder::Code => {}
            LevelOrder::Text if names.len() < counts.len() => {
                let problem = "codes that a transform has made have no text to be ordered by";
                return Err(Error::Recipe { key: "order".into(), problem: problem.into() });
            }
            LevelOrder::Text => {
                ranks.sort_by(|&a, &b| names[a as usize].cmp(&names[b as usize]));
            }
            LevelOrder::Frequency => {
                ranks.sort_by_key(|&code| std::cmp::Reverse(counts[code as usize]));
            }
        }
        let number = |(rank, &code): (usize, &u32)| match order {
            LevelOrder::Code => f64::from(code),
            _ => rank as f64,
        };
        let numbers = ranks.iter().enumerate().map(number).collect();
        let nullable = codes.contains(&MISSING);
        let ordinal = Self { codes: ranks, numbers, missing, nullable };
        if !ordinal.missing_is_apart() {
            let problem =
                "should be finite, and below 0 or above every level by at least 1".to_owned();
            return Err(Error::Recipe { key: "missing".into(), problem });
        }
        Ok(ordinal)
    }

    /// Number of levels.
    pub fn levels(&self) -> usize {
        self.codes.len()
    }

    /// Codes of the levels, in the order of their numbers.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// Whether a number may decode to a missing cell.
    pub fn knows_missing(&self) -> bool {
        self.codes.is_empty() || (self.nullable && self.missing.is_some())
    }

    fn missing_is_apart(&self) -> bool {
        let beyond = self.numbers.last().map_or(0.0, |most| most + 1.0);
        self.missing.is_none_or(|number| number.is_finite() && (number <= -1.0 || number >= beyond))
    }

    fn code(&self, number: f64) -> u32 {
        if number.is_nan() || self.codes.is_empty() {
            return MISSING;
        }
        let nearest = self.nearest(number);
        let away = |other: f64| (number - other).abs();
        match self.missing {
            Some(missing) if self.nullable && away(missing) < away(self.numbers[nearest]) => {
                MISSING
            }
            _ => self.codes[nearest],
        }
    }

    /// Position of the nearest number; of two equally near ones the upper.
    fn nearest(&self, number: f64) -> usize {
        let above = self.numbers.partition_point(|&known| known < number);
        if above == 0 {
            return 0;
        }
        if above == self.numbers.len() {
            return above - 1;
        }
        let upper_is_nearer = self.numbers[above] - number <= number - self.numbers[above - 1];
        if upper_is_nearer { above } else { above - 1 }
    }
}

impl ColumnTransform for Ordinal {
    fn encode(&self, cells: Column, _rng: &mut Rng) -> Result<Parts> {
        let cells = into_codes(cells)?;
        let most = self.codes.iter().copied().max().map_or(0, |most| most as usize + 1);
        let mut known = vec![f64::NAN; most];
        for (&number, &code) in self.numbers.iter().zip(&self.codes) {
            known[code as usize] = number;
        }
        let missing = self.missing.unwrap_or(f64::NAN);
        let mut numbers = Vec::with_capacity(cells.len());
        for (row, &cell) in cells.iter().enumerate() {
            numbers.push(match known.get(cell as usize) {
                _ if cell == MISSING && (self.nullable || self.missing.is_none()) => missing,
                Some(number) if !number.is_nan() => *number,
                _ => return Err(code_error(row, cell, "it never occurs in the training rows")),
            });
        }
        Ok(Column::Numbers(numbers).into())
    }

    fn decode(&self, parts: Parts, _rng: &mut Rng) -> Result<Column> {
        let numbers = into_numbers(parts.alone()?)?;
        if let Some(row) = numbers.iter().position(|number| number.is_infinite()) {
            return Err(number_error(row, numbers[row], "the encoded number is not finite"));
        }
        Ok(Column::Codes(numbers.iter().map(|&number| self.code(number)).collect()))
    }

    fn check(&self) -> Result<()> {
        let mut sorted = self.codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let sound = sorted.len() == self.codes.len()
            && self.numbers.len() == self.codes.len()
            && self.numbers.iter().all(|number| number.is_finite())
            && self.numbers.windows(2).all(|pair| pair[0] < pair[1])
            && sorted.last().is_none_or(|&most| most < 1 << 30)
            && self.missing_is_apart();
        if sound { Ok(()) } else { Err(Error::Artifact("the ranks are damaged".into())) }
    }
}
