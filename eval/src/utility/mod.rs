//! How useful synthetic rows are in place of real ones: train on them, test on holdout rows.

mod agreement;
mod bayes;
mod ctgan;
mod exchange;
mod floor;
mod global;
mod learner;
mod neighbours;
mod numbers;
mod regression;
mod task;
mod tstr;

pub(crate) use agreement::Agreement;
pub(crate) use ctgan::{CTGAN_ADULT, CTGAN_CENSUS, CTGAN_COVERTYPE, CTGAN_MNIST, CTGAN_NEWS};
pub(crate) use exchange::Exchange;
pub(crate) use floor::Floor;
pub(crate) use global::Global;
pub(crate) use regression::{BOOST_NUMBERS, FOREST_NUMBERS, LINEAR, MLP_NUMBERS, TREE_NUMBERS};
pub(crate) use tstr::{ADABOOST, BAYES, BOOST, FOREST, LOGISTIC, MLP, NEIGHBOURS, TREE};
