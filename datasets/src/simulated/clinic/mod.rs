mod law;

pub use law::clinic_log_probability;
use meg_core::{Column, ColumnKind, ColumnSpec, MISSING, Result, Rng, Role, Schema, Table};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};

const SEX: [&str; 2] = ["F", "M"];
const INSURANCE: [&str; 4] = ["public", "private", "senior", "none"];
const SMOKING: [&str; 3] = ["never", "former", "current"];
const STAGE: [&str; 4] = ["I", "II", "III", "IV"];
const WARD: [&str; 5] = ["day clinic", "surgery", "medicine", "cardiology", "intensive care"];
const READMITTED: [&str; 2] = ["no", "yes"];
const REGIONS: usize = 50;

/// Share of each ward, by stage.
const WARD_BY_STAGE: [[f64; 5]; 4] = [
    [0.60, 0.20, 0.15, 0.05, 0.00],
    [0.20, 0.30, 0.35, 0.13, 0.02],
    [0.05, 0.20, 0.40, 0.25, 0.10],
    [0.00, 0.10, 0.25, 0.25, 0.40],
];
/// Share of each insurance below 30, from 30 to 64, and from 65 years on.
const INSURANCE_BY_AGE: [[f64; 4]; 3] =
    [[0.25, 0.45, 0.00, 0.30], [0.15, 0.70, 0.00, 0.15], [0.05, 0.13, 0.80, 0.02]];
/// Chance that the marker was not measured, by insurance.
const NOT_MEASURED: [f64; 4] = [0.25, 0.05, 0.10, 0.60];
/// Where the severity passes from one stage to the next.
const STAGE_STEPS: [f64; 3] = [-0.4, 1.0, 2.6];
/// First day of admission, and the number of days: five years from 2018-01-01.
const FIRST_DAY: f64 = 1_514_764_800.0;
const DAYS: f64 = 1_826.0;
const DAY: f64 = 86_400.0;

/// Patients of an invented clinic: as many as wanted, from a law that is known exactly.
///
/// With N a fresh standard normal draw, L a fresh standard logistic draw, s(x) = 1 / (1 + exp(-x)),
/// and every value used below as it stands in the table (clamped and rounded):
///
/// - `age`, years: 52 + 18 N, clamped to 18..95, whole.
/// - `sex`: F with 0.52, otherwise M.
/// - `region`: R01 to R50, the k-th with a weight of 1 / (k + 2).
/// - `insurance`, by age: below 30 public 0.25, private 0.45, none 0.30; from 30 public 0.15,
///   private 0.70, none 0.15; from 65 public 0.05, private 0.13, senior 0.80, none 0.02.
/// - `smoking`: current with 0.30 below 60 years and 0.12 from 60 on, plus 0.10 for M; former with
///   0.05 + 0.35 (age - 18) / 77; otherwise never.
/// - `bmi`, kg/m2: 26.5 + 0.04 (age - 52) + 4.5 N, clamped to 15..60, one decimal.
/// - `glucose`, mmol/l, in two humps: 10 + 1.5 N with s(-1.6 + 0.2 (bmi - 27) + 0.03 (age - 52)),
///   otherwise 5.3 + 0.5 N; clamped to 2.5..25, one decimal.
/// - `stage`, ordered I < II < III < IV, counted from 0 below: how many of -0.4, 1.0, 2.6 are less
///   than 0.05 (age - 52) + 0.3 (glucose - 6.5) + c + 0.6 L, with c 0.9 for current and 0.3 for
///   former smokers.
/// - `ward`, by stage: day clinic, surgery, medicine, cardiology, intensive care with
///   0.60 0.20 0.15 0.05 0.00; 0.20 0.30 0.35 0.13 0.02; 0.05 0.20 0.40 0.25 0.10;
///   0.00 0.10 0.25 0.25 0.40.
/// - `marker`, ng/ml, skewed: exp(1 + 0.7 stage + 0.4 N), two decimals. Missing with 0.25, 0.05,
///   0.10, 0.60 for the insurances public, private, senior, none (missing at random, given them).
/// - `admitted`: day floor(1826 sqrt(U)) after 2018-01-01 with U uniform, so that there are more in
///   later years.
/// - `cost`, dollars, skewed: exp(6.5 + 0.55 stage + 0.1 (years since 2018-01-01) + 0.35 N), two
///   decimals.
/// - `readmitted`, the target: yes with [`clinic_risk`].
///
/// # Errors
/// Never, as the values obey the schema.
pub fn clinic(rows: usize, rng: &mut Rng) -> Result<Table> {
    let patients: Vec<Patient> = (0..rows).map(|_| Patient::draw(rng)).collect();
    let numbers =
        |value: fn(&Patient) -> f64| Column::Numbers(patients.iter().map(value).collect());
    let codes = |value: fn(&Patient) -> usize| {
        Column::Codes(patients.iter().map(|patient| value(patient) as u32).collect())
    };
    let columns = vec![
        numbers(|p| p.age),
        codes(|p| p.sex),
        codes(|p| p.region),
        codes(|p| p.insurance),
        codes(|p| p.smoking),
        numbers(|p| p.bmi),
        numbers(|p| p.glucose),
        codes(|p| p.stage),
        codes(|p| p.ward),
        numbers(|p| p.marker),
        numbers(|p| p.admitted),
        numbers(|p| p.cost),
        codes(|p| usize::from(p.readmitted)),
    ];
    Table::new(schema()?, columns)
}

