//! The laws of simulated tables, as the metrics want to ask them.

use crate::cell::SPLIT_SEED;
use datasets::{Chosen, Mixture, Network, Places, Source};
use eval::{Family, Modes, Refit, Truth};
use meg_core::{Error, Observer, Result, Table};

/// The coordinates of a mixture's rows.
const COLUMNS: [&str; 2] = ["x", "y"];

/// The law that the rows of a table were drawn from, if they were simulated.
///
/// # Errors
/// When the file of a network cannot be found or read.
pub fn truth(
    table: &Chosen,
    places: &Places,
    observer: &mut dyn Observer,
) -> Result<Option<Box<dyn Truth>>> {
    let Chosen::Named(entry) = table else { return Ok(None) };
    let name = entry.name;
    Ok(match &entry.source {
        Source::Mixture => datasets::mixture(name, SPLIT_SEED)
            .map(|law| Box::new(KnownMixture { name, law }) as Box<dyn Truth>),
        Source::Network => {
            let law = entry.network(places, observer)?;
            Some(Box::new(KnownNetwork { name: name.to_owned(), law }))
        }
        Source::Clinic => Some(Box::new(KnownClinic)),
        Source::Table { .. } => None,
    })
}

#[derive(Debug)]
struct KnownMixture {
    name: &'static str,
    law: Mixture,
}

impl Truth for KnownMixture {
    fn name(&self) -> &str {
        self.name
    }

    fn log_density(&self, table: &Table) -> Result<Vec<f64>> {
        let number = |name: &str| {
            let at = table.schema().find(name)?;
            match table.schema().columns[at].is_numeric() {
                true => Ok(table.numbers(at)),
                false => Err(Error::data(format!("{} needs numbers in {name:?}", self.name))),
            }
        };
        let points = number(COLUMNS[0])?.iter().zip(number(COLUMNS[1])?);
        Ok(points.map(|(&x, &y)| self.law.log_density([x, y])).collect())
    }

    fn family(&self) -> Family<'_> {
        Family::Mixture(Modes {
            columns: COLUMNS.map(str::to_owned).into(),
            centres: self.law.means.iter().map(|mean| mean.to_vec()).collect(),
            deviation: self.law.variance.sqrt(),
            components: components(self.law.means.len()),
        })
    }
}

/// How many components the program of the CTGAN paper fits: 30 for the 25 modes of `grid` and
/// `gridr`, 10 for the 8 of `ring`.
fn components(modes: usize) -> usize {
    match modes {
        25 => 30,
        8 => 10,
        other => other,
    }
}

#[derive(Debug)]
struct KnownNetwork {
    name: String,
    law: Network,
}

impl Truth for KnownNetwork {
    fn name(&self) -> &str {
        &self.name
    }

    fn log_density(&self, table: &Table) -> Result<Vec<f64>> {
        self.law.log_probability(table)
    }

    fn family(&self) -> Family<'_> {
        Family::Network(self)
    }
}

impl Refit for KnownNetwork {
    fn refit(&self, rows: &Table) -> Result<Box<dyn Truth>> {
        let name = format!("{} refitted", self.name);
        Ok(Box::new(Self { name, law: self.law.refit(rows)? }))
    }
}

#[derive(Debug)]
struct KnownClinic;

impl Truth for KnownClinic {
    fn name(&self) -> &str {
        "the clinic"
    }

    fn log_density(&self, table: &Table) -> Result<Vec<f64>> {
        datasets::clinic_log_probability(table)
    }

    fn family(&self) -> Family<'_> {
        Family::Density
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eval::Comparison;
    use meg_core::{Seed, Silent};
    use std::path::PathBuf;

    fn places() -> Places {
        Places { folders: Vec::new(), cache: PathBuf::new(), download: false }
    }

    fn law(name: &str) -> Option<Box<dyn Truth>> {
        truth(&Chosen::find(name).unwrap(), &places(), &mut Silent).unwrap()
    }

    /// The row "Identity" of the CTGAN paper's table of likelihoods: training rows in place of
    /// synthetic ones.
    #[test]
    fn training_rows_get_the_published_likelihoods() {
        for (name, published) in
            [("grid", -3.06), ("gridr", -3.06), ("ring", -1.70), ("asia", -2.235)]
        {
            let table = Chosen::find(name).unwrap();
            let data = table.load(&places(), SPLIT_SEED, &mut Silent).unwrap();
            let truth = law(name);
            let comparison = Comparison {
                train: &data.train,
                holdout: Some(&data.holdout),
                synthetic: &data.train,
                truth: truth.as_deref(),
                seed: Seed(1),
                threads: 2,
            };
            let metric =
                eval::METRICS.iter().find(|metric| metric.name() == "likelihood_synthetic");
            for score in metric.unwrap().score(&comparison) {
                let value = score.value.unwrap();
                assert!((value - published).abs() < 0.05, "{name} {}: {value}", score.name);
                assert_eq!(score.value, score.reference);
            }
        }
    }

    #[test]
    fn tables_without_a_law_have_none() {
        assert!(law("adult").is_none());
        assert!(matches!(law("clinic").unwrap().family(), Family::Density));
        assert!(matches!(law("gridr").unwrap().family(), Family::Mixture(m) if m.components == 30));
    }
}
