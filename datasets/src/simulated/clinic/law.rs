//! What the law of the clinic says of given rows.

use super::{
    DAY, DAYS, FIRST_DAY, INSURANCE, INSURANCE_BY_AGE, NOT_MEASURED, READMITTED, REGIONS, SEX,
    SMOKING, STAGE, STAGE_STEPS, WARD, WARD_BY_STAGE, age_group, chance_of_high_glucose, risk,
    severity, sigmoid, smoking_shares,
};
use meg_core::{MISSING, Result, Table};
use statrs::function::erf::erfc;
use std::f64::consts::{PI, SQRT_2};

/// The natural logarithm of the probability of each row under the law of [`clinic`](super::clinic);
/// negative infinity where a row is impossible (a senior insurance at 40 years, a category or a day
/// that the law does not know, a missing cell other than the marker's).
///
/// All cells of the clinic are rounded, so that every row has a probability and not only a density:
/// the product over the columns, in their order, of the probability of the cell given the cells before
/// it. A number has the probability of the interval that is rounded to it, and those at which it is
/// clamped that of everything beyond. The sampler cuts the logistic draw at one in 2^52, which is
/// left out here.
///
/// # Errors
/// A request error when a column of the clinic is not there, a data error when one is of another
/// kind.
pub fn clinic_log_probability(table: &Table) -> Result<Vec<f64>> {
    let columns = Columns::of(table)?;
    let row = |row| match columns.row(row) {
        // Beside a cell that cannot be, another cell's factor may be no number.
        Some(row) if row.factors().contains(&f64::NEG_INFINITY) => f64::NEG_INFINITY,
        Some(row) => row.factors().iter().sum(),
        None => f64::NEG_INFINITY,
    };
    Ok((0..table.rows()).map(row).collect())
}

/// One row, categories by their position in the law's lists.
#[derive(Debug, Clone, Copy)]
struct Row {
    age: f64,
    sex: usize,
    region: usize,
    insurance: usize,
    smoking: usize,
    bmi: f64,
    glucose: f64,
    stage: usize,
    ward: usize,
    /// NaN where it was not measured.
    marker: f64,
    day: f64,
    cost: f64,
    readmitted: usize,
}

impl Row {
    /// Logarithms of the probability of each cell given those before it.
    fn factors(&self) -> [f64; 13] {
        let Self { age, bmi, glucose, stage, .. } = *self;
        let regions: f64 = (0..REGIONS).map(region_weight).sum();
        let centre = 26.5 + 0.04 * (age - 52.0);
        let high = chance_of_high_glucose(age, bmi);
        let sugar = |mean, sd| grid(glucose, [2.5, 25.0], 1, |x| (x - mean) / sd);
        let marker = |x: f64| (x.max(0.0).ln() - 1.0 - 0.7 * stage as f64) / 0.4;
        let not_measured = NOT_MEASURED[self.insurance];
        let years = self.day / 365.25;
        let cost = |x: f64| (x.max(0.0).ln() - 6.5 - 0.55 * stage as f64 - 0.1 * years) / 0.35;
        let smokes = self.smoking == 2;
        let again = risk(age, stage, glucose, smokes, self.insurance == 3);
        [
            grid(age, [18.0, 95.0], 0, |x| (x - 52.0) / 18.0),
            [0.52f64, 0.48][self.sex].ln(),
            (region_weight(self.region) / regions).ln(),
            INSURANCE_BY_AGE[age_group(age)][self.insurance].ln(),
            smoking_shares(age, self.sex)[self.smoking].ln(),
            grid(bmi, [15.0, 60.0], 1, |x| (x - centre) / 4.5),
            log_sum(high.ln() + sugar(10.0, 1.5), (1.0 - high).ln() + sugar(5.3, 0.5)),
            log_stage(stage, severity(age, glucose, self.smoking)),
            WARD_BY_STAGE[stage][self.ward].ln(),
            match self.marker.is_nan() {
                true => not_measured.ln(),
                false => (1.0 - not_measured).ln() + grid(self.marker, EVERYWHERE, 2, marker),
            },
            log_day(self.day),
            grid(self.cost, EVERYWHERE, 2, cost),
            [1.0 - again, again][self.readmitted].ln(),
        ]
    }
}

