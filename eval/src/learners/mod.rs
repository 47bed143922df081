//! Learners, what they learn from, and how well they did.
//!
//! Boosted histogram trees are written here because no crate served: `gbdt` 0.1.3 sorts every column at every node and
//! has no probabilities for more than two classes, `forust-ml` and `perpetual` know no categories
//! with more than two classes in one model, `lightgbm3` and `xgb` wrap C++ that the build would have
//! to compile or fetch, and smartcore's boosting is for regression alone and takes minutes where
//! this takes seconds. The trees of exact cuts behind the decision tree, the forest and AdaBoost are
//! in `cart.rs`, which says why. smartcore's optimiser fits logistic regression.

mod adaboost;
mod auc;
mod bins;
mod boost;
mod cart;
pub(crate) mod classify;
pub(crate) mod decision;
pub(crate) mod features;
pub(crate) mod forest;
pub(crate) mod linear;
pub(crate) mod logistic;
mod perceptron;
mod ranked;
mod tree;

pub(crate) use adaboost::Vote;
pub(crate) use adaboost::predict as adaboost;
pub(crate) use auc::{Area, area, area_places, chance_variance};
pub(crate) use bins::Binning;
pub(crate) use boost::Boosting;
pub(crate) use cart::Goal;
pub(crate) use perceptron::Perceptron;
