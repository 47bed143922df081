#!/usr/bin/env python3
"""Compares SDMetrics' quality report with our fidelity scores: time on one table, and values.

    quality.py --meg MEG --python PYTHON [--table adult] [--model chow-liu] [--threads 1]
               [--repeats 3] [--work DIR] [--json FILE]

PYTHON is an interpreter with `pip install sdmetrics`; this script itself needs the standard library
alone. A model is fitted to the table's training rows and as many rows are drawn. Then, in turn and
on the same processors, SDMetrics' quality report is made of the two tables, and `meg evaluate
--metrics fidelity` computes all fidelity scores (which are many more than the report has).

Times are user and system time. Theirs is of the call alone, with the tables in memory. Ours is that
of the process less that of one that reads the same files and computes nothing; the time with reading
is given too. The target is a ratio of 0.10.

Values: what SDMetrics, scipy and pandas compute on the same columns beside ours, where their
definition is right; missing cells of categories are a level of their own for both. After that the
values that differ because a definition does, with the reason. A difference above 1e-9 in the first
list is an error, and the exit status is 1.
"""

import argparse
import csv
import datetime
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

TARGET = 0.10
AGREEMENT = 1e-9
MISSING = "(missing)"


# ---- their side: runs in PYTHON ------------------------------------------------------------