/// Ends of a column that is not clamped but cannot be negative.
const EVERYWHERE: [f64; 2] = [0.0, f64::INFINITY];

fn region_weight(region: usize) -> f64 {
    1.0 / (region as f64 + 3.0)
}

/// The probability of a cell that is clamped and then rounded to so many decimals, `standard` being
/// the standard normal variable at a value before both.
fn grid(cell: f64, [least, most]: [f64; 2], decimals: i32, standard: impl Fn(f64) -> f64) -> f64 {
    let scale = 10f64.powi(decimals);
    let steps = cell * scale;
    let off_grid = (steps - steps.round()).abs() > 1e-6 * steps.abs().max(1.0);
    if off_grid || !(least..=most).contains(&cell) {
        return f64::NEG_INFINITY;
    }
    let half = 0.5 / scale;
    let from = if cell <= least { f64::NEG_INFINITY } else { standard(cell - half) };
    let to = if cell >= most { f64::INFINITY } else { standard(cell + half) };
    log_normal(from, to)
}

/// The logarithm of the chance that a standard normal draw is between the two.
fn log_normal(from: f64, to: f64) -> f64 {
    /// From here on the tail is its first term but for a thousandth.
    const FAR: f64 = 30.0;
    /// Narrower intervals are a point's density times their width but for 1e-9.
    const NARROW: f64 = 1e-4;
    // The upper tail is the lower one turned round, where small numbers keep their digits.
    let (from, to) = if from > 0.0 { (-to, -from) } else { (from, to) };
    let log_density = |x: f64| -0.5 * x * x - 0.5 * (2.0 * PI).ln();
    let width = to - from;
    if to < -FAR {
        let rest = if width.is_finite() { (to * width - 0.5 * width * width).exp() } else { 0.0 };
        return log_density(to) - (-to).ln() + (-rest).ln_1p();
    }
    if width < NARROW {
        return log_density(from + width / 2.0) + width.ln();
    }
    let below = |x: f64| 0.5 * erfc(-x / SQRT_2);
    (below(to) - below(from)).ln()
}

/// The chance of a stage: how many steps a logistic draw about `centre` passes.
fn log_stage(stage: usize, centre: f64) -> f64 {
    let passes = |step: f64| (centre - step) / 0.6;
    let from = if stage == 0 { f64::INFINITY } else { passes(STAGE_STEPS[stage - 1]) };
    let to = STAGE_STEPS.get(stage).map_or(f64::NEG_INFINITY, |&step| passes(step));
    // s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)) keeps the digits of small differences.
    (sigmoid(from) * sigmoid(-to)).ln() + (-(to - from).exp()).ln_1p()
}

fn log_day(day: f64) -> f64 {
    match day.fract() == 0.0 && (0.0..DAYS).contains(&day) {
        true => (2.0 * day + 1.0).ln() - 2.0 * DAYS.ln(),
        false => f64::NEG_INFINITY,
    }
}

fn log_sum(a: f64, b: f64) -> f64 {
    let most = a.max(b);
    match most == f64::NEG_INFINITY {
        true => most,
        false => most + ((a - most).exp() + (b - most).exp()).ln(),
    }
}

