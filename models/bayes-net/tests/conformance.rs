//! All networks keep the contract of all models.

use bayes_net::{CHOW_LIU, KDB, PRIV_BAYES};
use meg_core::conformance::{self, Case};

#[test]
fn chow_liu_conforms() {
    for variant in CHOW_LIU.variants {
        conformance::check(&CHOW_LIU, Case { recipe: variant.settings, ..Case::default() });
    }
}

#[test]
fn kdb_conforms() {
    for variant in KDB.variants {
        conformance::check(&KDB, Case { recipe: variant.settings, ..Case::default() });
    }
}

#[test]
fn priv_bayes_conforms() {
    for recipe in ["", "epsilon = 100"] {
        conformance::check(&PRIV_BAYES, Case { recipe, any_level: true, ..Case::default() });
    }
}
