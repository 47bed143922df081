#!/usr/bin/env python3
"""How likely a model finds training rows that were set aside, setting by setting.

Settings are chosen by this and never by the rows of a test split: of each named table only the
training file is read, a fifth of it is set aside (`meg datasets split`), the model is fitted to the
rest once for each setting and seed, and the mean log density of the rows set aside is printed, in
nats per row, beside the seconds of CPU.

    unseen.py --meg target/release/meg --tables clinic,nursery --seeds 1,2,3 \
        --setting "" --setting "snapshots=1"

Tables from files are looked for as `meg` does (MEG_DATA). Needs nothing but the standard library.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import tempfile


def run(program, *words):
    """The standard output of a command that must succeed, and its seconds of CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([program, *map(str, words)], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, used


def inner_split(program, table, folder):
    """Folder with train.csv, holdout.csv and schema.toml, all of the table's training rows."""
    whole, inner = folder / table, folder / f"{table}-inner"
    run(program, "datasets", "export", table, "--out", whole, "--format", "csv", "-q")
    schema = whole / "schema.toml"
    # A row that equals a training row says nothing of unseen ones.
    words = ["--schema", schema, "--out", inner, "--equal-rows-together", "--format", "csv", "-q"]
    run(program, "datasets", "split", whole / "train.csv", *words)
    return inner


def density(program, inner, folder, model, setting, seed):
    """Mean log density of the rows set aside, and the CPU seconds of the fit."""
    out = folder / "model"
    settings = [word for one in setting.split() for word in ("--set", one)]
    words = ["--model", model, "--schema", inner / "schema.toml", "--seed", seed, "--out", out]
    fit = ["fit", "--data", inner / "train.csv", *words, *settings, "--force", "-q"]
    _, used = run(program, *fit)
    told, _ = run(program, "density", "--model", out, "--data", inner / "holdout.csv", "--json")
    return json.loads(told), used


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--meg", required=True, help="the program")
    options.add_argument("--model", default="meg")
    options.add_argument("--tables", required=True, help="names, comma-separated")
    options.add_argument("--seeds", default="1", help="comma-separated")
    options.add_argument("--setting", action="append", help="as `snapshots=1 hidden=32`")
    given = options.parse_args()
    settings = given.setting or [""]
    seeds = [int(seed) for seed in given.seeds.split(",")]
    print("| table | setting | nats per unseen row | never drawn | CPU |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        for table in given.tables.split(","):
            inner = inner_split(given.meg, table, folder)
            for setting in settings:
                told = [
                    density(given.meg, inner, folder, given.model, setting, seed) for seed in seeds
                ]
                means = [answer["mean_log_density"] for answer, _ in told]
                never = statistics.mean(answer["impossible_rows"] for answer, _ in told)
                spread = f" ± {statistics.stdev(means):.3f}" if len(means) > 1 else ""
                used = statistics.mean(used for _, used in told)
                print(
                    f"| {table} | {setting or 'default'} | {statistics.mean(means):.3f}{spread} "
                    f"| {never:.0f} rows | {used:.1f} s |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