/// The probability of `readmitted` = yes for each row of a table of [`clinic`]'s columns:
/// s(-2.6 + 0.03 (age - 52) + 1.0 stage + 0.15 (glucose - 6.5) + 1.1 for current smokers + 1.0
/// without insurance). NaN where one of these is missing.
///
/// # Errors
/// A request error when one of the columns is not there.
pub fn clinic_risk(table: &Table) -> Result<Vec<f64>> {
    let at = |name: &str| table.schema().find(name);
    let level = |column: usize, row: usize| -> Option<&str> {
        let code = table.codes(column)[row];
        (code != MISSING).then(|| table.schema().columns[column].levels()[code as usize].as_str())
    };
    let (age, glucose) = (at("age")?, at("glucose")?);
    let (stage, smoking, insurance) = (at("stage")?, at("smoking")?, at("insurance")?);
    let row = |row: usize| {
        let number = |column: usize| table.numbers(column)[row];
        let stage = STAGE.iter().position(|&name| Some(name) == level(stage, row));
        match (stage, level(smoking, row), level(insurance, row)) {
            (Some(stage), Some(smoking), Some(insurance)) => risk(
                number(age),
                stage,
                number(glucose),
                smoking == SMOKING[2],
                insurance == INSURANCE[3],
            ),
            _ => f64::NAN,
        }
    };
    Ok((0..table.rows()).map(row).collect())
}

fn risk(age: f64, stage: usize, glucose: f64, smokes: bool, uninsured: bool) -> f64 {
    let smoking = if smokes { 1.1 } else { 0.0 };
    let insurance = if uninsured { 1.0 } else { 0.0 };
    sigmoid(
        -2.6 + 0.03 * (age - 52.0) + stage as f64 + 0.15 * (glucose - 6.5) + smoking + insurance,
    )
}

struct Patient {
    age: f64,
    sex: usize,
    region: usize,
    insurance: usize,
    smoking: usize,
    bmi: f64,
    glucose: f64,
    stage: usize,
    ward: usize,
    marker: f64,
    admitted: f64,
    cost: f64,
    readmitted: bool,
}

