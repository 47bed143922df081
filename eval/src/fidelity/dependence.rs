use super::{
    association::{Absent, Associated},
    contingency::{Classes, Coded, Contingency, QUANTILE_BINS},
    correlation::{correlation, correlation_similarity},
};
use crate::{
    Comparison, Group, Metric, Score,
    numbers::ranks,
    parallel,
    score::{Gap, Goal, Kind, Reading, mean_for},
    tables::{is_modelled, reference_rows},
};
use meg_core::{Column, Table};

const SPEARMAN: Kind = Kind::similarity("spearman_similarity");
const NMI: Kind = Kind::distance("nmi_difference");
const WEIGHTED: Kind = Kind::distance("nmi_weighted_difference");
const ASSOCIATION: Kind = correlations_apart("association_difference");
const NORM: Kind = correlations_apart("association_norm");

/// Two correlations are 2 apart at most.
const fn correlations_apart(name: &'static str) -> Kind {
    Kind { name, goal: Goal::Minimize, range: [Some(0.0), Some(2.0)] }
}

/// Dependence of each pair of columns, measured in three ways.
///
/// - `spearman_similarity` (two numbers): `1 - |rho_R - rho_S| / 2` with the correlation of ranks
///   over complete rows; in 0..=1, higher is better.
/// - `nmi_difference`: `|NMI_R - NMI_S|`, where NMI is the mutual information over the geometric
///   mean of the entropies, with numbers in bins at 20 quantiles of the training cells and missing
///   as a class; in 0..=1, lower is better.
/// - `nmi_weighted_difference` (table): `sum w |NMI_R - NMI_S| / sum w` with `w = NMI_R + NMI_S`, so
///   that pairs without dependence do not dilute it; 1 minus it is what the TabPC paper reports.
/// - `association_difference`: the absolute difference of the association, which is Pearson's
///   correlation with its sign (two numbers), Cramer's V with bias correction (two categories) or the
///   correlation ratio (one of each); lower is better.
/// - `association_norm` (table): the root of the mean squared difference of associations, the
///   Frobenius norm of the difference of the two matrices by their size.
///
/// A pair is undefined where a training column is constant or either side has too few complete rows
/// (for Cramer's V: too few for its levels). Where only a synthetic column is constant its association
/// counts as 0, with a note: nothing of the dependence is left.
#[derive(Debug)]
pub(crate) struct Dependence;

impl Metric for Dependence {
    fn name(&self) -> &'static str {
        NMI.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![NMI.name, WEIGHTED.name, ASSOCIATION.name, NORM.name, SPEARMAN.name]
    }

    fn about(&self) -> &'static str {
        "How near ranks, mutual information and association of each pair of columns come to the real ones."
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let train = comparison.train;
        let columns: Vec<usize> =
            (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
        let pairs: Vec<(usize, usize)> = (0..columns.len())
            .flat_map(|left| (left + 1..columns.len()).map(move |right| (left, right)))
            .collect();
        let side = |table: &Table| {
            let side = Side::new(train, table, &columns);
            let measure = |pair: usize| side.measure(pairs[pair]);
            parallel::map(comparison.threads, pairs.len(), measure)
        };
        let real = side(train);
        let ours = side(comparison.synthetic);
        let theirs = reference_rows(comparison).map(|holdout| side(&holdout));
        let rows = (train.rows(), comparison.synthetic.rows());
        let label = |pair: usize| -> [&str; 2] {
            let (left, right) = pairs[pair];
            [left, right].map(|at| train.schema().columns[columns[at]].name.as_str())
        };
        let compared = |other: &[Measured]| -> Vec<Compared> {
            real.iter().zip(other).map(|(real, other)| Compared::new(real, other)).collect()
        };
        let ours = compared(&ours);
        let theirs = theirs.map(|theirs| compared(&theirs));
        let mut scores = Vec::new();
        for kind in [&NMI, &WEIGHTED, &ASSOCIATION, &NORM, &SPEARMAN] {
            let reference =
                theirs.as_ref().and_then(|theirs| table_wide(kind, theirs, &label, rows).ok());
            let reading = table_wide(kind, &ours, &label, rows);
            scores.push(Score::new(kind, &[], reading).with_reference(reference));
        }
        for (pair, compared) in ours.into_iter().enumerate() {
            let theirs = theirs.as_ref().map(|theirs| &theirs[pair]);
            let reference = |pick: fn(&Compared) -> Option<&Reading>| theirs.and_then(pick)?.ok();
            let names = label(pair);
            scores.push(
                Score::new(&NMI, &names, compared.nmi)
                    .with_reference(reference(|own| Some(&own.nmi))),
            );
            scores.push(
                Score::new(&ASSOCIATION, &names, compared.association)
                    .with_reference(reference(|own| Some(&own.association))),
            );
            if let Some(spearman) = compared.spearman {
                scores.push(
                    Score::new(&SPEARMAN, &names, spearman)
                        .with_reference(reference(|own| own.spearman.as_ref())),
                );
            }
        }
        scores
    }
}

