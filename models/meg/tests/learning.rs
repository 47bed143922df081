//! What MEG must learn, and the failures of its namesakes that it must not share.

use meg_core::conformance::{draw, fit};
use meg_core::{
    Column, ColumnSpec, Event, Fitted, Observer, Role, SampleContext, SampleRequest, Schema, Seed,
    Table,
};
use rand::Rng as _;
use rand_distr::StandardNormal;
use std::sync::{Mutex, OnceLock, PoisonError};

fn learned(train: &Table, settings: &str) -> Box<dyn Fitted> {
    fit(&meg::ENTRY, settings, train, 1)
}

/// The model of `mixture(6_000, 3)`, which several tests look at.
fn of_mixture() -> std::sync::MutexGuard<'static, Box<dyn Fitted>> {
    static MODEL: OnceLock<Mutex<Box<dyn Fitted>>> = OnceLock::new();
    let model = MODEL.get_or_init(|| Mutex::new(learned(&mixture(6_000, 3), "")));
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

fn table(specs: Vec<ColumnSpec>, columns: Vec<Column>) -> Table {
    Table::new(Schema::new(specs).unwrap(), columns).unwrap()
}

fn mean(cells: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0f64);
    for cell in cells {
        sum += cell;
        count += 1.0;
    }
    sum / count.max(1.0)
}

fn deviation(cells: &[f64]) -> f64 {
    let centre = mean(cells.iter().copied());
    mean(cells.iter().map(|cell| (cell - centre).powi(2))).sqrt()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (at, bt) = (mean(a.iter().copied()), mean(b.iter().copied()));
    mean(a.iter().zip(b).map(|(x, y)| (x - at) * (y - bt))) / deviation(a) / deviation(b)
}

fn share(yes: impl IntoIterator<Item = bool>) -> f64 {
    mean(yes.into_iter().map(|yes| f64::from(u8::from(yes))))
}

/// `y` is `a` or-else `b`; no two of the three depend on each other.
fn exclusive_or(rows: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).stream("test");
    let mut bits = || -> Vec<u32> { (0..rows).map(|_| rng.random_range(0..2)).collect() };
    let (a, b) = (bits(), bits());
    let y = a.iter().zip(&b).map(|(a, b)| a ^ b).collect();
    let specs = vec![
        ColumnSpec::category("a", ["0", "1"]),
        ColumnSpec::category("b", ["0", "1"]),
        ColumnSpec::category("y", ["0", "1"]).role(Role::Target),
    ];
    table(specs, vec![Column::Codes(a), Column::Codes(b), Column::Codes(y)])
}

/// Two normals that move together, a third from a mixture of three far modes whose number is the
/// label, and a rare level.
fn mixture(rows: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).stream("test");
    let mut numbers = vec![Vec::new(); 3];
    let (mut label, mut rare) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let x: f64 = rng.sample(StandardNormal);
        let step: f64 = rng.sample(StandardNormal);
        let wide: f64 = rng.sample(StandardNormal);
        let mode = if rng.random_bool(0.2) { 2 } else { rng.random_range(0..2) };
        numbers[0].push(x);
        numbers[1].push(3.0 * x + 0.3 * step);
        numbers[2].push(10.0 * f64::from(mode) + wide);
        label.push(mode);
        rare.push(u32::from(rng.random_bool(0.02)));
    }
    let specs = vec![
        ColumnSpec::number("x", None),
        ColumnSpec::number("y", None),
        ColumnSpec::number("z", None),
        ColumnSpec::category("mode", ["a", "b", "c"]).role(Role::Target),
        ColumnSpec::category("rare", ["no", "yes"]),
    ];
    let mut columns: Vec<Column> = numbers.into_iter().map(Column::Numbers).collect();
    columns.extend([Column::Codes(label), Column::Codes(rare)]);
    table(specs, columns)
}

#[test]
fn an_exclusive_or_is_learned_though_no_pair_depends() {
    let train = exclusive_or(6_000, 1);
    let drawn = draw(learned(&train, "").as_ref(), 4_000, 2);
    let holds = share(
        (0..4_000).map(|row| drawn.codes(0)[row] ^ drawn.codes(1)[row] == drawn.codes(2)[row]),
    );
    assert!(holds > 0.97, "the rule holds in {holds} of the rows");
    let agree = share((0..4_000).map(|row| drawn.codes(0)[row] == drawn.codes(2)[row]));
    assert!((agree - 0.5).abs() < 0.04, "a pair depends: {agree}");
}

