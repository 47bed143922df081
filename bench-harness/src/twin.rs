//! A synthetic twin of one table at hand, in this process: trained, drawn, scored. It is a cell
//! whose rows come from the caller and whose model and synthetic rows are kept.

use crate::beside;
use crate::cell::{self, Job, Watch};
use crate::curves::Curve;
use crate::details::Details;
use crate::record::Record;
use crate::registry;
use eval::Comparison;
use meg_core::{Column, ColumnSpec, Fitted, Observer, Result, Schema, Seed, Table};

/// What was made.
#[derive(Debug)]
pub struct Twin {
    /// The trained model.
    pub fitted: Box<dyn Fitted>,
    /// Its rows.
    pub synthetic: Table,
    /// Scores, times and notes, as of a cell of a benchmark.
    pub record: Record,
    /// What the report draws.
    pub details: Details,
}

/// Trains the model of the job on these rows, draws, and scores what was drawn.
///
/// # Errors
/// Those of the model and of the metrics' selection, and interruption: there is no twin without all
/// of it.
pub fn make(
    job: &Job,
    (train, holdout): (&Table, &Table),
    rows: usize,
    observer: &mut dyn Observer,
) -> Result<Twin> {
    let choice = registry::choose(&job.model, &cell::parse_settings(&job.settings)?)?;
    let mut watch = Watch::new(observer);
    let mut record = job.record();
    let mut details = Details::new(record.key.clone());
    record.rows.train = train.rows() as u64;
    record.rows.holdout = holdout.rows() as u64;
    let fitted = cell::fit(job, &choice.recipe, train, &mut record, &mut watch)?;
    details.describe(fitted.as_ref());
    details.curves = watch.curves();
    let synthetic = cell::sample(job, fitted.as_ref(), (train, rows), &mut record, &mut watch)?;
    let comparison = Comparison {
        train,
        holdout: Some(holdout),
        synthetic: &synthetic,
        truth: None,
        seed: Seed(job.seed),
        threads: job.threads,
    };
    cell::evaluate(job, &comparison, (&mut record, &mut details), &mut watch)?;
    details.project(&comparison);
    details.columns = beside::columns(&comparison);
    let record = cell::close(record, Ok(()), &watch);
    Ok(Twin { fitted, synthetic, record, details })
}

/// The curves of a training as a table of three columns: update, name and value.
///
/// # Errors
/// Never for curves that a training told.
pub fn training_log(curves: &[Curve]) -> Result<Table> {
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    let schema = Schema::new(vec![
        ColumnSpec::number("update", 0),
        ColumnSpec::category("name", names),
        ColumnSpec::number("value", None),
    ])?;
    let cells = || {
        let numbered = curves.iter().zip(0u32..);
        numbered.flat_map(|(curve, at)| curve.points.iter().map(move |point| (at, point)))
    };
    let columns = vec![
        Column::Numbers(cells().map(|(_, point)| point[0]).collect()),
        Column::Codes(cells().map(|(at, _)| at).collect()),
        Column::Numbers(cells().map(|(_, point)| point[1]).collect()),
    ];
    Table::new(schema, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_a_line_per_point() {
        let curve =
            |name: &str, points: &[[f64; 2]]| Curve { name: name.into(), points: points.to_vec() };
        let log = training_log(&[
            curve("loss", &[[1.0, 0.5], [2.0, 0.25]]),
            curve("discriminator_accuracy", &[[2.0, 0.75]]),
        ])
        .unwrap();
        assert_eq!(log.rows(), 3);
        assert_eq!(log.text(2, 1).as_deref(), Some("discriminator_accuracy"));
        assert_eq!(log.text(2, 2).as_deref(), Some("0.75"));
        assert_eq!(training_log(&[]).unwrap().rows(), 0);
    }
}