/// What one table says of one pair.
#[derive(Debug)]
struct Measured {
    nmi: Associated,
    association: Associated,
    /// `None` where it does not apply.
    spearman: Option<Associated>,
}

/// What two tables say of one pair.
#[derive(Debug)]
struct Compared {
    nmi: Reading,
    /// The sum of both values.
    weight: f64,
    association: Reading,
    spearman: Option<Reading>,
}

impl Compared {
    fn new(real: &Measured, other: &Measured) -> Self {
        // A pair whose synthetic side shares no information weighs what its real side does.
        let weight = |side: &Measured| side.nmi.value.unwrap_or(0.0);
        Self {
            nmi: real.nmi.apart(other.nmi),
            weight: weight(real) + weight(other),
            association: real.association.apart(other.association),
            spearman: real
                .spearman
                .zip(other.spearman)
                .map(|(real, other)| correlation_similarity(real, other)),
        }
    }
}

fn table_wide<'a>(
    kind: &Kind,
    pairs: &[Compared],
    label: &impl Fn(usize) -> [&'a str; 2],
    rows: (usize, usize),
) -> Reading {
    let labelled = pairs.iter().enumerate().filter_map(|(at, pair)| {
        let reading = match kind.name {
            name if name == SPEARMAN.name => pair.spearman.as_ref()?,
            name if name == ASSOCIATION.name || name == NORM.name => &pair.association,
            _ => &pair.nmi,
        };
        Some((label(at).join(" × "), reading))
    });
    let mean = mean_for(kind.goal, "pairs", labelled, rows);
    if mean.value.is_err() {
        return mean;
    }
    let value = match kind.name {
        name if name == WEIGHTED.name => {
            let defined = pairs.iter().filter_map(|pair| Some((pair.nmi.ok()?, pair.weight)));
            let (sum, weight) = defined.fold((0.0, 0.0), |(sum, total), (difference, weight)| {
                (sum + weight * difference, total + weight)
            });
            match weight > 0.0 {
                true => Ok(sum / weight),
                false => Err(Gap::undefined("no pair shares any information")),
            }
        }
        name if name == NORM.name => {
            let squares: Vec<f64> =
                pairs.iter().filter_map(|pair| Some(pair.association.ok()?.powi(2))).collect();
            Ok((squares.iter().sum::<f64>() / squares.len() as f64).sqrt())
        }
        _ => return mean,
    };
    Reading { value, ..mean }
}

/// The compared columns of one table.
struct Side<'a> {
    cells: Vec<&'a Column>,
    /// Classes with numbers in quantile bins of the training column.
    coded: Vec<Coded>,
    /// Ranks of number columns without missing cells.
    ranks: Vec<Option<Vec<f64>>>,
}

