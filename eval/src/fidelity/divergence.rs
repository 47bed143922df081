use super::{
    columns::by_column,
    contingency::{Classes, QUANTILE_BINS},
};
use crate::{
    Comparison, Group, Metric, Score,
    score::{Gap, Kind, Reading},
};
use statrs::distribution::{ChiSquared, ContinuousCDF};

const KINDS: [Kind; 4] = [
    Kind::distance("jensen_shannon"),
    Kind::unbounded("kl_real_synthetic"),
    Kind::unbounded("kl_synthetic_real"),
    Kind::distance("chi_square_v"),
];

/// Expected rows of a class at least, for the p-value.
const LEAST_EXPECTED: f64 = 5.0;

/// Divergences between the class shares of each column, and their means over columns.
///
/// Classes are the levels of a category, or bins of a number at 20 quantiles of the training cells
/// with open ends; missing is a class of its own. With shares `p` (training) and `q` (synthetic):
///
/// - `jensen_shannon`: `(KL(p|m) + KL(q|m)) / 2` with `m = (p + q) / 2` and logarithms to base 2, in
///   0..=1. The divergence, not its root. Nothing is added to the shares.
/// - `kl_real_synthetic`: `sum p ln(p / q)` from counts smoothed as `(c + 1/2) / (n + K/2)`, with K
///   classes that either side has; from 0 up. It punishes modes that were dropped.
/// - `kl_synthetic_real`: `sum q ln(q / p)`. It punishes modes that were invented.
/// - `chi_square_v`: Cramer's V of the table of two sides by classes, `sqrt(chi2 / (r + s))`, in
///   0..=1. The note gives the p-value, for which classes with fewer than 5 expected rows are
///   merged; it falls with the number of rows whatever the effect, so it ranks nothing.
///
/// Lower is better. Undefined when a side has no row. Two libraries differ in the direction of KL
/// (SDMetrics has the second, synthcity the first); synthcity adds 1 to shares before Jensen and
/// Shannon's divergence and gives shares to the chi-square test.
#[derive(Debug)]
pub(crate) struct Divergences;

impl Metric for Divergences {
    fn name(&self) -> &'static str {
        KINDS[0].name
    }

    fn names(&self) -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    fn about(&self) -> &'static str {
        "How far the shares of the classes of each column are from the real ones."
    }

    fn group(&self) -> Group {
        Group::Fidelity
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        by_column(
            comparison,
            &KINDS,
            |_| true,
            |at, train, other| {
                let levels = train.schema().columns[at].levels().len();
                let classes = Classes::quantiles(levels, &train.columns()[at], QUANTILE_BINS);
                let counts = |column| classes.assign(column).counts();
                measure(&counts(&train.columns()[at]), &counts(&other.columns()[at]))
            },
        )
    }
}

fn measure(real: &[usize], synthetic: &[usize]) -> Vec<Reading> {
    let rows = [real, synthetic].map(|counts| counts.iter().sum::<usize>());
    let reading = |value| Reading::new(value, rows[0], rows[1]);
    let gap = match rows {
        [0, _] => Some(Gap::undefined("there is no real row")),
        [_, 0] => Some(Gap::undefined("there is no synthetic row")),
        _ => None,
    };
    if let Some(gap) = gap {
        return KINDS.iter().map(|_| reading(Err(gap.clone()))).collect();
    }
    let pairs: Vec<(f64, f64)> = real
        .iter()
        .zip(synthetic)
        .filter(|(a, b)| **a + **b > 0)
        .map(|(&a, &b)| (a as f64, b as f64))
        .collect();
    let totals = (rows[0] as f64, rows[1] as f64);
    let p_value = p_value(&pairs, totals);
    vec![
        reading(Ok(jensen_shannon(&pairs, totals))),
        reading(Ok(kl(&pairs, totals))),
        reading(Ok(kl(&swapped(&pairs), (totals.1, totals.0)))),
        reading(Ok((chi_square(&pairs, totals) / (totals.0 + totals.1)).sqrt().min(1.0)))
            .note(p_value.map(|p| format!("{P_VALUE}{p:.2e}"))),
    ]
}

/// What stands before the p-value in the note of `chi_square_v`.
const P_VALUE: &str = "p = ";

/// The p-value of the chi-square test behind a column's `chi_square_v`: above 0.05 nothing speaks
/// against equal shares, at this number of rows. `None` for other scores and where there is none.
pub fn chi_square_p(score: &Score) -> Option<f64> {
    let note = score.reason.as_deref().filter(|_| score.name == KINDS[3].name)?;
    note.strip_prefix(P_VALUE)?.split([';', ' ']).next()?.parse().ok()
}

fn swapped(pairs: &[(f64, f64)]) -> Vec<(f64, f64)> {
    pairs.iter().map(|&(a, b)| (b, a)).collect()
}

fn jensen_shannon(pairs: &[(f64, f64)], (r, s): (f64, f64)) -> f64 {
    let part = |own: f64, middle: f64| if own > 0.0 { own * (own / middle).log2() } else { 0.0 };
    let sum: f64 = pairs
        .iter()
        .map(|&(a, b)| {
            let (p, q) = (a / r, b / s);
            let middle = f64::midpoint(p, q);
            part(p, middle) + part(q, middle)
        })
        .sum();
    (sum / 2.0).clamp(0.0, 1.0)
}

fn kl(pairs: &[(f64, f64)], (r, s): (f64, f64)) -> f64 {
    let half = pairs.len() as f64 / 2.0;
    let term = |&(a, b): &(f64, f64)| {
        let (p, q) = ((a + 0.5) / (r + half), (b + 0.5) / (s + half));
        p * (p / q).ln()
    };
    pairs.iter().map(term).sum::<f64>().max(0.0)
}

