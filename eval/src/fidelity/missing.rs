use crate::{
    Comparison, Group, Metric, Score,
    score::{Gap, Kind, Reading, mean},
    tables::{is_modelled, reference_rows},
};
use meg_core::{Column, Table};

const MISSING_SIMILARITY: Kind = Kind::similarity("missing_similarity");

/// `1 - |share missing in R - share missing in S|`, for each nullable column and as their mean.
///
/// In 0..=1, higher is better. Undefined when a side has no row. Scored apart from the observed
/// cells: dropping missing cells in silence would praise a column that is nearly all missing.
/// Source: `MissingValueSimilarity` of SDMetrics.
#[derive(Debug)]
pub(crate) struct MissingSimilarity;

impl Metric for MissingSimilarity {
    fn name(&self) -> &'static str {
        MISSING_SIMILARITY.name
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn about(&self) -> &'static str {
        "How near the share of missing cells of each nullable column comes to the real one."
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
        for (part, (&at, reading)) in columns.iter().zip(ours).enumerate() {
            let reference = theirs.as_ref().and_then(|readings| readings[part].ok());
            scores.push(
                Score::new(&MISSING_SIMILARITY, &[name(at)], reading).with_reference(reference),
            );
        }
        scores
    }
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
