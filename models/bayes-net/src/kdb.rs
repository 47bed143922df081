use crate::chow_liu::{check_bins, check_smoothing};
use crate::coding::{self, Coder, Cut, Within};
use crate::fitted::{self, FittedNetwork, State, check_abort, check_nodes};
use crate::network::Network;
use crate::structure;
use meg_core::{
    Artifact, Error, Event, FitContext, Fitted, ModelEntry, Phase, Result, Schema, Synthesizer,
    Table, Variant, out_of_range,
};

/// k-dependence networks in the list of models.
pub const KDB: ModelEntry = ModelEntry::new::<Kdb>(
    "kdb",
    "Sahami 1996, KDD 96: limited dependence Bayesian classifiers",
    load,
)
.variants(&[
    Variant {
        name: "kdb",
        about: "two parents beside the label, bins of about equally many rows",
        settings: "",
    },
    Variant { name: "kdb0", about: "naive Bayes: no parent beside the label", settings: "k = 0" },
    Variant { name: "kdb1", about: "one parent beside the label", settings: "k = 1" },
    Variant { name: "kdb2", about: "two parents beside the label", settings: "k = 2" },
]);

meg_core::recipe! {
    /// The k-dependence network of a label: every column depends on the label and on the k columns
    /// before it that tell most of it. In closed form, without training.
    pub struct Kdb {
        /// Parents of a column beside the label, 0 to 5.
        pub k: usize = 2,
        /// The label's column; empty: the schema's target, else the last category, else the last column.
        pub label: String = String::new(),
        /// Bins of a number column, 1 to 10000.
        pub bins: usize = 15,
        /// How numbers are cut: "uniform" (equal widths) or "quantile" (about equally many rows).
        pub cut: Cut = Cut::Quantile,
        /// Which number a bin stands for: "centre", or "uniform" for one drawn within it.
        pub within: Within = Within::Uniform,
        /// Rows' worth of the distribution given one parent less mixed into every conditional one, at least 0.
        pub smoothing: f64 = 1.0,
    }
}

impl Synthesizer for Kdb {
    fn check(&self) -> Result<()> {
        if self.k > 5 {
            return Err(out_of_range("k", self.k, "in 0..=5"));
        }
        check_bins(self.bins)?;
        check_smoothing(self.smoothing)
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        ctx.observer.event(&Event::Start { phase: Phase::Encode, total: None });
        let coders = coding::observed(train, self.bins, self.cut, ctx)?;
        check_nodes(&coders)?;
        let column = label(&self.label, train.schema(), &coders)?;
        if self.label.is_empty() && train.schema().target() != Some(column) {
            let name = &train.schema().columns[column].name;
            ctx.observer.note(&format!(
                "the schema has no target that can be a label: the label is the column {name:?}; choose another with the setting `label`"
            ));
        }
        let coded = coding::encode(&coders, train, ctx.threads);
        check_abort(ctx.observer)?;
        ctx.observer.event(&Event::Start { phase: Phase::Train, total: Some(1) });
        let label = coding::modelled(&coders)
            .binary_search(&column)
            .expect("the label is one of the modelled columns");
        let parents = structure::k_dependence(&coded, label, self.k, ctx.threads);
        let network = Network::count(&coded, &parents, self.smoothing, ctx.threads);
        ctx.observer.step(Phase::Train, 1, &[])?;
        let state = State { coders, within: self.within, network, guarantee: None };
        Ok(Box::new(FittedNetwork::new(KDB.name, train.schema().clone(), state)?))
    }
}

/// The column of the label.
fn label(name: &str, schema: &Schema, coders: &[Coder]) -> Result<usize> {
    let modelled = |&at: &usize| coders[at] != Coder::Identifier;
    if !name.is_empty() {
        let at = schema
            .find(name)
            .map_err(|error| Error::Recipe { key: "label".into(), problem: error.to_string() })?;
        return Some(at).filter(modelled).ok_or_else(|| Error::Recipe {
            key: "label".into(),
            problem: format!("the column {name:?} is an identifier, which cannot be a label"),
        });
    }
    let last =
        |of: &dyn Fn(usize) -> bool| (0..coders.len()).rev().filter(modelled).find(|&at| of(at));
    Ok(schema
        .target()
        .filter(modelled)
        .or_else(|| last(&|at| schema.columns[at].is_category()))
        .or_else(|| last(&|_| true))
        .expect("a column is modelled"))
}

fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    fitted::load(KDB.name, artifact)
}
