//! `meg`: generators of synthetic tables and their benchmark.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
