//! The values that a training tells step by step, thinned to what a picture can show.

use meg_core::{Event, Phase};
use serde::{Deserialize, Serialize};

/// Points of a curve at most; beyond them neighbours are averaged, so that memory and files stay
/// small however long a training is.
const MOST_POINTS: usize = 400;

/// One named value over the updates of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Name, as the model tells it: `generator_loss`.
    pub name: String,
    /// Update and value. Where there were too many, the last update of a run of them and their mean.
    pub points: Vec<[f64; 2]>,
}

/// Listens to a training. Several trainings of one fit (folds, orders, phases) follow each other
/// on one axis.
#[derive(Debug, Default)]
pub struct Curves {
    series: Vec<Series>,
    /// Updates of the trainings before this one.
    before: u64,
    latest: u64,
}

#[derive(Debug)]
struct Series {
    name: &'static str,
    points: Vec<[f64; 2]>,
    /// Values behind one point.
    each: usize,
    /// Sum and number of the values that wait for their point.
    sum: f64,
    waiting: usize,
    /// Update of the latest value.
    at: f64,
}

impl Curves {
    /// Takes note of a step of training with values; of nothing else.
    pub fn hear(&mut self, event: &Event<'_>) {
        let Event::Step { phase: Phase::Train, done, values } = event else { return };
        if values.is_empty() {
            return;
        }
        if self.before + done <= self.latest {
            self.before = self.latest;
        }
        self.latest = self.before + done;
        for &(name, value) in values.iter().filter(|(_, value)| value.is_finite()) {
            let at = self.latest as f64;
            match self.series.iter_mut().find(|series| series.name == name) {
                Some(series) => series.add(at, value),
                None => {
                    let mut series =
                        Series { name, points: vec![], each: 1, sum: 0.0, waiting: 0, at };
                    series.add(at, value);
                    self.series.push(series);
                }
            }
        }
    }

    /// What was heard, in the order in which the values were first told.
    pub fn finish(self) -> Vec<Curve> {
        self.series.into_iter().map(Series::finish).collect()
    }
}

impl Series {
    fn add(&mut self, at: f64, value: f64) {
        self.sum += value;
        self.waiting += 1;
        self.at = at;
        if self.waiting == self.each {
            self.close();
        }
        if self.points.len() == 2 * MOST_POINTS {
            let halves = self.points.chunks_exact(2);
            self.points =
                halves.map(|pair| [pair[1][0], (pair[0][1] + pair[1][1]) / 2.0]).collect();
            self.each *= 2;
        }
    }

    fn close(&mut self) {
        self.points.push([self.at, self.sum / self.waiting as f64]);
        (self.sum, self.waiting) = (0.0, 0);
    }

    fn finish(mut self) -> Curve {
        if self.waiting > 0 {
            self.close();
        }
        let points = self.points.into_iter().map(|[at, value]| [at, rounded(value)]).collect();
        Curve { name: self.name.to_owned(), points }
    }
}

/// The number with six digits that count: more is noise, and would fill the files.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(trainings: &[u64], value: impl Fn(u64) -> f64) -> Vec<Curve> {
        let mut curves = Curves::default();
        for &steps in trainings {
            curves.hear(&Event::Start { phase: Phase::Train, total: None });
            for done in 1..=steps {
                let values = [("loss", value(done)), ("nothing", f64::NAN)];
                curves.hear(&Event::Step { phase: Phase::Train, done, values: &values });
                curves.hear(&Event::Step { phase: Phase::Sample, done, values: &values });
            }
        }
        curves.finish()
    }

    #[test]
    fn short_trainings_are_kept_as_they_are_and_follow_each_other() {
        let curves = heard(&[3, 2], |done| done as f64);
        assert_eq!(curves.len(), 1, "what is never finite has no curve");
        assert_eq!(curves[0].points, [[1., 1.], [2., 2.], [3., 3.], [4., 1.], [5., 2.]]);
    }

    #[test]
    fn long_trainings_are_thinned_to_means() {
        let curve = heard(&[100_000], |done| done as f64).remove(0);
        assert!((MOST_POINTS..=2 * MOST_POINTS).contains(&curve.points.len()));
        assert_eq!(curve.points.last().unwrap()[0], 100_000.0);
        // A mean over updates that end at x lies half of their number below x.
        let width = curve.points[1][0] - curve.points[0][0];
        for [at, value] in &curve.points[..curve.points.len() - 1] {
            let expected = at - (width - 1.0) / 2.0;
            assert!((value - expected).abs() < 1e-4 * expected, "{at} {value}");
        }
    }

    #[test]
    fn six_digits_count() {
        assert_eq!(rounded(0.123_456_789), 0.123_457);
        assert_eq!(rounded(-1e-300), -1e-300);
    }
}