/// Noise of their own makes generators that share nothing (specification, theorem): here the
/// context must carry the dependence.
#[test]
fn columns_that_move_together_do_so_in_the_samples() {
    let drawn = draw(of_mixture().as_ref(), 6_000, 2);
    let seen = correlation(drawn.numbers(0), drawn.numbers(1));
    assert!(seen > 0.98, "correlation {seen} for 0.995");
    let within = share((0..6_000).map(|row| {
        let mode = f64::from(drawn.codes(3)[row]);
        (drawn.numbers(2)[row] - 10.0 * mode).abs() < 4.5
    }));
    assert!(within > 0.99, "{within} of the rows lie at the mode of their label");
}

/// Collapse, unreachable ranges, averaged values: the ratio of standard deviations, both ends of
/// the range, and the shares of all levels.
#[test]
fn spread_range_and_levels_are_those_of_the_training_rows() {
    let train = mixture(6_000, 3);
    let drawn = draw(of_mixture().as_ref(), 20_000, 2);
    for column in 0..3 {
        let (real, synthetic) = (train.numbers(column), drawn.numbers(column));
        let ratio = deviation(synthetic) / deviation(real);
        assert!((0.95..1.05).contains(&ratio), "column {column}: ratio {ratio}");
        let ends = |cells: &[f64]| {
            cells.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)))
        };
        let ((low, high), (lowest, highest)) = (ends(real), ends(synthetic));
        assert!(lowest >= low && highest <= high, "column {column} leaves its range");
        let width = high - low;
        assert!(lowest < low + 0.1 * width && highest > high - 0.1 * width, "column {column}");
    }
    for (column, shares) in [(3, vec![0.4, 0.4, 0.2]), (4, vec![0.98, 0.02])] {
        for (level, &exact) in shares.iter().enumerate() {
            let seen = share(drawn.codes(column).iter().map(|&code| code as usize == level));
            let near = 0.15 * exact + 0.005;
            assert!((seen - exact).abs() < near, "column {column}, level {level}: {seen}");
        }
    }
}

/// A label that is copied or attached at random would survive a permutation.
#[test]
fn the_label_belongs_to_its_row() {
    let drawn = draw(of_mixture().as_ref(), 5_000, 2);
    let right = |shift: usize| {
        share((0..5_000).map(|row| {
            let guess = (drawn.numbers(2)[row] / 10.0).round().clamp(0.0, 2.0) as u32;
            guess == drawn.codes(3)[(row + shift) % 5_000]
        }))
    };
    assert!(right(0) > 0.99, "{}", right(0));
    // Also the test of a union of units that was not shuffled: neighbouring rows share nothing.
    assert!(right(1) < 0.42, "{}", right(1));
}

/// Distances of synthetic rows to training rows are those of fresh rows.
#[test]
fn training_rows_are_not_copied() {
    for rows in [300, 2_000] {
        let (train, fresh) = (mixture(rows, 6), mixture(1_000, 7));
        let drawn = draw(learned(&train, "").as_ref(), 1_000, 2);
        let point = |table: &Table, row: usize| -> [f64; 3] {
            [table.numbers(0)[row], table.numbers(1)[row] / 3.0, table.numbers(2)[row] / 8.0]
        };
        let nearest = |table: &Table| -> f64 {
            let mut all: Vec<f64> = (0..1_000)
                .map(|row| {
                    let own = point(table, row);
                    let to = |other: usize| -> f64 {
                        let other = point(&train, other);
                        own.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum()
                    };
                    (0..rows).map(to).fold(f64::INFINITY, f64::min).sqrt()
                })
                .collect();
            all.sort_unstable_by(f64::total_cmp);
            assert!(all[0] > 0.0, "a training row was copied");
            all[500]
        };
        let ratio = nearest(&drawn) / nearest(&fresh);
        assert!((0.8..1.6).contains(&ratio), "{rows} rows: ratio of distances {ratio}");
    }
}

/// Hiding context costs likelihood: the reason why masks hide outputs and not inputs.
#[test]
fn hidden_context_is_paid_for_in_likelihood() {
    let (train, fresh) = (exclusive_or(6_000, 1), exclusive_or(2_000, 2));
    let density = |settings: &str| {
        let rows = learned(&train, settings).log_density(&fresh, 2).unwrap().unwrap();
        mean(rows)
    };
    let (seen, hidden) = (density(""), density("max_context = 1"));
    assert!((seen + 4f64.ln()).abs() < 0.05, "{seen} for {}", -4f64.ln());
    assert!((hidden + 8f64.ln()).abs() < 0.05, "{hidden} for {}", -8f64.ln());
}

