#!/usr/bin/env python3
"""Times the Python library `ctgan` (its CTGAN or TVAE) and ours in turn on the same table with the same settings.

    speed.py --meg MEG [--python PYTHON] [--model ctgan|tvae] [--tables two-columns,thyroid,patients,adult] [--threads 1]
             [--repeats 3] [--epochs N] [--rows 1000000] [--batch-size 500] [--pac 10]
             [--embedding-dim 128] [--generator-dim 256,256] [--discriminator-dim 256,256]
             [--compress-dims 128,128] [--decompress-dims 128,128]
             [--work DIR] [--json FILE]

PYTHON is an interpreter with `pip install ctgan`; this script itself needs the standard library
alone. Both sides are confined to the same processors and told the same number of threads, and run
in the order ours, theirs, ours, theirs, ... Without --epochs a table is trained as long as the
targets say; with fewer epochs the whole training is also projected from the seconds per update.
--rows 0 leaves sampling out.

What is measured, by each side's own clock: `fit`, the call that learns, on a table in memory;
`mixtures`, the fit of its transforms; `transform`, the encoding of the rows (ours: all between the
mixtures and the first update); `update`, the rest of the fit (theirs: with their sampler's set-up)
by the number of updates; `sample`, drawing rows without writing them; memory is VmHWM of the
process. `fit CPU` and `sample CPU` are user and system time: theirs of the call, in the process and
the worker processes that it starts, ours of the whole process with reading and writing.
"""

import argparse
import csv
import datetime
import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import time

# Epochs that the targets speak of, and the largest ratio ours / theirs that is wanted.
EPOCHS = {"two-columns": 300, "thyroid": 300, "patients": 300, "adult": 30}
FIT_TARGETS = {"adult": 0.25, "thyroid": 0.20, "patients": 0.10}
PROJECTED = "whole fit (projected)"
TARGETS = {"mixtures": 0.07, "sample": 0.20, "fit memory": 0.20, "sample memory": 0.20}


# ---- their side: runs in PYTHON ------------------------------------------------------------

def peak_memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def timed(into, name, function):
    def wrapped(*arguments, **named):
        began = time.perf_counter()
        value = function(*arguments, **named)
        into[name] = into.get(name, 0.0) + time.perf_counter() - began
        return value
    return wrapped


def peer(job):
    import ctgan
    import numpy
    import pandas
    import torch
    from ctgan.synthesizers import ctgan as gan, tvae as autoencoder

    torch.set_num_threads(job["threads"])
    random.seed(job["seed"])
    numpy.random.seed(job["seed"])
    torch.manual_seed(job["seed"])
    train = pandas.read_csv(job["train"], dtype={name: str for name in job["discrete"]}, keep_default_na=False)
    seconds = {}
    transformer = {"ctgan": gan, "tvae": autoencoder}[job["model"]].DataTransformer
    transformer.fit = timed(seconds, "mixtures", transformer.fit)
    transformer.transform = timed(seconds, "transform", transformer.transform)
    model = {"ctgan": ctgan.CTGAN, "tvae": ctgan.TVAE}[job["model"]](enable_gpu=False, **job["settings"])
    cpu = cpu_seconds()
    timed(seconds, "fit", model.fit)(train, job["discrete"])
    seconds["fit CPU"] = cpu_seconds() - cpu
    result = {"seconds": seconds, "fit memory": peak_memory(), "versions": f"ctgan {ctgan.__version__}, torch {torch.__version__}"}
    if job["rows"]:
        cpu = cpu_seconds()
        drawn = timed(seconds, "sample", model.sample)(job["rows"])
        seconds["sample CPU"] = cpu_seconds() - cpu
        assert len(drawn) == job["rows"]
        result["sample memory"] = peak_memory()
    print(json.dumps(result))


def run_peer(options, table, repeat):
    job = {
        "train": str(table["train"]), "discrete": table["discrete"], "threads": options.threads,
        "seed": repeat + 1, "rows": options.rows, "model": options.model, "settings": settings(options, table),
    }
    output, _ = run(options, [options.python, __file__, "--peer", json.dumps(job)])
    told = json.loads(output.splitlines()[-1])
    seconds = told["seconds"]
    measures = {name: told[name] for name in ("fit memory", "sample memory") if name in told}
    measures.update(seconds)
    measures["update"] = (seconds["fit"] - seconds["mixtures"] - seconds["transform"]) / table["updates"]
    return measures, told["versions"]


