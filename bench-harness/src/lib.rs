//! Benchmark harness for generators of synthetic tables and the meg command line.
