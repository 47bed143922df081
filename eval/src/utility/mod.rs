//! How useful synthetic rows are in place of real ones: train on them, test on holdout rows.

mod bayes;
mod exchange;
mod learner;
mod neighbours;
mod regression;
mod task;
mod tstr;

pub(crate) use exchange::Exchange;
pub(crate) use regression::Regression;
pub(crate) use tstr::{BAYES, BOOST, LOGISTIC, NEIGHBOURS, TREE};
