use crate::score::Gap;

/// The classes that occur among the rows to learn from: learners are fitted to these alone.
#[derive(Debug)]
pub(crate) struct Present {
    all: usize,
    /// The classes that occur, ascending.
    pub(crate) classes: Vec<usize>,
    /// Of each of them, how many rows.
    pub(crate) counts: Vec<usize>,
    /// The labels as places among the classes that occur.
    pub(crate) labels: Vec<usize>,
}

impl Present {
    /// `labels` are below `classes`.
    pub(crate) fn of(labels: &[usize], classes: usize) -> Self {
        let counts = counts(labels, classes);
        let seen: Vec<usize> = (0..classes).filter(|&class| counts[class] > 0).collect();
        let mut places = vec![0; classes];
        seen.iter().enumerate().for_each(|(place, &class)| places[class] = place);
        Self {
            all: classes,
            counts: seen.iter().map(|&class| counts[class]).collect(),
            classes: seen,
            labels: labels.iter().map(|&label| places[label]).collect(),
        }
    }

    /// Weights that give every class the same total, and all rows together their number.
    pub(crate) fn balanced(&self) -> Vec<f64> {
        let kinds = self.classes.len() as f64;
        let weight =
            |&label: &usize| self.labels.len() as f64 / (kinds * self.counts[label] as f64);
        self.labels.iter().map(weight).collect()
    }

    /// Predictions from scores of the classes that occur; the others get 0.
    pub(crate) fn spread(&self, scores: &[f64]) -> Predictions {
        let kinds = self.classes.len();
        let mut spread = vec![0.0; scores.len() / kinds * self.all];
        for (own, spread) in scores.chunks_exact(kinds).zip(spread.chunks_exact_mut(self.all)) {
            self.classes.iter().zip(own).for_each(|(&class, &score)| spread[class] = score);
        }
        Predictions::new(self.all, spread)
    }

    /// The share of each class, for so many rows: what can be said without features.
    pub(crate) fn shares(&self, rows: usize) -> Predictions {
        let total = self.labels.len() as f64;
        let shares: Vec<f64> = self.counts.iter().map(|&count| count as f64 / total).collect();
        self.spread(&shares.repeat(rows))
    }
}

/// What a learner says about test rows: a score per row and class, higher for more likely classes.
#[derive(Debug)]
pub(crate) struct Predictions {
    classes: usize,
    /// Row-major, as many per row as there are classes.
    scores: Vec<f64>,
}

impl Predictions {
    pub(crate) fn new(classes: usize, scores: Vec<f64>) -> Self {
        Self { classes, scores }
    }

    /// The same class for every row.
    pub(crate) fn constant(classes: usize, class: usize, rows: usize) -> Self {
        let row = (0..classes).map(|at| f64::from(u8::from(at == class)));
        Self { classes, scores: row.collect::<Vec<_>>().repeat(rows) }
    }

    /// Area under the ROC curve: the chance that a row of a class gets a higher score for it than
    /// a row of another class, ties counting half. With more than two classes the plain mean over
    /// the classes that occur, each against the rest.
    ///
    /// In 0..=1, higher is better, 0.5 for scores that say nothing. Undefined when the truth has
    /// one class only.
    pub(crate) fn auc(&self, truth: &[usize]) -> Result<f64, Gap> {
        let present = counts(truth, self.classes);
        let areas: Vec<f64> = (0..self.classes)
            .filter(|&class| present[class] > 0 && present[class] < truth.len())
            .map(|class| self.one_against_rest(class, truth))
            .collect();
        match areas.len() {
            0 => Err(Gap::undefined("the holdout rows have one class only")),
            classes => Ok(areas.iter().sum::<f64>() / classes as f64),
        }
    }

    /// The plain mean over classes of `2 TP / (2 TP + FP + FN)`; classes that neither occur nor are
    /// predicted are left out. In 0..=1, higher is better.
    pub(crate) fn macro_f1(&self, truth: &[usize]) -> Result<f64, Gap> {
        let predicted = self.predicted();
        let (occurring, guessed) = (counts(truth, self.classes), counts(&predicted, self.classes));
        let mut hits = vec![0usize; self.classes];
        for (&class, _) in truth.iter().zip(&predicted).filter(|(a, b)| a == b) {
            hits[class] += 1;
        }
        let values: Vec<f64> = (0..self.classes)
            .filter(|&class| occurring[class] + guessed[class] > 0)
            .map(|class| 2.0 * hits[class] as f64 / (occurring[class] + guessed[class]) as f64)
            .collect();
        Ok(values.iter().sum::<f64>() / values.len() as f64)
    }

    /// `2 TP / (2 TP + FP + FN)` of one class; undefined where it neither occurs nor is predicted. In
    /// 0..=1, higher is better.
    pub(crate) fn f1_of(&self, class: usize, truth: &[usize]) -> Result<f64, Gap> {
        let predicted = self.predicted();
        let own = |labels: &[usize]| labels.iter().filter(|&&label| label == class).count();
        let hits = truth.iter().zip(&predicted).filter(|(a, b)| a == b && **a == class).count();
        match own(truth) + own(&predicted) {
            0 => Err(Gap::undefined(
                "the class neither occurs among the holdout rows nor is predicted",
            )),
            all => Ok(2.0 * hits as f64 / all as f64),
        }
    }