/// The columns of a table, by name.
struct Columns<'a> {
    numbers: [&'a [f64]; 6],
    categories: [(&'a [u32], Vec<Option<usize>>); 7],
}

impl<'a> Columns<'a> {
    fn of(table: &'a Table) -> Result<Self> {
        let kind = |name: &str, wanted: &str, fits: bool| match fits {
            true => Ok(()),
            false => Err(meg_core::Error::data(format!("the clinic's {name:?} is a {wanted}"))),
        };
        let numbers = |name: &str| -> Result<&'a [f64]> {
            let at = table.schema().find(name)?;
            kind(name, "number or a date", table.schema().columns[at].is_numeric())?;
            Ok(table.numbers(at))
        };
        let regions: Vec<String> = (1..=REGIONS).map(|k| format!("R{k:02}")).collect();
        let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
        let levels = |name: &str, law: &[&str]| -> Result<(&'a [u32], Vec<Option<usize>>)> {
            let at = table.schema().find(name)?;
            let spec = &table.schema().columns[at];
            kind(name, "category", spec.is_category())?;
            let place = |level: &String| law.iter().position(|own| own == level);
            Ok((table.codes(at), spec.levels().iter().map(place).collect()))
        };
        Ok(Self {
            numbers: [
                numbers("age")?,
                numbers("bmi")?,
                numbers("glucose")?,
                numbers("marker")?,
                numbers("admitted")?,
                numbers("cost")?,
            ],
            categories: [
                levels("sex", &SEX)?,
                levels("region", &regions)?,
                levels("insurance", &INSURANCE)?,
                levels("smoking", &SMOKING)?,
                levels("stage", &STAGE)?,
                levels("ward", &WARD)?,
                levels("readmitted", &READMITTED)?,
            ],
        })
    }

    /// `None` for a row with a category that the law does not know.
    fn row(&self, row: usize) -> Option<Row> {
        let [age, bmi, glucose, marker, admitted, cost] = self.numbers.map(|cells| cells[row]);
        let level = |at: usize| {
            let (codes, places) = &self.categories[at];
            let code = codes[row];
            if code == MISSING { None } else { places[code as usize] }
        };
        Some(Row {
            age,
            sex: level(0)?,
            region: level(1)?,
            insurance: level(2)?,
            smoking: level(3)?,
            bmi,
            glucose,
            stage: level(4)?,
            ward: level(5)?,
            marker,
            day: (admitted - FIRST_DAY) / DAY,
            cost,
            readmitted: level(6)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic;
    use meg_core::{Column, Seed};

    fn rows(count: usize) -> Vec<Row> {
        let table = clinic(count, &mut Seed(3).stream("law")).unwrap();
        let columns = Columns::of(&table).unwrap();
        (0..count).map(|row| columns.row(row).unwrap()).collect()
    }

    /// All values of a column, and how a row gets one; few enough to go through.
    type Values = (usize, Vec<f64>, fn(&mut Row, f64));

    fn values() -> Vec<Values> {
        let steps = |from: i32, to: i32, scale: f64| -> Vec<f64> {
            (from..=to).map(|step| f64::from(step) / scale).collect()
        };
        let levels = |count: i32| steps(0, count - 1, 1.0);
        vec![
            (0, steps(18, 95, 1.0), |row, x| row.age = x),
            (1, levels(2), |row, x| row.sex = x as usize),
            (2, levels(50), |row, x| row.region = x as usize),
            (3, levels(4), |row, x| row.insurance = x as usize),
            (4, levels(3), |row, x| row.smoking = x as usize),
            (5, steps(150, 600, 10.0), |row, x| row.bmi = x),
            (6, steps(25, 250, 10.0), |row, x| row.glucose = x),
            (7, levels(4), |row, x| row.stage = x as usize),
            (8, levels(5), |row, x| row.ward = x as usize),
            (10, levels(1826), |row, x| row.day = x),
            (12, levels(2), |row, x| row.readmitted = x as usize),
        ]
    }

    /// The probabilities of a cell's values given the cells before it.
    fn law(row: &Row, (column, values, put): &Values) -> Vec<f64> {
        let with = |&value: &f64| {
            let mut row = *row;
            put(&mut row, value);
            row.factors()[*column].exp()
        };
        values.iter().map(with).collect()
    }

    #[test]
    fn probabilities_sum_to_1() {
        for row in rows(20) {
            for values in values() {
                let sum: f64 = law(&row, &values).iter().sum();
                assert!((sum - 1.0).abs() < 1e-9, "column {}: {sum}", values.0);
            }
        }
        // The marker: missing, or one of its hundredths.
        let row = rows(1)[0];
        let marker = |marker| Row { marker, ..row }.factors()[9].exp();
        let measured: f64 = (0..200_000).map(|step| marker(f64::from(step) / 100.0)).sum();
        assert!((measured + marker(f64::NAN) - 1.0).abs() < 1e-9, "{measured}");
    }

    /// What the rows of the sampler get is what the law leads to expect: minus its entropy.
    #[test]
    fn the_sampler_draws_from_the_law() {
        const ROWS: usize = 2_000;
        let rows = rows(ROWS);
        let check = |column: usize, apart: Vec<f64>| {
            let mean = apart.iter().sum::<f64>() / ROWS as f64;
            let squares: f64 = apart.iter().map(|own| (own - mean).powi(2)).sum();
            let error = (squares / (ROWS * ROWS) as f64).sqrt();
            assert!(mean.abs() < 4.0 * error, "column {column}: {mean}, {error}");
        };
        for values in values() {
            // Going through 1 826 days for each row would take long, and they have no parents.
            let fixed = (values.0 == 10).then(|| law(&rows[0], &values));
            let apart = rows.iter().map(|row| {
                let shares = fixed.clone().unwrap_or_else(|| law(row, &values));
                let term = |share: &f64| if *share > 0.0 { share * share.ln() } else { 0.0 };
                row.factors()[values.0] - shares.iter().map(term).sum::<f64>()
            });
            check(values.0, apart.collect());
        }
        // Numbers on a log scale: minus the entropy of a normal, the slope of the logarithm and the
        // width of a cell.
        let entropy = |sd: f64| 0.5 + 0.5 * (2.0 * PI).ln() + sd.ln();
        let of = |factor: f64, x: f64, sd| factor + entropy(sd) + x.ln() - 0.01f64.ln();
        check(11, rows.iter().map(|row| of(row.factors()[11], row.cost, 0.35)).collect());
        let marker = |row: &Row| match row.marker.is_nan() {
            true => 0.0,
            false => {
                let measured = (1.0 - NOT_MEASURED[row.insurance]).ln();
                of(row.factors()[9] - measured, row.marker, 0.4)
            }
        };
        check(9, rows.iter().map(marker).collect());
    }

    #[test]
    fn impossible_rows_have_no_probability() {
        let table = clinic(200, &mut Seed(4).stream("law")).unwrap();
        assert!(clinic_log_probability(&table).unwrap().iter().all(|own| own.is_finite()));
        let with = |name: &str, column: Column| {
            let at = table.schema().find(name).unwrap();
            let mut columns = table.columns().to_vec();
            columns[at] = column;
            let table = Table::new(table.schema().clone(), columns).unwrap();
            clinic_log_probability(&table).unwrap()
        };
        // Everybody is insured as a senior.
        let ages = table.numbers(table.schema().find("age").unwrap());
        let insured = with("insurance", Column::Codes(vec![2; 200]));
        for (age, own) in ages.iter().zip(insured) {
            assert_eq!(own.is_finite(), *age >= 65.0, "{age}");
        }
        let too_old = with("age", Column::Numbers(vec![96.0; 200]));
        assert!(too_old.iter().all(|own| *own == f64::NEG_INFINITY));
        // Far out is no more than unlikely.
        let dear = with("cost", Column::Numbers(vec![1e12; 200]));
        assert!(dear.iter().all(|own| own.is_finite() && *own < -500.0));
    }

    #[test]
    fn the_normal_law_far_and_near() {
        // log(erfc(10 / sqrt 2) / 2), the same of 40 by its series, and the mass of 1..2.
        assert!((log_normal(10.0, f64::INFINITY) + 53.231_285_150_512_46).abs() < 1e-9);
        assert!((log_normal(40.0, f64::INFINITY) + 804.608_442_013_754).abs() < 1e-3);
        let apart = log_normal(1.0, 2.0) - 0.135_905_121_983_277_87f64.ln();
        // The error function of statrs has ten digits.
        assert!(apart.abs() < 1e-9, "{apart}");
        assert!((log_normal(-2.0, -1.0) - log_normal(1.0, 2.0)).abs() < 1e-12);
        let [wide, narrow] =
            [1.1e-4, 0.9e-4].map(|width| log_normal(1.0, 1.0 + width) - width.ln());
        assert!((wide - narrow).abs() < 2e-5);
    }
}
