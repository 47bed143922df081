use meg_core::Rng;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use transforms::{CategorySlot, Encoded, TableEncoder};

/// The conditional vector: one unit for every observed level of every category column.
///
/// Two frequency tables are kept apart (the library mixes them up): logarithms of the counts for
/// the conditions of training batches, plain counts for those of sampling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConditionSpace {
    columns: Vec<ConditionColumn>,
    width: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ConditionColumn {
    /// Column of the table.
    column: usize,
    /// First unit of the conditional vector.
    offset: usize,
    /// First unit of the encoded row.
    start: usize,
    /// Training rows of each level; at least 1 each.
    counts: Vec<u64>,
}

impl ConditionColumn {
    /// Training rows of all levels; `None` where a file names more than can be counted.
    fn rows(&self) -> Option<u64> {
        self.counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count))
    }
}

/// One drawn condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// Unit of the conditional vector that is 1.
    pub unit: u32,
    /// Position among the category columns.
    pub column: usize,
    /// Position of the level within its column.
    pub level: usize,
}

impl ConditionSpace {
    pub(crate) fn new(encoder: &TableEncoder, encoded: &Encoded) -> Self {
        let mut columns = Vec::new();
        let mut offset = 0;
        for CategorySlot { column, slot, start, width } in encoder.categories() {
            let mut counts = vec![0; width];
            for row in 0..encoded.rows {
                counts[encoded.hot_units(row)[slot] as usize - start] += 1;
            }
            columns.push(ConditionColumn { column, offset, start, counts });
            offset += width;
        }
        Self { columns, width: offset }
    }

    /// Units of the conditional vector; 0 without category columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Span of the encoded row that a condition speaks of: first unit and width.
    pub(crate) fn span(&self, drawn: Drawn) -> (usize, usize) {
        let column = &self.columns[drawn.column];
        (column.start, column.counts.len())
    }

    /// The unit of a level of a table column, if the column has one.
    pub(crate) fn unit(&self, column: usize, level: usize) -> Option<u32> {
        let found = self.columns.iter().find(|known| known.column == column)?;
        Some((found.offset + level) as u32)
    }

    /// The conditions by training frequency: a column uniformly, a level by its count.
    pub(crate) fn empirical(&self) -> EmpiricalConditions {
        let cumulate = |column: &ConditionColumn| {
            let mut sum = 0;
            let add = |&count: &u64| {
                sum += count;
                sum
            };
            (column.offset as u32, column.counts.iter().map(add).collect())
        };
        EmpiricalConditions { columns: self.columns.iter().map(cumulate).collect() }
    }

    /// Whether the columns are those of the encoder, for a model read from a file.
    pub(crate) fn fits(&self, encoder: &TableEncoder) -> bool {
        let slots = encoder.categories();
        let mut offset = 0;
        self.columns.len() == slots.len()
            && self.columns.iter().zip(slots).all(|(column, slot)| {
                let begins = offset;
                offset += slot.width;
                column.offset == begins
                    && (column.column, column.start) == (slot.column, slot.start)
                    && column.counts.len() == slot.width
                    && column.counts.iter().all(|&count| count > 0)
                    && column.rows().is_some_and(|rows| rows > 0)
            })
            && offset == self.width
    }
}

/// Draws the conditions of sampled rows.
#[derive(Debug)]
pub(crate) struct EmpiricalConditions {
    /// Per category column, its first unit and the cumulated counts of its levels.
    columns: Vec<(u32, Vec<u64>)>,
}

impl EmpiricalConditions {
    /// The unit of a condition; `None` without category columns.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Option<u32> {
        if self.columns.is_empty() {
            return None;
        }
        let (offset, cumulated) = &self.columns[rng.random_range(0..self.columns.len())];
        let point = rng.random_range(0..cumulated[cumulated.len() - 1]);
        let level = cumulated.partition_point(|&sum| sum <= point);
        Some(offset + level as u32)
    }
}

/// Training by sampling (Xu et al. 2019, section 4.3): draws conditions, and training rows that
/// meet them.
#[derive(Debug)]
pub(crate) struct TrainingSampler<'a> {
    space: &'a ConditionSpace,
    rows: usize,
    /// Per category column, cumulated training weights of its levels.
    cumulated: Vec<Vec<f64>>,
    /// Per category column, the rows sorted by level, and where each level begins.
    sorted: Vec<(Vec<u32>, Vec<usize>)>,
}

impl<'a> TrainingSampler<'a> {
    pub(crate) fn new(
        space: &'a ConditionSpace,
        encoder: &TableEncoder,
        encoded: &Encoded,
        log_frequency: bool,
    ) -> Self {
        let weight = |count: u64| {
            let count = count as f64;
            if log_frequency { (count + 1.0).ln() } else { count }
        };
        let cumulated = space.columns.iter().map(|column| {
            let mut sum = 0.0;
            let running = column.counts.iter().map(|&count| {
                sum += weight(count);
                sum
            });
            running.collect()
        });
        let sorted = encoder.categories().into_iter().zip(&space.columns).map(|(slot, column)| {
            let mut begins: Vec<usize> = vec![0];
            for &count in &column.counts {
                begins.push(begins[begins.len() - 1] + count as usize);
            }
            let mut next = begins.clone();
            let mut rows = vec![0; encoded.rows];
            for row in 0..encoded.rows {
                let level = encoded.hot_units(row)[slot.slot] as usize - slot.start;
                rows[next[level]] = row as u32;
                next[level] += 1;
            }
            (rows, begins)
        });
        Self { space, rows: encoded.rows, cumulated: cumulated.collect(), sorted: sorted.collect() }
    }