# ---- our side ------------------------------------------------------------------------------

def run_ours(options, table, repeat):
    model, sample = options.work / "ours.model", options.work / "ours.csv"
    common = ["--threads", options.threads, "--seed", repeat + 1, "--force", "--quiet", "--json"]
    ours = settings(options, table)
    if options.model == "ctgan":
        ours["discriminator_decay"] = 1e-6
    pairs = [part for key, value in ours.items() for part in ("--set", f"{key}={value}")]
    output, cpu = run(options, [options.meg, "fit", "--data", table["train"], "--schema", table["schema"],
                                "--model", f"{options.model}-paper", *pairs, "--out", model, *common])
    told = json.loads(output)
    phases = {phase["phase"]: phase for phase in told["phases"]}
    encode, train = phases["encode"], phases["train"]
    if train["steps"] != table["updates"]:
        sys.exit(f"{table['name']}: ours made {train['steps']} updates, {table['updates']} were expected")
    measures = {
        "fit": told["seconds"]["fit"], "fit CPU": cpu, "mixtures": encode["seconds"],
        "transform": train["begins"] - encode["begins"] - encode["seconds"],
        "update": train["seconds"] / train["steps"], "fit memory": told["peak_memory_bytes"],
    }
    if options.rows:
        output, cpu = run(options, [options.meg, "sample", "--model", model, "--rows", options.rows, "--out", sample, *common])
        told = json.loads(output)
        measures["sample"], measures["sample memory"] = told["seconds"]["sample"], told["peak_memory_bytes"]
        measures["sample CPU"] = cpu
        sample.unlink()
    return measures


# ---- both ----------------------------------------------------------------------------------