impl Patient {
    fn draw(rng: &mut Rng) -> Self {
        let age = (52.0 + 18.0 * normal(rng)).clamp(18.0, 95.0).round();
        let sex = usize::from(rng.random::<f64>() >= 0.52);
        let region = choose((1..=REGIONS).map(|k| 1.0 / (k as f64 + 2.0)), rng);
        let insurance = choose(INSURANCE_BY_AGE[age_group(age)], rng);
        let smoking = smoking(age, sex, rng);
        let bmi = decimals((26.5 + 0.04 * (age - 52.0) + 4.5 * normal(rng)).clamp(15.0, 60.0), 1);
        let glucose = glucose(age, bmi, rng);
        let stage = stage(age, glucose, smoking, rng);
        let ward = choose(WARD_BY_STAGE[stage], rng);
        let marker = decimals((1.0 + 0.7 * stage as f64 + 0.4 * normal(rng)).exp(), 2);
        let measured = rng.random::<f64>() >= NOT_MEASURED[insurance];
        let day = (DAYS * rng.random::<f64>().sqrt()).floor();
        let years = day / 365.25;
        let log_cost = 6.5 + 0.55 * stage as f64 + 0.1 * years + 0.35 * normal(rng);
        let risk = risk(age, stage, glucose, smoking == 2, insurance == 3);
        Self {
            age,
            sex,
            region,
            insurance,
            smoking,
            bmi,
            glucose,
            stage,
            ward,
            marker: if measured { marker } else { f64::NAN },
            admitted: FIRST_DAY + DAY * day,
            cost: decimals(log_cost.exp(), 2),
            readmitted: rng.random::<f64>() < risk,
        }
    }
}

fn age_group(age: f64) -> usize {
    match age {
        age if age < 30.0 => 0,
        age if age < 65.0 => 1,
        _ => 2,
    }
}

fn smoking(age: f64, sex: usize, rng: &mut Rng) -> usize {
    choose(smoking_shares(age, sex), rng)
}

/// Never, former and current smokers.
fn smoking_shares(age: f64, sex: usize) -> [f64; 3] {
    let current = if age < 60.0 { 0.30 } else { 0.12 } + 0.10 * sex as f64;
    let former = 0.05 + 0.35 * (age - 18.0) / 77.0;
    [1.0 - current - former, former, current]
}

fn chance_of_high_glucose(age: f64, bmi: f64) -> f64 {
    sigmoid(-1.6 + 0.2 * (bmi - 27.0) + 0.03 * (age - 52.0))
}

fn glucose(age: f64, bmi: f64, rng: &mut Rng) -> f64 {
    let high = rng.random::<f64>() < chance_of_high_glucose(age, bmi);
    let (mean, deviation) = if high { (10.0, 1.5) } else { (5.3, 0.5) };
    decimals((mean + deviation * normal(rng)).clamp(2.5, 25.0), 1)
}

/// The severity without its chance part.
fn severity(age: f64, glucose: f64, smoking: usize) -> f64 {
    0.05 * (age - 52.0) + 0.3 * (glucose - 6.5) + [0.0, 0.3, 0.9][smoking]
}

fn stage(age: f64, glucose: f64, smoking: usize, rng: &mut Rng) -> usize {
    let uniform: f64 = rng.random_range(f64::EPSILON..1.0);
    let logistic = (uniform / (1.0 - uniform)).ln();
    let severity = severity(age, glucose, smoking) + 0.6 * logistic;
    STAGE_STEPS.iter().filter(|&&step| step < severity).count()
}

fn normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn decimals(value: f64, decimals: u8) -> f64 {
    meg_core::round_to(value, decimals)
}

/// A position, drawn by weights.
fn choose(weights: impl IntoIterator<Item = f64, IntoIter: Clone>, rng: &mut Rng) -> usize {
    let weights = weights.into_iter();
    let mut left = rng.random::<f64>() * weights.clone().sum::<f64>();
    let mut last = 0;
    for (at, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        left -= weight;
        last = at;
        if left < 0.0 {
            break;
        }
    }
    last
}