    /// Share of rows whose most likely class is the true one. In 0..=1, higher is better.
    pub(crate) fn accuracy(&self, truth: &[usize]) -> Result<f64, Gap> {
        let hits = self.predicted().iter().zip(truth).filter(|(a, b)| a == b).count();
        Ok(hits as f64 / truth.len() as f64)
    }

    /// The plain mean over the classes that occur of the share of their rows that are hit. In 0..=1,
    /// higher is better.
    pub(crate) fn balanced_accuracy(&self, truth: &[usize]) -> Result<f64, Gap> {
        let occurring = counts(truth, self.classes);
        let mut hits = vec![0usize; self.classes];
        for (class, _) in self.predicted().into_iter().zip(truth).filter(|(a, b)| a == *b) {
            hits[class] += 1;
        }
        let shares: Vec<f64> = (0..self.classes)
            .filter(|&class| occurring[class] > 0)
            .map(|class| hits[class] as f64 / occurring[class] as f64)
            .collect();
        Ok(shares.iter().sum::<f64>() / shares.len() as f64)
    }

    /// The mean of minus the logarithm of the share that the true class got, with shares not below
    /// 1e-15. From 0 up, lower is better.
    pub(crate) fn log_loss(&self, truth: &[usize]) -> Result<f64, Gap> {
        let loss = |(row, &class): (&[f64], &usize)| {
            let total: f64 = row.iter().sum();
            let share = if total > 0.0 { row[class] / total } else { 1.0 / row.len() as f64 };
            -share.clamp(1e-15, 1.0).ln()
        };
        Ok(self.rows().zip(truth).map(loss).sum::<f64>() / truth.len() as f64)
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.scores.chunks_exact(self.classes)
    }

    /// The class with the highest score; the first of equals.
    fn predicted(&self) -> Vec<usize> {
        let best = |row: &[f64]| {
            (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
        };
        self.rows().map(best).collect()
    }

    /// Mann and Whitney's statistic from mean ranks.
    fn one_against_rest(&self, class: usize, truth: &[usize]) -> f64 {
        let mut scored: Vec<(f64, bool)> =
            self.rows().zip(truth).map(|(row, &truth)| (row[class], truth == class)).collect();
        scored.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut wins, mut inside) = (0usize, 0.0, 0usize);
        for tie in scored.chunk_by(|a, b| a.0 == b.0) {
            let own = tie.iter().filter(|(_, own)| *own).count();
            let others = tie.len() - own;
            wins += own as f64 * (below as f64 + others as f64 / 2.0);
            below += others;
            inside += own;
        }
        wins / (inside as f64 * below as f64)
    }
}

/// Rows of each class.
pub(crate) fn counts(labels: &[usize], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let predictions = Predictions::new(2, vec![0.9, 0.1, 0.6, 0.4, 0.6, 0.4, 0.2, 0.8]);
        let truth = [0, 0, 1, 1];
        assert_eq!(predictions.auc(&truth).unwrap(), 0.875);
        assert_eq!(predictions.accuracy(&truth).unwrap(), 0.75);
        let want = (0.8 + 2.0 / 3.0) / 2.0;
        assert!((predictions.macro_f1(&truth).unwrap() - want).abs() < 1e-12);
        assert_eq!(predictions.f1_of(1, &truth).unwrap(), 2.0 / 3.0);
        assert_eq!(predictions.f1_of(0, &truth).unwrap(), 0.8);
        assert_eq!(predictions.balanced_accuracy(&[0, 1, 1, 1]).unwrap(), 2.0 / 3.0);
        let want = -(0.9f64.ln() + 0.6f64.ln() + 0.4f64.ln() + 0.8f64.ln()) / 4.0;
        assert!((predictions.log_loss(&truth).unwrap() - want).abs() < 1e-12);
        assert!(predictions.auc(&[1, 1, 1, 1]).is_err());
    }

    #[test]
    fn classes_that_do_not_occur_get_nothing() {
        let present = Present::of(&[3, 1, 1, 1], 4);
        assert_eq!((&present.classes[..], &present.counts[..]), (&[1, 3][..], &[3, 1][..]));
        assert_eq!(present.labels, [1, 0, 0, 0]);
        let total: f64 = present.balanced().iter().sum();
        assert!((total - 4.0).abs() < 1e-12 && present.balanced()[0] == 2.0);
        assert_eq!(present.shares(1).scores, [0.0, 0.75, 0.0, 0.25]);
        assert_eq!(present.spread(&[0.25, 0.75]).scores, [0.0, 0.25, 0.0, 0.75]);
    }

    #[test]
    fn a_constant_says_nothing() {
        let constant = Predictions::constant(3, 1, 4);
        assert_eq!(constant.auc(&[0, 1, 1, 2]).unwrap(), 0.5);
        assert_eq!(constant.accuracy(&[0, 1, 1, 2]).unwrap(), 0.5);
        assert!((constant.macro_f1(&[0, 1, 1, 2]).unwrap() - 2.0 / 9.0).abs() < 1e-12);
    }
}
