#!/usr/bin/env python3
"""Scores another library's synthetic tables and ours with our own metrics, side by side.

    peers.py --peers DIR --meg MEG [--tables thyroid,patients,adult] [--model ctgan-paper]
             [--set key=value]... [--seeds 0,1,2] [--threads 1] [--work DIR]

DIR holds one folder per table with train.csv.gz and test.csv.gz (or the published split of the
catalogue where they are missing) and samples NAME-seedN.csv.gz with the columns in catalogue order.
Ours is fitted on the same training rows, once per seed, and draws as many rows. Every table is
read under the catalogue's schema with the decimals left open, since other libraries do not round.
Only the standard library of Python is needed.
"""

import argparse
import csv
import gzip
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

METRICS = ["shape", "trend", "trend_dependent", "tstr_tree_auc", "tstr_logistic_auc",
           "tstr_tree_macro_f1", "tstr_logistic_macro_f1"]


def run(meg, *arguments):
    done = subprocess.run([meg, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{meg} {' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


def read(path):
    opened = gzip.open(path, "rt", newline="") if path.suffix == ".gz" else open(path, newline="")
    with opened as file:
        return list(csv.reader(file))


def levels_of(schema):
    """The levels of each column of a schema.toml, None where it has none."""
    return [json.loads(found.group(1)) if (found := re.search(r"^levels = (\[.*\])$", block, re.M)) else None
            for block in schema.split("[[columns]]")[1:]]


def converted(rows, header, levels):
    """Other spellings of the same cells: NA or ? for missing, and a letter before a class number."""
    out = [header]
    for row in rows[1:]:
        cells = []
        for cell, known in zip(row, levels):
            cell = cell.strip()
            if cell in ("NA", "nan", "?") and not (known and cell in known):
                cell = ""
            if known and cell not in known and cell[1:] in known:
                cell = cell[1:]
            cells.append(cell)
        out.append(cells)
    return out


def write(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=pathlib.Path, required=True)
    parser.add_argument("--meg", required=True)
    parser.add_argument("--tables", default="thyroid,patients,adult")
    parser.add_argument("--model", default="ctgan-paper")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs/peers"))
    options = parser.parse_args()
    settings = [part for setting in options.set for part in ("--set", setting)]
    print("| table | samples | seeds | " + " | ".join(METRICS) + " | fit seconds |")
    print("|---|---|---|" + "---|" * (len(METRICS) + 1))
    for table in options.tables.split(","):
        compare(options, table, settings)


def compare(options, table, settings):
    work = options.work / table
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "catalogue").exists():
        run(options.meg, "datasets", "export", table, "--out", work / "catalogue")
    schema = (work / "catalogue" / "schema.toml").read_text()
    header, levels = read(work / "catalogue" / "train.csv")[0], levels_of(schema)
    (work / "open.toml").write_text(re.sub(r"^decimals = .*\n", "", schema, flags=re.M))
    (work / "schema.toml").write_text(schema)
    for part, own in (("train", "train"), ("test", "holdout")):
        given = options.peers / table / f"{part}.csv.gz"
        write(work / f"{part}.csv", converted(read(given if given.exists() else work / "catalogue" / f"{own}.csv"), header, levels))
    train_rows = len(read(work / "train.csv")) - 1

    groups = {}
    for sample in sorted((options.peers / table).glob("*-seed*.csv.gz")):
        name = sample.name.split("-seed")[0]
        path = work / sample.name.removesuffix(".gz")
        write(path, converted(read(sample), header, levels))
        groups.setdefault(f"library {name}", []).append((path, None))
    for seed in options.seeds.split(","):
        folder, path = work / f"ours-{seed}.model", work / f"ours-{seed}.csv"
        started = time.time()
        run(options.meg, "fit", "--data", work / "train.csv", "--schema", work / "schema.toml", "--model", options.model,
            *settings, "--threads", options.threads, "--seed", seed, "--out", folder, "--force", "--quiet")
        seconds = time.time() - started
        run(options.meg, "sample", "--model", folder, "--rows", train_rows, "--seed", seed, "--out", path, "--force", "--quiet")
        groups.setdefault(f"ours {options.model}", []).append((path, seconds))
    for name, samples in groups.items():
        scores = []
        for path, _ in samples:
            report = json.loads(run(options.meg, "evaluate", "--train", work / "train.csv", "--holdout", work / "test.csv",
                                    "--synthetic", path, "--schema", work / "open.toml", "--json", "--quiet"))
            scores.append({metric["name"]: metric["value"] for metric in report["metrics"] if not metric["columns"]})
        cells = []
        for metric in METRICS:
            values = [score[metric] for score in scores if score.get(metric) is not None]
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            # A sample without a value must not leave the mean unseen.
            missing = f" ({len(values)} of {len(scores)})" if len(values) < len(scores) else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}{missing}" if values else "-")
        fits = [seconds for _, seconds in samples if seconds is not None]
        cells.append(f"{statistics.mean(fits):.1f}" if fits else "-")
        print(f"| {table} | {name} | {len(samples)} | " + " | ".join(cells) + " |", flush=True)


main()
