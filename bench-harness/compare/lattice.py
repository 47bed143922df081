"""How much the likelihood fitness of rows on a lattice depends on the start of its mixture.

`meg bench --datasets grid,gridr,ring --models copy,holdout,clbn --seeds 1,2,3 --keep-samples --out DIR`
keeps the rows; `python lattice.py DIR/samples` then fits scikit-learn's mixture, as the CTGAN paper's
program does, from several single starts to the rows of `clbn` and to rows of the same tree made here
with scikit-learn's bins, and prints the mean log density of the holdout rows.
Needs numpy, scikit-learn and pyarrow.
"""

import pathlib
import sys
import warnings

import numpy as np
import pyarrow.parquet as parquet
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import KBinsDiscretizer

COMPONENTS = {"grid": 30, "gridr": 30, "ring": 10}
BINS, SEEDS, STARTS = 15, (1, 2, 3), 8


def rows(folder, dataset, model, seed):
    table = parquet.read_table(folder / f"{dataset}-{model}-{seed}.parquet")
    return np.column_stack([column.to_numpy() for column in table.columns])


def tree(train, seed):
    """Draws the second of two columns given the first, both at the centres of bins of one width."""
    rng = np.random.default_rng(seed)
    cut = KBinsDiscretizer(BINS, encode="ordinal", strategy="uniform", subsample=None).fit(train)
    bins = cut.transform(train).astype(int)
    drawn = np.zeros_like(bins)
    drawn[:, 0] = rng.choice(bins[:, 0], len(bins))
    for value in np.unique(drawn[:, 0]):
        given = drawn[:, 0] == value
        drawn[given, 1] = rng.choice(bins[bins[:, 0] == value, 1], given.sum())
    return cut.inverse_transform(drawn)


def fits(dataset, sample, holdout, seed):
    for start in range(STARTS):
        mixture = GaussianMixture(
            COMPONENTS[dataset], covariance_type="diag", random_state=100 * seed + start
        ).fit(sample)
        points = int((mixture.covariances_.min(axis=1) < 1e-5).sum())
        yield mixture.score(sample), mixture.score(holdout), points


def main(folder):
    for dataset in COMPONENTS:
        holdout = rows(folder, dataset, "holdout", 1)
        train = rows(folder, dataset, "copy", 1)
        for what in ("clbn", "tree"):
            found = []
            for seed in SEEDS:
                sample = rows(folder, dataset, "clbn", seed) if what == "clbn" else tree(train, seed)
                found.append(list(fits(dataset, sample, holdout, seed)))
            own, test, points = np.concatenate(found).T
            best = [max(some[at : at + 4])[1] for some in found for at in range(0, STARTS, 4)]
            print(
                f"{dataset} {what}: L_test of {len(test)} starts {test.mean():.2f} ± {test.std():.2f},"
                f" from {test.min():.2f} to {test.max():.2f}, median {np.median(test):.2f};"
                f" of the likeliest of 4 starts {np.mean(best):.2f} ± {np.std(best):.2f};"
                f" correlation of own likelihood and L_test {np.corrcoef(own, test)[0, 1]:.2f};"
                f" {np.median(points):.0f} of {COMPONENTS[dataset]} components are points",
                flush=True,
            )


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    main(pathlib.Path(sys.argv[1]))
