use crate::{
    Comparison, Group, Metric, Score,
    score::{Gap, Kind, Reading, mean},
    tables::{is_modelled, reference_rows},
};
use meg_core::{Column, Table};
use std::collections::BTreeMap;

const MISSING_SIMILARITY: Kind = Kind::similarity("missing_similarity");
const PATTERN: Kind = Kind::similarity("missing_pattern_similarity");

/// Patterns that are compared one by one; all others are one.
const MOST_PATTERNS: usize = 50;

/// `1 - |share missing in R - share missing in S|`, for each nullable column and as their mean.
///
/// In 0..=1, higher is better. Undefined when a side has no row. Scored apart from the observed
/// cells: dropping missing cells in silence would praise a column that is nearly all missing.
/// Source: `MissingValueSimilarity` of SDMetrics.
///
/// `missing_pattern_similarity` (table): one minus the total variation distance between the shares
/// of missing patterns, that is of which nullable cells of a row are missing together; the 50
/// patterns that are most frequent in training are told apart, all others are one. It sees cells
/// that are missing independently of each other where real ones go together.
#[derive(Debug)]
pub(crate) struct MissingSimilarity;

impl Metric for MissingSimilarity {
    fn name(&self) -> &'static str {
        MISSING_SIMILARITY.name
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn names(&self) -> Vec<&'static str> {
        vec![MISSING_SIMILARITY.name, PATTERN.name]
    }

    fn about(&self) -> &'static str {
        "How near the shares of missing cells of each nullable column and of patterns of them come to the real ones."
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let (train, synthetic) = (comparison.train, comparison.synthetic);
        let columns: Vec<usize> = (0..train.columns().len())
            .filter(|&at| is_modelled(train, at) && train.schema().columns[at].nullable)
            .collect();
        let holdout = reference_rows(comparison);
        let name = |at: usize| train.schema().columns[at].name.as_str();
        let readings = |other: &Table| -> Vec<Reading> {
            columns
                .iter()
                .map(|&at| similarity(&train.columns()[at], &other.columns()[at]))
                .collect()
        };
        let table_wide = |readings: &[Reading], rows: usize| {
            let labelled = columns.iter().zip(readings).map(|(&at, r)| (name(at).to_owned(), r));
            mean("columns", labelled, (train.rows(), rows))
        };
        let ours = readings(synthetic);
        let theirs = holdout.as_deref().map(readings);
        let reference = theirs.as_ref().and_then(|readings| table_wide(readings, 0).ok());
        let mut scores = vec![
            Score::new(&MISSING_SIMILARITY, &[], table_wide(&ours, synthetic.rows()))
                .with_reference(reference),
        ];
        let patterns = |other: &Table| pattern_similarity(train, other, &columns);
        let reference = holdout.as_deref().and_then(|holdout| patterns(holdout).ok());
        scores.push(Score::new(&PATTERN, &[], patterns(synthetic)).with_reference(reference));
        for (part, (&at, reading)) in columns.iter().zip(ours).enumerate() {
            let reference = theirs.as_ref().and_then(|readings| readings[part].ok());
            scores.push(
                Score::new(&MISSING_SIMILARITY, &[name(at)], reading).with_reference(reference),
            );
        }
        scores
    }
}

fn pattern_similarity(real: &Table, synthetic: &Table, columns: &[usize]) -> Reading {
    let reading = |value| Reading::new(value, real.rows(), synthetic.rows());
    let gap = match (columns.is_empty(), real.rows(), synthetic.rows()) {
        (true, ..) => Some("no column is nullable"),
        (_, 0, _) => Some("there is no real row"),
        (_, _, 0) => Some("there is no synthetic row"),
        _ => None,
    };
    if let Some(gap) = gap {
        return reading(Err(Gap::undefined(gap)));
    }
    let (ours, theirs) = (patterns(real, columns), patterns(synthetic, columns));
    let mut order: Vec<(&Vec<bool>, f64)> = ours.iter().map(|(own, share)| (own, *share)).collect();
    // The map is ordered and the sort is stable: equal shares keep the order of their patterns.
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    order.truncate(MOST_PATTERNS);
    let other = |pattern: &Vec<bool>| theirs.get(pattern).copied().unwrap_or(0.0);
    let told: f64 = order.iter().map(|(pattern, share)| (share - other(pattern)).abs()).sum();
    let rest = |shares: f64| (1.0 - shares).max(0.0);
    let ours_rest = rest(order.iter().map(|(_, share)| share).sum());
    let theirs_rest = rest(order.iter().map(|(pattern, _)| other(pattern)).sum());
    let distance = (told + (ours_rest - theirs_rest).abs()) / 2.0;
    reading(Ok((1.0 - distance).clamp(0.0, 1.0)))
}

/// The share of rows of each pattern.
fn patterns(table: &Table, columns: &[usize]) -> BTreeMap<Vec<bool>, f64> {
    let mut counts = BTreeMap::<Vec<bool>, usize>::new();
    for row in 0..table.rows() {
        let missing = columns.iter().map(|&at| table.columns()[at].is_missing(row)).collect();
        *counts.entry(missing).or_default() += 1;
    }
    let rows = table.rows() as f64;
    counts.into_iter().map(|(pattern, count)| (pattern, count as f64 / rows)).collect()
}

fn similarity(real: &Column, synthetic: &Column) -> Reading {
    let share = |column: &Column| {
        let missing = (0..column.len()).filter(|&row| column.is_missing(row)).count();
        missing as f64 / column.len() as f64
    };
    let value = match (real.is_empty(), synthetic.is_empty()) {
        (true, _) => Err(Gap::undefined("there is no real row")),
        (_, true) => Err(Gap::undefined("there is no synthetic row")),
        _ => Ok(1.0 - (share(real) - share(synthetic)).abs()),
    };
    Reading::new(value, real.len(), synthetic.len())
}
