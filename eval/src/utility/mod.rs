//! How useful synthetic rows are in place of real ones: train on them, test on holdout rows.

mod tstr;

pub(crate) use tstr::{LOGISTIC, TREE};