/// `sum (O - E)^2 / E` over the table of two rows.
fn chi_square(pairs: &[(f64, f64)], (r, s): (f64, f64)) -> f64 {
    let term = |&(a, b): &(f64, f64)| {
        let (of_r, of_s) = ((a + b) * r / (r + s), (a + b) * s / (r + s));
        (a - of_r).powi(2) / of_r + (b - of_s).powi(2) / of_s
    };
    pairs.iter().map(term).sum()
}

/// `None` with fewer than two classes after merging.
fn p_value(pairs: &[(f64, f64)], totals: (f64, f64)) -> Option<f64> {
    let least = totals.0.min(totals.1) / (totals.0 + totals.1);
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    let mut rest = (0.0, 0.0);
    for (a, b) in sorted {
        let small = |pair: (f64, f64)| (pair.0 + pair.1) * least < LEAST_EXPECTED;
        if small((a, b)) || (small(rest) && rest != (0.0, 0.0)) {
            rest = (rest.0 + a, rest.1 + b);
        } else {
            merged.push((a, b));
        }
    }
    if rest != (0.0, 0.0) {
        merged.push(rest);
    }
    let freedom = merged.len().checked_sub(1).filter(|&freedom| freedom > 0)?;
    let law = ChiSquared::new(freedom as f64).ok()?;
    Some(law.sf(chi_square(&merged, totals)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disjoint_shares_are_as_far_as_can_be() {
        let values: Vec<f64> =
            measure(&[10, 0, 0], &[0, 10, 0]).iter().map(|reading| reading.ok().unwrap()).collect();
        assert_eq!((values[0], values[3]), (1.0, 1.0));
        assert!(values[1] > 2.0 && (values[1] - values[2]).abs() < 1e-12);
    }

    #[test]
    fn p_values_are_those_of_the_table_by_hand() {
        // scipy.stats.chi2_contingency([[500, 300, 200], [200, 300, 500]], correction=False)
        let pairs = [(500.0, 200.0), (300.0, 300.0), (200.0, 500.0)];
        let chi = chi_square(&pairs, (1_000.0, 1_000.0));
        assert!((chi - 257.142_857_142_857_1).abs() < 1e-9, "{chi}");
        let p = p_value(&pairs, (1_000.0, 1_000.0)).unwrap();
        assert!((p.ln() - -128.571_428_571).abs() < 1e-6, "{p}");
        assert_eq!(p_value(&[(10.0, 10.0)], (10.0, 10.0)), None);
        // Two rare classes are merged with the next; two classes remain.
        let few = [(1.0, 2.0), (1.0, 0.0), (49.0, 49.0), (49.0, 49.0)];
        assert!(p_value(&few, (100.0, 100.0)).unwrap() > 0.5);
    }

    #[test]
    fn p_values_are_found_in_the_note() {
        let score = |kind: usize| {
            Score::new(
                &KINDS[kind],
                &["c"],
                measure(&[500, 300, 200], &[200, 300, 500])[kind].clone(),
            )
        };
        let p = chi_square_p(&score(3)).unwrap();
        assert!((p.ln() - -128.571).abs() < 0.01, "{p}");
        assert_eq!(chi_square_p(&score(0)), None);
    }

    /// scipy's `chi2_contingency` on the golden tables. Where every class has enough expected rows
    /// nothing is merged, and the p-value is scipy's.
    #[test]
    fn chi_squares_agree_with_golden_values() {
        let expected: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/expected.json")).unwrap();
        let real = rows(include_str!("../../tests/golden/train.csv"));
        let mut unmerged = 0;
        for (name, text) in [
            ("copy", include_str!("../../tests/golden/train.csv")),
            ("fresh", include_str!("../../tests/golden/fresh.csv")),
            ("independent", include_str!("../../tests/golden/independent.csv")),
            ("noisy", include_str!("../../tests/golden/noisy.csv")),
        ] {
            let synthetic = rows(text);
            for (column, want) in expected[name]["columns"].as_object().unwrap() {
                let Some(chi2) = want.get("chi2_unmerged") else { continue };
                let at = real[0].iter().position(|own| own == column).unwrap();
                let pairs = counts(&real[1..], &synthetic[1..], at);
                let totals = ((real.len() - 1) as f64, (synthetic.len() - 1) as f64);
                let got = chi_square(&pairs, totals);
                let number = |name: &str| want[name].as_f64().unwrap();
                let what = format!("{name} {column}: {got}");
                assert!((got - chi2.as_f64().unwrap()).abs() < 1e-9, "{what}");
                assert_eq!(pairs.len() - 1, number("degrees_of_freedom") as usize, "{what}");
                let small = |(a, b): &(f64, f64)| {
                    (a + b) * totals.0.min(totals.1) / (totals.0 + totals.1) < LEAST_EXPECTED
                };
                if !pairs.iter().any(small) {
                    let p = p_value(&pairs, totals).unwrap();
                    assert!((p - number("p_value_unmerged")).abs() < 1e-9, "{what}, p {p}");
                    unmerged += 1;
                }
            }
        }
        assert!(unmerged >= 16, "{unmerged}");
    }

    fn rows(text: &str) -> Vec<Vec<&str>> {
        text.lines().map(|line| line.split(',').collect()).collect()
    }

    /// Rows of either table by level, levels that occur.
    fn counts(real: &[Vec<&str>], synthetic: &[Vec<&str>], at: usize) -> Vec<(f64, f64)> {
        let mut counts = std::collections::BTreeMap::<&str, (f64, f64)>::new();
        real.iter().for_each(|row| counts.entry(row[at]).or_default().0 += 1.0);
        synthetic.iter().for_each(|row| counts.entry(row[at]).or_default().1 += 1.0);
        counts.into_values().collect()
    }
}