fn schema() -> Result<Schema> {
    let regions = (1..=REGIONS).map(|k| format!("R{k:02}"));
    let day = ColumnKind::Datetime { format: "%Y-%m-%d".into() };
    let mut stage = ColumnSpec::category("stage", STAGE);
    if let ColumnKind::Category { ordered, .. } = &mut stage.kind {
        *ordered = true;
    }
    Schema::new(vec![
        ColumnSpec::number("age", 0),
        ColumnSpec::category("sex", SEX),
        ColumnSpec::category("region", regions),
        ColumnSpec::category("insurance", INSURANCE),
        ColumnSpec::category("smoking", SMOKING),
        ColumnSpec::number("bmi", 1),
        ColumnSpec::number("glucose", 1),
        stage,
        ColumnSpec::category("ward", WARD),
        ColumnSpec::number("marker", 2).nullable(),
        ColumnSpec::new("admitted", day),
        ColumnSpec::number("cost", 2),
        ColumnSpec::category("readmitted", READMITTED).role(Role::Target),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Seed, datetime};

    fn table() -> Table {
        clinic(20_000, &mut Seed(1).stream("test")).unwrap()
    }

    fn column(table: &Table, name: &str) -> usize {
        table.schema().find(name).unwrap()
    }

    fn correlation(x: &[f64], y: &[f64]) -> f64 {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (mx, my) = (mean(x), mean(y));
        let cov = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
            a.iter().zip(b).map(|(p, q)| (p - ma) * (q - mb)).sum::<f64>()
        };
        cov(x, mx, y, my) / (cov(x, mx, x, mx) * cov(y, my, y, my)).sqrt()
    }

    /// Share of pairs of a positive and a negative row that the score puts in the right order.
    fn auc(scores: &[f64], labels: &[u32]) -> f64 {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let (mut negatives, mut right) = (0.0, 0.0);
        for row in order {
            if labels[row] == 1 { right += negatives } else { negatives += 1.0 }
        }
        right / (negatives * (labels.len() as f64 - negatives))
    }

    #[test]
    fn the_target_can_be_predicted_about_as_well_as_promised() {
        let table = table();
        let labels = table.codes(column(&table, "readmitted"));
        let share = labels.iter().sum::<u32>() as f64 / labels.len() as f64;
        let auc = auc(&clinic_risk(&table).unwrap(), labels);
        assert!((0.2..0.5).contains(&share), "share of readmissions {share}");
        assert!((0.83..0.89).contains(&auc), "AUC of the true risk {auc}");
    }

    #[test]
    fn columns_depend_on_each_other() {
        let table = table();
        let stage: Vec<f64> =
            table.codes(column(&table, "stage")).iter().map(|&code| f64::from(code)).collect();
        let log_cost: Vec<f64> =
            table.numbers(column(&table, "cost")).iter().map(|cost| cost.ln()).collect();
        let age = table.numbers(column(&table, "age"));
        let glucose = table.numbers(column(&table, "glucose"));
        let pairs = [
            ("stage, cost", correlation(&stage, &log_cost)),
            ("stage, age", correlation(&stage, age)),
            ("stage, glucose", correlation(&stage, glucose)),
            ("bmi, glucose", correlation(table.numbers(column(&table, "bmi")), glucose)),
        ];
        assert!(pairs.iter().all(|(_, value)| *value > 0.25), "{pairs:?}");
        let stages: Vec<usize> = (0..4)
            .map(|code| stage.iter().filter(|&&stage| stage == f64::from(code)).count())
            .collect();
        assert!(stages.iter().all(|&count| count > 800), "{stages:?}");
        let high = glucose.iter().filter(|&&value| value > 7.5).count() as f64 / 20_000.0;
        assert!((0.15..0.4).contains(&high), "{high}");
    }

    #[test]
    fn missing_cells_depend_on_the_insurance() {
        let table = table();
        let marker = table.numbers(column(&table, "marker"));
        let insurance = table.codes(column(&table, "insurance"));
        for (code, expected) in (0..4).zip(NOT_MEASURED) {
            let rows: Vec<usize> =
                (0..table.rows()).filter(|&row| insurance[row] == code).collect();
            let missing = rows.iter().filter(|&&row| marker[row].is_nan()).count();
            let share = missing as f64 / rows.len() as f64;
            assert!((share - expected).abs() < 0.03, "{code}: {share}");
        }
    }

    #[test]
    fn the_days_are_those_of_five_years() {
        let table = table();
        let days = table.numbers(column(&table, "admitted"));
        let print = |seconds: f64| datetime::print(seconds, "%Y-%m-%d").unwrap();
        assert!(print(days.iter().copied().fold(f64::MAX, f64::min)).starts_with("2018-"));
        assert!(print(days.iter().copied().fold(0.0, f64::max)).as_str() <= "2022-12-31");
        assert_eq!(print(FIRST_DAY), "2018-01-01");
        assert_eq!(print(FIRST_DAY + DAY * (DAYS - 1.0)), "2022-12-31");
    }
}
