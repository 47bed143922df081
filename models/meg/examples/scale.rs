//! Time and memory of one fit and one draw by size of the table:
//! `cargo run --release -p meg --example scale -- ROWS COLUMNS [SETTING=VALUE ...]`.
//!
//! `threads=N`, `draw=N` (rows drawn, 100 000 unless told) and `seed=N` are the program's own; the
//! other settings are those of the model. The table is simulated: half its columns are numbers, half
//! categories, all driven by three hidden numbers, the target a category of two levels. CPU time and
//! peak are those that Linux tells of this process.

use meg_core::{
    Column, ColumnSpec, Event, FitContext, Fitted, Observer, Phase, Role, SampleContext,
    SampleRequest, Schema, Seed, Table,
};
use rand::Rng as _;
use std::time::Instant;

fn main() {
    let mut sizes = Vec::new();
    let (mut threads, mut draw, mut seed, mut settings) = (1, 100_000, 1, String::new());
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            None => sizes.push(argument.parse().expect("a number of rows or columns")),
            Some(("threads", value)) => threads = value.parse().expect("a number of threads"),
            Some(("draw", value)) => draw = value.parse().expect("a number of rows"),
            Some(("seed", value)) => seed = value.parse().expect("a number"),
            Some((key, value)) => settings += &format!("{key} = {value}\n"),
        }
    }
    let [rows, columns] = sizes[..] else { panic!("ROWS COLUMNS") };
    let begin = Instant::now();
    let train = table(rows, columns);
    let made = begin.elapsed().as_secs_f64();
    println!("{rows} rows x {columns} columns, {threads} threads");
    println!("table: {made:.1} s, {:.1} s CPU, resident {} MiB", cpu(), memory("VmRSS"));
    let mut watch = Watch::new();
    let model = fit(&train, &settings, seed, threads, &mut watch);
    println!("fit: {} steps, peak {} MiB", watch.steps, memory("VmHWM"));
    watch.tell();
    drop(train);
    let mut watch = Watch::new();
    let before = memory("VmRSS");
    let rng = Seed(seed).stream("sample");
    let mut ctx = SampleContext { rng, threads, observer: &mut watch };
    let drawn = model.sample(&SampleRequest::rows(draw), &mut ctx).expect("rows are drawn");
    println!("draw: {} rows, from {before} to {} MiB", drawn.rows(), memory("VmRSS"));
    watch.tell();
}

fn fit(
    train: &Table,
    settings: &str,
    seed: u64,
    threads: usize,
    watch: &mut Watch,
) -> Box<dyn Fitted> {
    let recipe = (meg::ENTRY.recipe)(settings).expect("settings of the model");
    let mut ctx = FitContext { threads, ..FitContext::new(Seed(seed), watch) };
    recipe.synthesizer.fit(train, &mut ctx).expect("the fit succeeds")
}

/// Columns in turns: a number with two decimals, a category of 2 to 40 levels, a number without a
/// step, a category; the target at the end.
fn table(rows: usize, columns: usize) -> Table {
    let seed = Seed(7);
    let hidden: Vec<Vec<f32>> = (0..3)
        .map(|at| {
            let mut rng = seed.stream(&format!("hidden {at}"));
            (0..rows).map(|_| rng.random()).collect()
        })
        .collect();
    let mut specs = Vec::new();
    let mut cells = Vec::new();
    for column in 0..columns {
        let name = format!("c{column}");
        let mut rng = seed.stream(&name);
        let (a, b) = (&hidden[column % 3], &hidden[(column / 3) % 3]);
        // In [0, 1], the more of noise the later the column.
        let noise = 0.1 + 0.4 * column as f32 / columns as f32;
        let mut drive = |row: usize| {
            let mean = 0.6 * a[row] + 0.4 * b[row] * b[row];
            f64::from((1.0 - noise) * mean + noise * rng.random::<f32>())
        };
        let levels = if column + 1 == columns { 2 } else { 2 + (column * 7) % 39 };
        if column % 2 == 1 || column + 1 == columns {
            let spec = ColumnSpec::category(name, (0..levels).map(|level| format!("l{level}")));
            let target = column + 1 == columns;
            specs.push(if target { spec.role(Role::Target) } else { spec });
            let level = |x: f64| ((x * levels as f64) as u32).min(levels as u32 - 1);
            cells.push(Column::Codes((0..rows).map(|row| level(drive(row))).collect()));
        } else {
            let decimals = (column % 4 == 0).then_some(2);
            specs.push(ColumnSpec::number(name, decimals));
            let number = |x: f64| if decimals.is_some() { (1e4 * x).round() / 100.0 } else { x };
            cells.push(Column::Numbers((0..rows).map(|row| number(drive(row))).collect()));
        }
    }
    Table::new(Schema::new(specs).expect("names differ"), cells).expect("the cells fit")
}

/// Hears when phases begin and end, and passes notes on.
struct Watch {
    steps: u64,
    phases: Vec<(Phase, Instant, f64)>,
    lines: Vec<String>,
}

impl Watch {
    fn new() -> Self {
        Self { steps: 0, phases: Vec::new(), lines: Vec::new() }
    }

    fn tell(&self) {
        self.lines.iter().for_each(|line| println!("  {line}"));
    }
}

impl Observer for Watch {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { phase, .. } => self.phases.push((*phase, Instant::now(), cpu())),
            Event::Step { done, .. } => self.steps = *done,
            Event::End { .. } => {
                let (phase, begin, before) = self.phases.pop().expect("a phase ends that began");
                self.lines.push(format!(
                    "{phase}: {:.2} s, {:.2} s CPU, peak so far {} MiB",
                    begin.elapsed().as_secs_f64(),
                    cpu() - before,
                    memory("VmHWM")
                ));
            }
            Event::Note { text } => self.lines.push((*text).to_owned()),
            _ => {}
        }
    }
}

/// Seconds of user and system time of this process. Linux counts in hundredths.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("this runs on Linux");
    let (_, fields) = text.rsplit_once(')').expect("the name of the program stands in brackets");
    let ticks = |at: usize| -> f64 {
        let field = fields.split_whitespace().nth(at).expect("the line has more fields");
        field.parse().expect("ticks are a number")
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// A line of `/proc/self/status`, in MiB.
fn memory(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("this runs on Linux");
    let line = text.lines().find(|line| line.starts_with(key)).expect("the key is one of Linux's");
    let kib = line.split_whitespace().nth(1).expect("a value follows the key");
    kib.parse::<u64>().expect("the value is in KiB") / 1024
}
