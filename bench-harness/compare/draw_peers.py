#!/usr/bin/env python3
"""Draws samples with the Python library `ctgan`, for peers.py to score.

    pip install ctgan
    draw_peers.py --train train.csv.gz --model ctgan|tvae --discrete a,b,c --seeds 0,1,2 --out DIR

The library runs with its default settings on one thread. Every cell of a discrete column is read
as text, so that `NA` stays a level of its own; as many rows as in training are drawn.
"""

import argparse
import pathlib
import random
import resource
import time

import ctgan
import numpy
import pandas
import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--model", choices=["ctgan", "tvae"], default="ctgan")
    parser.add_argument("--discrete", required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    discrete = options.discrete.split(",")
    train = pandas.read_csv(options.train, dtype={name: str for name in discrete}, keep_default_na=False)
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in map(int, options.seeds.split(",")):
        random.seed(seed)
        numpy.random.seed(seed)
        torch.manual_seed(seed)
        model = {"ctgan": ctgan.CTGAN, "tvae": ctgan.TVAE}[options.model](enable_gpu=False)
        started = time.process_time()
        model.fit(train, discrete)
        seconds = time.process_time() - started
        model.sample(len(train)).to_csv(options.out / f"{options.model}-seed{seed}.csv.gz", index=False)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{options.model} seed {seed}: {seconds:.1f} CPU seconds, peak {peak:.0f} MiB, ctgan {ctgan.__version__}, torch {torch.__version__}", flush=True)


main()