impl<'a> Side<'a> {
    fn new(train: &Table, table: &'a Table, columns: &[usize]) -> Self {
        let coded = |&at: &usize| {
            let levels = train.schema().columns[at].levels().len();
            let classes = Classes::quantiles(levels, &train.columns()[at], QUANTILE_BINS);
            classes.assign(&table.columns()[at])
        };
        let ranked = |&at: &usize| match &table.columns()[at] {
            Column::Numbers(cells) if !cells.iter().any(|cell| cell.is_nan()) => Some(ranks(cells)),
            _ => None,
        };
        Self {
            cells: columns.iter().map(|&at| &table.columns()[at]).collect(),
            coded: columns.iter().map(coded).collect(),
            ranks: columns.iter().map(ranked).collect(),
        }
    }

    fn measure(&self, (left, right): (usize, usize)) -> Measured {
        let nmi = Contingency::of(&self.coded[left], &self.coded[right]).normalised_information();
        let (association, spearman) = match (self.cells[left], self.cells[right]) {
            (Column::Numbers(x), Column::Numbers(y)) => {
                (correlation(x, y), Some(self.spearman(left, right, x, y)))
            }
            (Column::Numbers(x), _) => (correlation_ratio(&self.coded[right], x), None),
            (_, Column::Numbers(y)) => (correlation_ratio(&self.coded[left], y), None),
            _ => (Contingency::of(&self.coded[left], &self.coded[right]).cramers_v(), None),
        };
        let association =
            Associated { value: association.value.map(|own| own.min(1.0)), ..association };
        Measured { nmi, association, spearman }
    }

    fn spearman(&self, left: usize, right: usize, x: &[f64], y: &[f64]) -> Associated {
        if let (Some(x), Some(y)) = (&self.ranks[left], &self.ranks[right]) {
            return correlation(x, y);
        }
        let rows = x.len();
        // Ranks are among the complete rows, as the correlation is.
        let (x, y): (Vec<f64>, Vec<f64>) =
            x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan()).unzip();
        Associated { rows, ..correlation(&ranks(&x), &ranks(&y)) }
    }
}

/// `sqrt(sum over classes n_c (mean_c - mean)^2 / sum (x - mean)^2)` over the observed numbers, with
/// missing as a class of the category; absent where the numbers or the classes do not vary.
fn correlation_ratio(classes: &Coded, numbers: &[f64]) -> Associated {
    let most = numbers.iter().filter(|cell| !cell.is_nan()).fold(0.0f64, |a, b| a.max(b.abs()));
    let complete = || {
        let pairs = classes.cells().iter().zip(numbers).filter(|(_, cell)| !cell.is_nan());
        // Cells are brought to at most 1, so that no square overflows.
        pairs.map(|(&class, &cell)| (class as usize, cell / most))
    };
    let rows = complete().count();
    let found = |value| Associated { value, complete: rows, rows: numbers.len() };
    let Some(first) = complete().next().filter(|_| rows > 1) else {
        return found(Err(Absent::Few));
    };
    let varies =
        |differs: fn((usize, f64), (usize, f64)) -> bool| complete().any(|own| differs(own, first));
    if !varies(|a, b| a.0 != b.0) || !varies(|a, b| a.1 != b.1) {
        return found(Err(Absent::Constant));
    }
    let width = classes.counts().len();
    let (mut counts, mut sums) = (vec![0.0; width], vec![0.0; width]);
    let (mut count, mut total) = (0.0, 0.0);
    for (class, cell) in complete() {
        counts[class] += 1.0;
        sums[class] += cell;
        count += 1.0;
        total += cell;
    }
    let mean = total / count;
    let all: f64 = complete().map(|(_, cell)| (cell - mean).powi(2)).sum();
    let between: f64 = counts
        .iter()
        .zip(&sums)
        .filter(|(count, _)| **count > 0.0)
        .map(|(count, sum)| count * (sum / count - mean).powi(2))
        .sum();
    let ratio = (between / all).sqrt();
    // Cells that differ in nothing but their last digit may leave no variance to divide by.
    found(if ratio.is_finite() { Ok(ratio) } else { Err(Absent::Constant) })
}