def cpu_seconds():
    """User and system seconds of this process and of all that it started, living or ended."""
    stats = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # It ended between the listing and the look.
            continue
        # Behind the name: state, parent, ...; 11 to 14 are the ticks of it and of its ended children.
        stats[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {os.getpid()}
    while True:
        more = {pid for pid, (parent, _) in stats.items() if parent in family} - family
        if not more:
            return sum(stats[pid][1] for pid in family) / os.sysconf("SC_CLK_TCK")
        family |= more


def dims(text):
    return [int(part) for part in text.split(",")]


def settings(options, table):
    """The settings that both sides know by the same names."""
    shared = {"epochs": table["epochs"], "batch_size": options.batch_size, "embedding_dim": options.embedding_dim}
    if options.model == "tvae":
        return {**shared, "compress_dims": dims(options.compress_dims), "decompress_dims": dims(options.decompress_dims)}
    return {**shared, "pac": options.pac, "generator_dim": dims(options.generator_dim),
            "discriminator_dim": dims(options.discriminator_dim)}


def run(options, command):
    """Output and CPU seconds of a command on the chosen processors."""
    threads = str(options.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
                   "OPENBLAS_NUM_THREADS": threads, "LOKY_MAX_CPU_COUNT": threads}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment,
                          preexec_fn=lambda: os.sched_setaffinity(0, options.processors))
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepare(options, name):
    options.work.mkdir(parents=True, exist_ok=True)
    folder = options.work / name
    if name == "two-columns":
        two_columns(folder)
    elif not (folder / "schema.toml").exists():
        subprocess.run([options.meg, "datasets", "export", name, "--out", folder, "--quiet"], check=True)
    blocks = (folder / "schema.toml").read_text().split("[[columns]]")[1:]
    with open(folder / "train.csv", newline="") as file:
        header, *rows = csv.reader(file)
    discrete = [column for column, block in zip(header, blocks) if 'kind = "category"' in block]
    for at, (column, block) in enumerate(zip(header, blocks)):
        if column not in discrete and ('kind = "number"' not in block or any(row[at] == "" for row in rows)):
            sys.exit(f"{name}: column {column!r} is no category and no number without missing cells; the library takes nothing else")
    full = EPOCHS.get(name, 300)
    epochs = options.epochs or full
    # The library's TVAE keeps the last batch of a pass, its CTGAN drops it.
    left = options.batch_size - 1 if options.model == "tvae" else 0
    per_epoch = max((len(rows) + left) // options.batch_size, 1)
    return {"name": name, "train": folder / "train.csv", "schema": folder / "schema.toml", "discrete": discrete,
            "rows": len(rows), "epochs": epochs, "updates": epochs * per_epoch, "full": full, "full_updates": full * per_epoch}


def two_columns(folder):
    """10 000 rows of one number with three modes and one category of three levels."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(1)
    with open(folder / "train.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["x", "c"])
        for _ in range(10_000):
            level = chance.choice("abc")
            writer.writerow([f"{4 * ord(level) + chance.gauss(0, 1):.3f}", level])
    (folder / "schema.toml").write_text(
        '[[columns]]\nname = "x"\nkind = "number"\n\n[[columns]]\nname = "c"\nkind = "category"\nlevels = ["a", "b", "c"]\n')


def compare(options, table):
    pairs = []
    for repeat in range(options.repeats):
        ours = run_ours(options, table, repeat)
        theirs, versions = run_peer(options, table, repeat)
        for side in (ours, theirs):
            if table["updates"] != table["full_updates"]:
                rest = side["fit"] - side["update"] * table["updates"]
                side[PROJECTED] = rest + side["update"] * table["full_updates"]
        pairs.append((ours, theirs))
        print(f"{table['name']}: pair {repeat + 1} of {options.repeats} done", file=sys.stderr, flush=True)
    print(f"\n{table['name']}: {table['rows']} rows, {table['epochs']} of {table['full']} epochs, {table['updates']} updates, "
          f"{options.threads} thread(s), {options.repeats} pair(s), {options.rows} sampled rows; {versions}\n")
    if table["updates"] != table["full_updates"]:
        print(f"The whole fit is projected from {table['updates']} of {table['full_updates']} updates, not measured.\n" + (
            "The machine was busy at the start: the projection is not to be quoted.\n" if options.busy else ""))
    print("| measure | ours, least | ours, median | theirs, least | theirs, median | ratio of the least | median ratio of a pair | target |")
    print("|---|---|---|---|---|---|---|---|")
    for name in ("fit", PROJECTED, "fit CPU", "mixtures", "transform", "update", "sample", "sample CPU", "fit memory", "sample memory"):
        if name not in pairs[0][0]:
            continue
        ours, theirs = [pair[0][name] for pair in pairs], [pair[1][name] for pair in pairs]
        ratios = [a / b for a, b in zip(ours, theirs)]
        whole = name == PROJECTED or name == "fit" and table["updates"] == table["full_updates"]
        target = fit_target(options, table) if whole else TARGETS.get(name)
        cells = [show(name, pick(side)) for side in (ours, theirs) for pick in (min, statistics.median)]
        print(f"| {name} | " + " | ".join(cells) + f" | {min(ours) / min(theirs):.3f} | {statistics.median(ratios):.3f} | {target or ''} |", flush=True)
    return {**{key: str(value) if isinstance(value, pathlib.Path) else value for key, value in table.items()},
            "threads": options.threads, "pairs": pairs, "versions": versions}


def fit_target(options, table):
    return FIT_TARGETS.get(table["name"]) if options.model == "ctgan" else 0.25


def show(name, value):
    if name.endswith("memory"):
        return f"{value / 2**20:.0f} MiB"
    return f"{value * 1000:.2f} ms" if name == "update" or value < 1 else f"{value:.2f} s"


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown processor")


def main():
    if sys.argv[1:2] == ["--peer"]:
        return peer(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meg", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--model", choices=["ctgan", "tvae"], default="ctgan")
    parser.add_argument("--tables", default="two-columns,thyroid,patients,adult")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--pac", type=int, default=10)
    parser.add_argument("--embedding-dim", type=int, default=128)
    parser.add_argument("--generator-dim", default="256,256")
    parser.add_argument("--discriminator-dim", default="256,256")
    parser.add_argument("--compress-dims", default="128,128")
    parser.add_argument("--decompress-dims", default="128,128")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs/speed"))
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    available = sorted(os.sched_getaffinity(0))
    if not 1 <= options.threads <= len(available):
        sys.exit(f"--threads {options.threads}: this machine offers 1 to {len(available)}")
    options.processors = set(available[:options.threads])
    load = os.getloadavg()[0]
    print(f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, {processor()}, {len(available)} processors, load {load:.2f} at the start")
    options.busy = load > 0.5
    if options.busy:
        print("warning: the machine is busy; trust the least times and the ratios of pairs more than medians", file=sys.stderr)
    results = [compare(options, prepare(options, name)) for name in options.tables.split(",")]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


main()