def cpu_seconds():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def peer(job):
    import warnings

    warnings.simplefilter("ignore")
    import pandas
    import sdmetrics
    from sdmetrics.reports.single_table import QualityReport

    numbers, categories = job["numbers"], job["categories"]

    def read(path):
        frame = pandas.read_csv(path, dtype={name: str for name in categories}, keep_default_na=False,
                                na_values={name: [""] for name in numbers})[numbers + categories]
        frame[categories] = frame[categories].replace("", MISSING)
        return frame

    real, synthetic = read(job["real"]), read(job["synthetic"])
    metadata = {"columns": {name: {"sdtype": "numerical"} for name in numbers}
                | {name: {"sdtype": "categorical"} for name in categories}}
    report = QualityReport()
    began = cpu_seconds()
    report.generate(real, synthetic, metadata, verbose=False)
    seconds = cpu_seconds() - began
    result = {"seconds": seconds, "version": sdmetrics.__version__, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    if job["values"]:
        result["values"] = list(values(real, synthetic, numbers, categories))
        trends = report.get_details("Column Pair Trends")
        result["trends"] = [[row["Column 1"], row["Column 2"], row["Score"]] for _, row in trends.iterrows()]
        result["report"] = {"score": report.get_score(),
                            "properties": report.get_properties().set_index("Property")["Score"].to_dict()}
    print(json.dumps(result))


def values(real, synthetic, numbers, categories):
    """Name of our score, columns, their value and where it comes from."""
    from itertools import combinations

    from scipy.spatial.distance import jensenshannon
    from scipy.stats import chi2_contingency, wasserstein_distance
    from sdmetrics import column_pairs as pair, single_column as single

    for name in numbers:
        r, s = real[name], synthetic[name]
        yield "ks_complement", [name], single.KSComplement.compute(r, s), "SDMetrics"
        yield "range_coverage", [name], single.RangeCoverage.compute(r, s), "SDMetrics"
        yield "mean_similarity", [name], single.StatisticSimilarity.compute(r, s, "mean"), "SDMetrics"
        yield "median_similarity", [name], single.StatisticSimilarity.compute(r, s, "median"), "SDMetrics"
        yield "wasserstein_raw", [name], wasserstein_distance(r.dropna(), s.dropna()), "scipy"
        yield "sd_similarity", [name], max(0.0, 1 - abs(r.std(ddof=0) - s.std(ddof=0)) / (r.max() - r.min())), "pandas"
    for name in categories:
        r, s = real[name], synthetic[name]
        yield "tv_complement", [name], single.TVComplement.compute(r, s), "SDMetrics"
        known = (r[r != MISSING], s[s != MISSING])
        yield "category_coverage", [name], single.CategoryCoverage.compute(*known), "SDMetrics"
        levels = sorted(set(r) | set(s))
        p, q = ([(column == level).mean() for level in levels] for column in (r, s))
        yield "jensen_shannon", [name], jensenshannon(p, q, base=2) ** 2, "scipy"
        table = [[int((column == level).sum()) for level in levels] for column in (r, s)]
        if len(levels) > 1:
            chi2 = chi2_contingency(table, correction=False).statistic
            yield "chi_square_v", [name], (chi2 / (len(r) + len(s))) ** 0.5, "scipy"
    for name in numbers + categories:
        r, s = (frame[name].replace(MISSING, None) for frame in (real, synthetic))
        if r.isna().any() or s.isna().any():
            yield "missing_similarity", [name], single.MissingValueSimilarity.compute(r, s), "SDMetrics"
    for a, b in combinations(numbers, 2):
        yield "correlation_similarity", [a, b], pair.CorrelationSimilarity.compute(real[[a, b]], synthetic[[a, b]]), "SDMetrics"
        yield "spearman_similarity", [a, b], pair.CorrelationSimilarity.compute(real[[a, b]], synthetic[[a, b]], coefficient="Spearman"), "SDMetrics"
    for a, b in combinations(categories, 2):
        yield "contingency_similarity", [a, b], pair.ContingencySimilarity.compute(real[[a, b]], synthetic[[a, b]]), "SDMetrics"
    for a in numbers:
        for b in categories:
            # The stand-alone metric has real bins, as ours; the report has bins of each table.
            both = pair.ContingencySimilarity.compute(real[[a, b]], synthetic[[a, b]], continuous_column_names=[a], num_discrete_bins=10)
            yield "contingency_similarity", [a, b], both, "SDMetrics"


# ---- our side -----------------------------------------------------------------------------

def run(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, sum(after[:2]) - sum(before[:2])


def prepare(options):
    """Training rows, synthetic rows and schema in files, and the kinds of the columns."""
    work = options.work / options.table
    if not (work / "export").is_dir():
        work.mkdir(parents=True, exist_ok=True)
        run(options.meg, "datasets", "export", options.table, "--out", work / "export")
    files = {path.name: path for path in (work / "export").iterdir()}
    train = next(path for name, path in files.items() if name.startswith("train"))
    schema = next(path for name, path in files.items() if name.endswith(".toml"))
    synthetic = work / f"{options.model}.csv"
    if not synthetic.exists():
        run(options.meg, "fit", "--model", options.model, "--data", train, "--schema", schema, "--out", work / options.model)
        with open(train, newline="") as file:
            rows = sum(1 for _ in csv.reader(file)) - 1
        run(options.meg, "sample", "--model", work / options.model, "--rows", rows, "--out", synthetic)
    import tomllib

    columns = tomllib.loads(schema.read_text())["columns"]
    kinds = {kind: [column["name"] for column in columns if column["kind"] == kind] for kind in ("number", "category")}
    return train, synthetic, schema, kinds


def compare(theirs, scores):
    """Prints what agrees and what does not; returns the number of disagreements."""
    ours = {(score["name"], frozenset(score["columns"])): score for score in scores}
    rows, wrong = {}, 0
    for name, columns, value, source in theirs["values"]:
        score = ours.get((name, frozenset(columns)))
        mine = None if score is None else score["value"]
        undefined = value is None or value != value
        if mine is None or undefined:
            apart = 0.0 if mine is None and undefined else float("inf")
        else:
            apart = abs(mine - value) / max(1.0, abs(value))
        if apart > AGREEMENT:
            wrong += 1
            print(f"DIFFERENT {name} {columns}: ours {mine}, {source} {value}")
        row = rows.setdefault((name, source), [0, 0.0, None])
        row[0] += 1
        if row[2] is None or apart > row[1]:
            row[1], row[2] = max(row[1], apart), (columns, mine, value)
    print("\n| score | library | values | largest difference | at | ours | theirs |\n|---|---|---|---|---|---|---|")
    for (name, source), (count, apart, (columns, mine, value)) in rows.items():
        print(f"| {name} | {source} | {count} | {apart:.1e} | {' × '.join(columns)} | {mine} | {value} |")
    return wrong


def differing(theirs, scores):
    """What the report gives otherwise, and why."""
    ours = {(score["name"], frozenset(score["columns"])): score["value"] for score in scores}
    pairs = []
    for a, b, value in theirs["trends"]:
        mine = ours.get(("contingency_similarity", frozenset((a, b))), ours.get(("correlation_similarity", frozenset((a, b)))))
        if mine is not None and value is not None and value == value and abs(mine - value) > AGREEMENT:
            pairs.append((abs(mine - value), f"{a} × {b}: ours {mine:.4f}, report {value:.4f}"))
    print(f"\n{len(pairs)} of {len(theirs['trends'])} pairs differ from the report, which cuts a number at the edges of each table and not at those of the real one:")
    for _, text in sorted(pairs, reverse=True)[:5]:
        print(f"- {text}")
    for name, value in theirs["report"]["properties"].items():
        names = {"Column Shapes": ["shape"], "Column Pair Trends": ["trend", "trend_dependent"]}[name]
        mine = ", ".join(f"{one} {ours[(one, frozenset())]:.4f}" for one in names)
        print(f"- {name}: report {value:.4f}, ours {mine}")
    print("  (the report counts only pairs whose real association is above a threshold, trend_dependent those above 0.3)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meg", type=pathlib.Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--table", default="adult")
    parser.add_argument("--model", default="chow-liu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("runs/quality"))
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    train, synthetic, schema, kinds = prepare(options)
    load = " ".join(f"{part:.2f}" for part in os.getloadavg())
    print(f"{datetime.date.today()}, load {load}, {options.table}, rows of {options.model}, {options.threads} thread(s)")
    job = {"real": str(train), "synthetic": str(synthetic), "numbers": kinds["number"], "categories": kinds["category"]}
    theirs, scores, times = None, None, []
    for repeat in range(options.repeats):
        def ours(metrics):
            text, seconds = run(options.meg, "evaluate", "--train", train, "--synthetic", synthetic, "--schema", schema,
                                "--metrics", metrics, "--threads", options.threads, "--json", "--quiet")
            return json.loads(text)["metrics"], seconds

        # Without a known law there is nothing to compute for a likelihood.
        _, reading = ours("likelihood_synthetic")
        _, report = ours("shape,trend")
        scores, fidelity = ours("fidelity")
        text, _ = run(options.python, __file__, "--peer", json.dumps(job | {"values": repeat == 0}))
        found = json.loads(text.splitlines()[-1])
        theirs = theirs or found
        times.append({"reading": reading, "report": report, "fidelity": fidelity, "theirs": found["seconds"]})
    least = {name: min(one[name] for one in times) for name in times[0]}
    median = lambda part: statistics.median((one[part] - one["reading"]) / one["theirs"] for one in times)
    print(f"SDMetrics {theirs['version']}, quality report: {least['theirs']:.2f} s. Ours, reading alone: {least['reading']:.3f} s.")
    for part, what in (("report", "the scores of that report"), ("fidelity", f"all fidelity scores ({len(scores)})")):
        print(f"Ours, {what}: {least[part] - least['reading']:.3f} s, {least[part]:.3f} s with reading; ratio of the least "
              f"{(least[part] - least['reading']) / least['theirs']:.3f} ({least[part] / least['theirs']:.3f} with reading), "
              f"median ratio {median(part):.3f}, target {TARGET}")
    wrong = compare(theirs, scores)
    differing(theirs, scores)
    if options.json:
        options.json.write_text(json.dumps({"seconds": times, "theirs": theirs, "ours": scores}))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--peer":
        peer(json.loads(sys.argv[2]))
    else:
        main()
