//! Learners that more than one metric uses: histogram trees, grown alone, as a forest or by
//! boosting.
//!
//! They are written here because no crate served: `gbdt` 0.1.3 sorts every column at every node and
//! has no probabilities for more than two classes, `forust-ml` and `perpetual` know no categories
//! with more than two classes in one model, `lightgbm3` and `xgb` wrap C++ that the build would have
//! to compile or fetch, and smartcore's boosting is for regression alone and takes minutes where
//! this takes seconds.

mod bins;
mod boost;
mod tree;

pub(crate) use bins::{Binned, Binning};
pub(crate) use boost::{Boosted, Boosting};
