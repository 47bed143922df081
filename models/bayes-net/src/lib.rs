#![doc = include_str!("../README.md")]

mod bins;
mod chow_liu;
mod coding;
mod counts;
mod evidence;
mod fitted;
mod information;
mod kdb;
mod network;
mod priv_bayes;
mod private;
mod structure;

pub use chow_liu::{CHOW_LIU, ChowLiu};
pub use coding::{Cut, Within};
pub use kdb::{KDB, Kdb};
pub use priv_bayes::{PRIV_BAYES, PrivBayes};