#[test]
fn densities_of_categories_sum_to_one_and_unseen_cells_have_none() {
    let train = exclusive_or(6_000, 1);
    let bits = |shift: u32| Column::Codes((0..8).map(|row| (row >> shift) & 1).collect());
    let all = Table::new(train.schema().clone(), vec![bits(0), bits(1), bits(2)]).unwrap();
    let density = learned(&train, "").log_density(&all, 1).unwrap().unwrap();
    let sum: f64 = density.iter().map(|x| x.exp()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");

    let model = of_mixture();
    let mut far = mixture(2, 2).columns().to_vec();
    far[0] = Column::Numbers(vec![1e6, 0.0]);
    let far = Table::new(mixture(1, 1).schema().clone(), far).unwrap();
    let density = model.log_density(&far, 1).unwrap().unwrap();
    assert!(density[0] == f64::NEG_INFINITY && density[1].is_finite(), "{density:?}");
    assert!(model.log_density(&train, 1).is_err());
}

/// The law of the mixture is known: no model can beat its entropy, and this one comes near it.
#[test]
fn the_density_of_fresh_rows_comes_near_the_true_one() {
    let fresh = mixture(4_000, 9);
    let density = of_mixture().log_density(&fresh, 2).unwrap().unwrap();
    let normal =
        |x: f64, sd: f64| -0.5 * (x / sd).powi(2) - sd.ln() - 0.5 * std::f64::consts::TAU.ln();
    let exact = (0..4_000).map(|row| {
        let (x, y, z) = (fresh.numbers(0)[row], fresh.numbers(1)[row], fresh.numbers(2)[row]);
        let mode = fresh.codes(3)[row];
        let rare: f64 = if fresh.codes(4)[row] == 1 { 0.02 } else { 0.98 };
        let share: f64 = [0.4, 0.4, 0.2][mode as usize];
        normal(x, 1.0)
            + normal(y - 3.0 * x, 0.3)
            + normal(z - 10.0 * f64::from(mode), 1.0)
            + share.ln()
            + rare.ln()
    });
    let gaps: Vec<f64> = exact
        .zip(&density)
        .filter(|(_, density)| density.is_finite())
        .map(|(exact, density)| exact - density)
        .collect();
    assert!(gaps.len() > 3_980, "{} rows have a density", gaps.len());
    let gap = mean(gaps);
    assert!((0.0..0.4).contains(&gap), "{gap} nats below the true density");
}

#[derive(Default)]
struct Acceptance {
    drawn: u64,
    kept: u64,
}

impl Observer for Acceptance {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Acceptance { drawn, kept } = event {
            (self.drawn, self.kept) = (*drawn, *kept);
        }
    }
}

fn conditioned(model: &dyn Fitted, request: &SampleRequest) -> (meg_core::Result<Table>, f64) {
    let mut acceptance = Acceptance::default();
    let rng = Seed(2).stream("sample");
    let mut ctx = SampleContext { rng, threads: 2, observer: &mut acceptance };
    let table = model.sample(request, &mut ctx);
    (table, acceptance.kept as f64 / acceptance.drawn.max(1) as f64)
}

#[test]
fn conditions_on_the_first_column_cost_nothing() {
    let train = mixture(6_000, 3);
    let request = SampleRequest::rows(3_000).with(train.schema(), "mode", "c").unwrap();
    let (table, accepted) = conditioned(of_mixture().as_ref(), &request);
    let table = table.unwrap();
    assert!(table.codes(3).iter().all(|&code| code == 2) && accepted == 1.0, "{accepted}");
    let centre = mean(table.numbers(2).iter().copied());
    assert!((centre - 20.0).abs() < 0.15, "{centre}");
}

/// Rows beyond those that were asked for count among those that met the condition.
#[test]
fn acceptance_is_the_share_of_rows_that_meet_the_condition() {
    let train = mixture(6_000, 3);
    for (level, share) in [("no", 0.98), ("yes", 0.02)] {
        let request = SampleRequest::rows(1_000).with(train.schema(), "rare", level).unwrap();
        let (table, accepted) = conditioned(of_mixture().as_ref(), &request);
        assert_eq!(table.unwrap().rows(), 1_000);
        assert!((accepted - share).abs() < 0.01, "{level}: {accepted}");
    }
}

/// The rows given a condition on a late column are those that unconditional draws with that value
/// look like.
#[test]
fn conditions_on_late_columns_are_exact() {
    let train = mixture(6_000, 3);
    let model = of_mixture();
    let request = SampleRequest::rows(4_000).with(train.schema(), "rare", "yes").unwrap();
    let (table, accepted) = conditioned(model.as_ref(), &request);
    let table = table.unwrap();
    assert!(table.rows() == 4_000 && table.codes(4).iter().all(|&code| code == 1));
    assert!((0.012..0.03).contains(&accepted), "{accepted}");
    let all = draw(model.as_ref(), 200_000, 5);
    let same: Vec<usize> = (0..200_000).filter(|&row| all.codes(4)[row] == 1).collect();
    let same = all.select_rows(&same);
    for level in 0..3 {
        let of = |table: &Table| share(table.codes(3).iter().map(|&code| code == level));
        assert!((of(&table) - of(&same)).abs() < 0.035, "{} {}", of(&table), of(&same));
    }
    for column in 0..3 {
        let of = |table: &Table| mean(table.numbers(column).iter().copied());
        let near = 5.0 * deviation(same.numbers(column)) / 60.0;
        assert!((of(&table) - of(&same)).abs() < near, "column {column}");
    }
}

