use meg_core::{Column, MISSING, Table};

/// Bins of observed cells per column, at most; with a bin for the rest or the missing ones every
/// bin has a number below 256.
const MOST: usize = 254;

/// How the cells of each column become small numbers, which is what makes a tree fast.
///
/// Numbers: if there are at most 254 values each has its bin, with the cuts half-way between
/// neighbours; otherwise the cuts are at the quantiles. Missing numbers have a bin of their own.
/// Categories: each of the 253 most frequent levels (missing counts as a level) has its bin, all
/// others and those that the fit did not see share one.
#[derive(Debug)]
pub(crate) struct Binning {
    features: Vec<Feature>,
}

#[derive(Debug)]
struct Feature {
    column: usize,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// Ascending cuts; a cell falls into the bin of the number of cuts below it.
    Cuts(Vec<f64>),
    /// Bin by code, missing last; the number of bins.
    Levels(Vec<u8>, usize),
}

/// Rows as bins, column after column.
#[derive(Debug)]
pub(crate) struct Binned {
    pub(crate) rows: usize,
    pub(crate) features: Vec<BinnedFeature>,
}

/// One column as bins.
#[derive(Debug)]
pub(crate) struct BinnedFeature {
    pub(crate) bins: usize,
    /// Whether the order of the bins means something; then the last bin is that of missing cells.
    pub(crate) ordered: bool,
    pub(crate) cells: Vec<u8>,
}

impl Binning {
    /// Bins of these columns, fitted on the named rows of one or more tables of one schema.
    pub(crate) fn fit(sources: &[(&Table, &[usize])], columns: &[usize]) -> Self {
        let rule = |column: usize| match &sources[0].0.columns()[column] {
            Column::Numbers(_) => {
                let cells = sources.iter().flat_map(|(table, rows)| {
                    let numbers = table.numbers(column);
                    rows.iter().map(|&row| numbers[row])
                });
                Rule::Cuts(cuts(cells.filter(|cell| !cell.is_nan()).collect()))
            }
            _ => {
                let levels = sources[0].0.schema().columns[column].levels().len();
                let mut counts = vec![0usize; levels + 1];
                for (table, rows) in sources {
                    let codes = table.codes(column);
                    rows.iter().for_each(|&row| counts[(codes[row] as usize).min(levels)] += 1);
                }
                levels_by_frequency(&counts)
            }
        };
        let features =
            columns.iter().map(|&column| Feature { column, rule: rule(column) }).collect();
        Self { features }
    }

    /// The columns behind the features, in order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> {
        self.features.iter().map(|feature| feature.column)
    }

    /// The named rows of several tables, one after the other.
    pub(crate) fn apply(&self, sources: &[(&Table, &[usize])]) -> Binned {
        let feature = |feature: &Feature| {
            let mut cells = Vec::new();
            for (table, rows) in sources {
                cells.extend(rows.iter().map(|&row| feature.bin(table, row)));
            }
            let (bins, ordered) = match &feature.rule {
                Rule::Cuts(cuts) => (cuts.len() + 2, true),
                Rule::Levels(_, bins) => (*bins, false),
            };
            BinnedFeature { bins, ordered, cells }
        };
        let rows = sources.iter().map(|(_, rows)| rows.len()).sum();
        Binned { rows, features: self.features.iter().map(feature).collect() }
    }
}

impl Feature {
    fn bin(&self, table: &Table, row: usize) -> u8 {
        match &self.rule {
            Rule::Cuts(cuts) => {
                let cell = table.numbers(self.column)[row];
                if cell.is_nan() {
                    return (cuts.len() + 1) as u8;
                }
                cuts.partition_point(|&cut| cut < cell) as u8
            }
            Rule::Levels(bins, _) => {
                let code = table.codes(self.column)[row];
                bins[if code == MISSING { bins.len() - 1 } else { code as usize }]
            }
        }
    }
}

impl Binned {
    /// Some of the rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let feature = |feature: &BinnedFeature| BinnedFeature {
            cells: rows.iter().map(|&row| feature.cells[row]).collect(),
            ..*feature
        };
        Self { rows: rows.len(), features: self.features.iter().map(feature).collect() }
    }
}

fn cuts(mut cells: Vec<f64>) -> Vec<f64> {
    cells.sort_unstable_by(f64::total_cmp);
    let mut values = cells.clone();
    values.dedup();
    if values.len() > MOST {
        // Quantiles of the cells, not of the values: dense regions get fine bins.
        let at = |bin: usize| cells[bin * (cells.len() - 1) / MOST];
        let mut chosen: Vec<f64> = (0..=MOST).map(at).collect();
        chosen.dedup();
        values = chosen;
        values.truncate(MOST);
    }
    let between = |pair: &[f64]| {
        let middle = pair[0] / 2.0 + pair[1] / 2.0;
        // Between two neighbouring doubles there is nothing.
        if middle < pair[1] { middle } else { pair[0] }
    };
    values.windows(2).map(between).collect()
}

fn levels_by_frequency(counts: &[usize]) -> Rule {
    let mut seen: Vec<usize> = (0..counts.len()).filter(|&level| counts[level] > 0).collect();
    // The sort is stable: of equally frequent levels the first in the schema has its own bin.
    seen.sort_by_key(|&level| std::cmp::Reverse(counts[level]));
    let own = seen.len().min(MOST - 1);
    let mut bins = vec![own as u8; counts.len()];
    seen[..own].iter().enumerate().for_each(|(bin, &level)| bins[level] = bin as u8);
    Rule::Levels(bins, own + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{ColumnSpec, Schema};

    #[test]
    fn cells_fall_into_their_bins() {
        let schema = Schema::new(vec![
            ColumnSpec::number("x", None).nullable(),
            ColumnSpec::category("c", ["a", "b", "never"]).nullable(),
        ])
        .unwrap();
        let table = |x: Vec<f64>, c: Vec<u32>| {
            Table::new(schema.clone(), vec![Column::Numbers(x), Column::Codes(c)]).unwrap()
        };
        let train = table(vec![1.0, 3.0, f64::NAN, 1.0], vec![1, 1, 0, MISSING]);
        let binning = Binning::fit(&[(&train, &[0, 1, 2, 3])], &[0, 1]);
        let other = table(vec![-9.0, 2.0, 2.1, f64::NAN], vec![1, 0, 2, MISSING]);
        let binned = binning.apply(&[(&other, &[0, 1, 2, 3])]);
        assert_eq!(binned.features[0].cells, [0, 0, 1, 2]);
        assert_eq!(binned.features[1].cells, [0, 1, 3, 2]);
        assert_eq!((binned.features[0].bins, binned.features[1].bins), (3, 4));
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let cuts = cuts((0..10_000).map(f64::from).collect());
        assert!(cuts.len() < MOST && cuts.len() > MOST - 5);
        let widths: Vec<f64> = cuts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(widths.iter().all(|width| (width - 39.4).abs() < 2.0));
    }

    #[test]
    fn neighbouring_doubles_are_told_apart() {
        let next = f64::from_bits(1.0f64.to_bits() + 1);
        assert_eq!(cuts(vec![1.0, next]), [1.0]);
    }
}