    /// A condition for a training batch: a column uniformly, a level by its training weight.
    pub(crate) fn draw_condition(&self, rng: &mut Rng) -> Drawn {
        let column = rng.random_range(0..self.cumulated.len());
        let cumulated = &self.cumulated[column];
        let total = cumulated[cumulated.len() - 1];
        let point = rng.random::<f64>() * total;
        let level = cumulated.partition_point(|&sum| sum <= point).min(cumulated.len() - 1);
        let unit = (self.space.columns[column].offset + level) as u32;
        Drawn { unit, column, level }
    }

    /// A training row that meets the condition, uniformly; any row without a condition.
    pub(crate) fn draw_row(&self, condition: Option<Drawn>, rng: &mut Rng) -> usize {
        let Some(condition) = condition else { return rng.random_range(0..self.rows) };
        let (rows, begins) = &self.sorted[condition.column];
        rows[rng.random_range(begins[condition.level]..begins[condition.level + 1])] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Column, ColumnSpec, Schema, Seed, Silent, Table};
    use transforms::EncoderOptions;

    /// Two category columns with unequal levels, so that an offset that is always 0 shows.
    fn encoded() -> (TableEncoder, Encoded) {
        let schema = Schema::new(vec![
            ColumnSpec::category("a", ["x", "y"]),
            ColumnSpec::number("n", 0),
            ColumnSpec::category("b", ["p", "q", "r"]),
        ]);
        let a = (0..1_000u32).map(|row| u32::from(row % 10 == 0)).collect();
        let n = (0..1_000).map(f64::from).collect();
        let b = (0..1_000u32).map(|row| if row < 900 { 0 } else { 1 + row % 2 }).collect();
        let cells = vec![Column::Codes(a), Column::Numbers(n), Column::Codes(b)];
        let table = Table::new(schema.unwrap(), cells).unwrap();
        let encoder =
            TableEncoder::fit(&table, &EncoderOptions::default(), Seed(1), 1, &mut Silent).unwrap();
        let encoded = encoder.encode(&table, Seed(1), 1).unwrap();
        (encoder, encoded)
    }

    fn shares(draws: impl Iterator<Item = u32>) -> Vec<f64> {
        let mut counts = [0.0; 5];
        let mut total = 0.0;
        for unit in draws {
            counts[unit as usize] += 1.0;
            total += 1.0;
        }
        counts.iter().map(|count| count / total).collect()
    }

    fn assert_close(seen: &[f64], expected: &[f64]) {
        assert!(
            seen.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.01),
            "{seen:?} {expected:?}"
        );
    }

    /// The library draws sampling conditions from the table of logarithms, with offsets that are
    /// always 0 (models.md 2.7, numbers 2 and 3).
    #[test]
    fn sampling_conditions_follow_the_training_frequencies_of_every_column() {
        let (encoder, encoded) = encoded();
        let space = ConditionSpace::new(&encoder, &encoded);
        assert!(space.fits(&encoder));
        let mut rng = Seed(2).stream("conditions");
        let conditions = space.empirical();
        let seen = shares((0..40_000).map(|_| conditions.draw(&mut rng).unwrap()));
        assert_close(&seen, &[0.45, 0.05, 0.45, 0.025, 0.025]);
        assert_eq!(space.unit(2, 1), Some(3));
        assert_eq!(space.unit(1, 0), None);
    }

    #[test]
    fn training_conditions_follow_the_logarithms_and_rows_meet_them() {
        let (encoder, encoded) = encoded();
        let space = ConditionSpace::new(&encoder, &encoded);
        let sampler = TrainingSampler::new(&space, &encoder, &encoded, true);
        let mut rng = Seed(2).stream("conditions");
        let drawn: Vec<Drawn> = (0..40_000).map(|_| sampler.draw_condition(&mut rng)).collect();
        let log = |count: f64| (count + 1.0).ln();
        let (a, b) = (log(900.0) + log(100.0), log(900.0) + 2.0 * log(50.0));
        let expected =
            [log(900.0) / a, log(100.0) / a, log(900.0) / b, log(50.0) / b, log(50.0) / b];
        let halved: Vec<f64> = expected.iter().map(|share| share / 2.0).collect();
        assert_close(&shares(drawn.iter().map(|drawn| drawn.unit)), &halved);
        for &condition in drawn.iter().take(2_000) {
            let row = sampler.draw_row(Some(condition), &mut rng);
            let (start, _) = space.span(condition);
            assert!(encoded.hot_units(row).contains(&((start + condition.level) as u32)));
        }
        let plain = TrainingSampler::new(&space, &encoder, &encoded, false);
        let seen = shares((0..40_000).map(|_| plain.draw_condition(&mut rng).unit));
        assert_close(&seen, &[0.45, 0.05, 0.45, 0.025, 0.025]);
    }
}
