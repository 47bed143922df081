//! The command line: the only place that prints and that decides the exit code.

mod bench;
mod candle_threads;
mod datasets_command;
mod density;
mod encode;
mod evaluate;
mod fit;
mod guessed;
mod impute;
mod inspect;
mod interrupt;
mod mask;
mod masking;
mod metrics;
mod models;
mod options;
mod output;
mod progress;
mod report;
mod sample;
mod saved;
mod schema;
mod scores;
mod split;
mod stopwatch;
mod target;
mod twin;

use bench_harness::child;
use clap::{Parser, Subcommand};
use meg_core::{Error, ErrorKind, Result};
use std::process::ExitCode;

/// Generators of synthetic tables, and an honest benchmark of them.
#[derive(Debug, Parser)]
#[command(
    name = "meg",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Start with `meg bench` (a small benchmark), or with your own table:\n  \
        meg datasets split people.csv --out people        train, holdout and a schema: review what was guessed\n  \
        meg fit --data people/train.csv --schema people/schema.toml --model meg --out twin.model\n  \
        meg sample --model twin.model --rows 1000 --out twin.csv\n  \
        meg evaluate --train people/train.csv --holdout people/holdout.csv --synthetic twin.csv --schema people/schema.toml\n  \
        meg twin people.csv --out twin                    all of it in one go, with a report\n\n\
        Exit codes: 0 ok, 2 usage, 3 bad data, 4 model or file format, 5 training or a cell failed, 6 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: options::Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Bench),
    Report(report::Report),
    Fit(fit::Fit),
    Sample(sample::Sample),
    Density(density::Density),
    Impute(impute::Impute),
    #[command(subcommand)]
    Model(inspect::Model),
    Evaluate(evaluate::Evaluate),
    Twin(Box<twin::Twin>),
    Mask(mask::Mask),
    Encode(encode::Encode),
    Decode(encode::Decode),
    #[command(subcommand)]
    Schema(schema::Schema),
    #[command(subcommand)]
    Datasets(datasets_command::Datasets),
    #[command(subcommand)]
    Models(models::Models),
    #[command(subcommand)]
    Metrics(metrics::Metrics),
    /// Computes one cell; `meg bench` calls this by itself.
    #[command(name = child::SUBCOMMAND, hide = true)]
    Cell,
}

/// How a command that ran to its end came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    SomeCellsFailed,
    Interrupted,
}

/// Reads the command line, runs the command, turns its end into an exit code.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = prepare(&cli) {
        return fail(&error);
    }
    match run(&cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeCellsFailed) => ExitCode::from(5),
        Ok(Outcome::Interrupted) => ExitCode::from(6),
        Err(error) => fail(&error),
    }
}

fn run(cli: &Cli) -> Result<Outcome> {
    let common = &cli.common;
    let done = |result: Result<()>| result.map(|()| Outcome::Done);
    match &cli.command {
        Command::Bench(command) => command.run(common),
        Command::Report(command) => done(command.run(common)),
        Command::Fit(command) => done(command.run(common)),
        Command::Sample(command) => done(command.run(common)),
        Command::Density(command) => done(command.run(common)),
        Command::Impute(command) => done(command.run(common)),
        Command::Model(command) => done(command.run(common)),
        Command::Evaluate(command) => done(command.run(common)),
        Command::Twin(command) => done(command.run(common)),
        Command::Mask(command) => done(command.run(common)),
        Command::Encode(command) => done(command.run(common)),
        Command::Decode(command) => done(command.run(common)),
        Command::Schema(command) => done(command.run(common)),
        Command::Datasets(command) => done(command.run(common)),
        Command::Models(command) => done(command.run(common)),
        Command::Metrics(command) => done(command.run(common)),
        Command::Cell => done(child::serve(&mut std::io::stdin(), &mut std::io::stdout())),
    }
}

// A cell leaves signals alone: its parent decides.
fn prepare(cli: &Cli) -> Result<()> {
    match cli.command {
        Command::Cell => Ok(()),
        _ => interrupt::listen(),
    }
}

fn fail(error: &Error) -> ExitCode {
    output::complain(&format!("error: {error}"));
    ExitCode::from(match error.kind() {
        ErrorKind::Usage => 2,
        ErrorKind::Data => 3,
        ErrorKind::Format => 4,
        ErrorKind::Training => 5,
        ErrorKind::Interrupted => 6,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