#[test]
fn a_condition_on_a_number_holds_to_the_last_digit_or_is_refused() {
    let train = mixture(6_000, 3);
    let model = of_mixture();
    let request = SampleRequest::rows(50).with(train.schema(), "x", "0.123456789").unwrap();
    let (table, _) = conditioned(model.as_ref(), &request);
    let table = table.unwrap();
    assert!(table.numbers(0).iter().all(|&x| x == 0.123_456_789));
    let centre = mean(table.numbers(1).iter().copied());
    assert!((centre - 0.37).abs() < 0.3, "{centre}");
    let request = SampleRequest::rows(1).with(train.schema(), "x", "1e9").unwrap();
    let message = conditioned(model.as_ref(), &request).0.unwrap_err().to_string();
    assert!(message.contains("\"x\"") && message.contains("1000000000"), "{message}");
}

/// A label that is a rule of eight other columns: with the label first the last of them would have
/// to know the sum of the others exactly, with the label last one network has to know the rule.
#[test]
fn a_label_that_is_a_rule_of_the_others_is_made_last() {
    let mut rng = Seed(1).stream("test");
    let mut dice = vec![vec![0u32; 2_500]; 8];
    dice.iter_mut().flatten().for_each(|die| *die = rng.random_range(0..4));
    let rule = |sum: u32| u32::from(sum >= 12);
    let sum = |row: usize| dice.iter().map(|dice| dice[row]).sum::<u32>();
    let label = (0..2_500).map(|row| rule(sum(row))).collect();
    let mut specs: Vec<ColumnSpec> =
        (0..8).map(|at| ColumnSpec::category(format!("d{at}"), ["0", "1", "2", "3"])).collect();
    specs.push(ColumnSpec::category("y", ["0", "1"]).role(Role::Target));
    let mut columns: Vec<Column> = dice.into_iter().map(Column::Codes).collect();
    columns.push(Column::Codes(label));
    let model = learned(&table(specs, columns), "");
    let drawn = draw(model.as_ref(), 4_000, 2);
    let holds = share((0..4_000).map(|row| {
        let sum = (0..8).map(|at| drawn.codes(at)[row]).sum();
        rule(sum) == drawn.codes(8)[row]
    }));
    assert!(holds > 0.93, "the rule holds in {holds} of the rows");
    let state = model.save().unwrap().state;
    assert_eq!(state["order"][8], 8, "the label is not made last");
}

/// Five numbers, each pair with a correlation of 0.4.
fn alike(rows: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).stream("alike");
    let columns = (0..5).map(|at| ColumnSpec::number(format!("x{at}"), 0)).collect();
    let mut cells = vec![Vec::new(); 5];
    for _ in 0..rows {
        let shared: f64 = rng.sample(StandardNormal);
        for cells in &mut cells {
            let own: f64 = rng.sample(StandardNormal);
            cells.push((50.0 + 10.0 * (0.4f64.sqrt() * shared + 0.6f64.sqrt() * own)).round());
        }
    }
    table(columns, cells.into_iter().map(Column::Numbers).collect())
}

/// Values of few rows each: without sharing these are known by heart before the dependence is.
#[test]
fn small_tables_keep_moderate_dependence() {
    let train = alike(800, 1);
    let unseen = alike(2_000, 2);
    let scored = |settings: &str| {
        let model = learned(&train, settings);
        let density = model.log_density(&unseen, 2).unwrap().unwrap();
        let density = mean(density.into_iter().filter(|density| density.is_finite()));
        let drawn = draw(model.as_ref(), 10_000, 4);
        let pairs = (0..5).flat_map(|a| (0..a).map(move |b| (a, b)));
        let weakest = pairs.map(|(a, b)| correlation(drawn.numbers(a), drawn.numbers(b)));
        (weakest.fold(1.0, f64::min), density)
    };
    let (weakest, density) = scored("");
    let (alone, density_alone) = scored("small_sharing = 0");
    assert!(weakest > 0.2 && weakest > alone + 0.04, "{weakest}, each code alone {alone}");
    assert!(density > density_alone + 0.03, "{density}, each code alone {density_alone}");
}
