use super::{
    contingency::{CONTINGENCY_SIMILARITY, Classes, Coded, Contingency, contingency_similarity},
    correlation::{CORRELATION_SIMILARITY, correlation, correlation_similarity},
};
use crate::{
    Comparison, Group, Metric, Score, parallel,
    score::{Kind, Reading, mean},
    tables::{is_modelled, reference_rows},
};
use meg_core::{Column, Table};

const TREND: Kind = Kind::similarity("trend");
const TREND_DEPENDENT: Kind = Kind::similarity("trend_dependent");

/// A pair whose association in the training rows is above this counts as dependent.
const DEPENDENT: f64 = 0.3;

/// The mean over pairs of columns of `correlation_similarity` (two numbers) and
/// `contingency_similarity` (any pair with a category).
///
/// In 0..=1, higher is better. Pairs for which it is undefined are left out, counted and listed.
/// Independent pairs inflate `trend`: shuffled columns score high. `trend_dependent` is the mean
/// over the pairs that are dependent in the training rows, `|rho| > 0.3` for two numbers, Cramer's
/// V (bias-corrected, numbers binned) above 0.3 for the others; it is undefined where there is no
/// such pair. Source: "column pair trends" of SDMetrics' quality report, with the real bins that
/// `contingency_similarity` explains.
///
/// Gives both, then the means of either kind of pair, then each pair.
#[derive(Debug)]
pub(crate) struct Trend;

impl Metric for Trend {
    fn name(&self) -> &'static str {
        TREND.name
    }

    fn names(&self) -> Vec<&'static str> {
        vec![
            TREND.name,
            TREND_DEPENDENT.name,
            CORRELATION_SIMILARITY.name,
            CONTINGENCY_SIMILARITY.name,
        ]
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn about(&self) -> &'static str {
        "How near the dependence of each pair of columns comes to the real one."
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let pairs = measure(comparison);
        let rows = (comparison.train.rows(), comparison.synthetic.rows());
        let mut scores = vec![
            table_wide(&TREND, &pairs, rows, |_| true),
            table_wide(&TREND_DEPENDENT, &pairs, rows, |pair| pair.dependent),
            table_wide(&CORRELATION_SIMILARITY, &pairs, rows, |pair| pair.numeric),
            table_wide(&CONTINGENCY_SIMILARITY, &pairs, rows, |pair| !pair.numeric),
        ];
        if !pairs.is_empty() && !pairs.iter().any(|pair| pair.dependent) {
            scores[1].reason = Some("no pair is dependent in the training rows".into());
        }
        for pair in pairs {
            let kind = if pair.numeric { &CORRELATION_SIMILARITY } else { &CONTINGENCY_SIMILARITY };
            let reference = pair.reference.as_ref().and_then(Reading::ok);
            scores.push(Score::new(kind, &pair.names, pair.ours).with_reference(reference));
        }
        scores
    }
}

/// One pair of columns.
struct Pair<'a> {
    names: [&'a str; 2],
    /// Whether both are numbers.
    numeric: bool,
    /// Whether they are dependent in the training rows.
    dependent: bool,
    ours: Reading,
    reference: Option<Reading>,
}

fn table_wide(
    kind: &Kind,
    pairs: &[Pair<'_>],
    rows: (usize, usize),
    chosen: impl Fn(&Pair<'_>) -> bool,
) -> Score {
    let label = |pair: &Pair<'_>| pair.names.join(" × ");
    let chosen: Vec<&Pair<'_>> = pairs.iter().filter(|pair| chosen(pair)).collect();
    let ours = mean("pairs", chosen.iter().map(|pair| (label(pair), &pair.ours)), rows);
    let theirs = chosen.iter().filter_map(|pair| Some((label(pair), pair.reference.as_ref()?)));
    Score::new(kind, &[], ours).with_reference(mean("pairs", theirs, rows).ok())
}

/// Measures all pairs. What the real rows say is computed once per pair and forgotten after it, so
/// memory does not grow with the number of pairs.
fn measure<'a>(comparison: &Comparison<'a>) -> Vec<Pair<'a>> {
    let train = comparison.train;
    let columns: Vec<usize> =
        (0..train.columns().len()).filter(|&at| is_modelled(train, at)).collect();
    let holdout = reference_rows(comparison);
    let real = Side::new(train, train, &columns);
    let ours = Side::new(train, comparison.synthetic, &columns);
    let theirs = holdout.as_deref().map(|holdout| Side::new(train, holdout, &columns));
    let pairs: Vec<(usize, usize)> = (0..columns.len())
        .flat_map(|left| (left + 1..columns.len()).map(move |right| (left, right)))
        .collect();
    parallel::map(comparison.threads, pairs.len(), |pair| {
        let (left, right) = pairs[pair];
        let spec = |at: usize| &train.schema().columns[columns[at]];
        let numeric = spec(left).is_numeric() && spec(right).is_numeric();
        let measured = if numeric {
            correlations(&real, &ours, theirs.as_ref(), (left, right))
        } else {
            contingencies(&real, &ours, theirs.as_ref(), (left, right))
        };
        let (dependent, ours, reference) = measured;
        Pair { names: [&spec(left).name, &spec(right).name], numeric, dependent, ours, reference }
    })
}

/// The compared columns of one table, as cells and as classes.
struct Side<'a> {
    cells: Vec<&'a Column>,
    coded: Vec<Coded>,
}

impl<'a> Side<'a> {
    fn new(train: &Table, table: &'a Table, columns: &[usize]) -> Self {
        let coded = |&at: &usize| {
            let levels = train.schema().columns[at].levels().len();
            Classes::of(levels, &train.columns()[at]).assign(&table.columns()[at])
        };
        Self {
            cells: columns.iter().map(|&at| &table.columns()[at]).collect(),
            coded: columns.iter().map(coded).collect(),
        }
    }
}

type Measured = (bool, Reading, Option<Reading>);

fn correlations(
    real: &Side<'_>,
    ours: &Side<'_>,
    theirs: Option<&Side<'_>>,
    (left, right): (usize, usize),
) -> Measured {
    let of = |side: &Side<'_>| correlation(numbers(side, left), numbers(side, right));
    let train = of(real);
    let dependent = train.value.is_ok_and(|rho| rho.abs() > DEPENDENT);
    let against = |side: &Side<'_>| correlation_similarity(train, of(side));
    (dependent, against(ours), theirs.map(against))
}

/// The cells of a number column.
fn numbers<'a>(side: &Side<'a>, at: usize) -> &'a [f64] {
    match side.cells[at] {
        Column::Numbers(cells) => cells,
        _ => unreachable!("the schema says that the column holds numbers"),
    }
}

fn contingencies(
    real: &Side<'_>,
    ours: &Side<'_>,
    theirs: Option<&Side<'_>>,
    (left, right): (usize, usize),
) -> Measured {
    let of = |side: &Side<'_>| Contingency::of(&side.coded[left], &side.coded[right]);
    let train = of(real);
    let dependent = train.cramers_v().value.is_ok_and(|v| v > DEPENDENT);
    let against = |side: &Side<'_>| contingency_similarity(&train, &of(side));
    (dependent, against(ours), theirs.map(against))
}
