use crate::coding::{self, Cut, Within};
use crate::fitted::{self, FittedNetwork, State, check_abort, check_nodes};
use crate::network::Network;
use crate::structure;
use meg_core::{
    Artifact, Event, FitContext, Fitted, ModelEntry, Phase, Result, Synthesizer, Table, Variant,
    out_of_range,
};

/// Chow-Liu trees in the list of models.
pub const CHOW_LIU: ModelEntry = ModelEntry::new::<ChowLiu>(
    "chow-liu",
    "Chow & Liu 1968, IEEE Trans. Inf. Theory 14(3); as CLBN in Xu et al. 2019, arXiv 1907.00503",
    load,
)
.variants(&[
    Variant {
        name: "chow-liu",
        about: "bins of about equally many rows, numbers drawn within their bin",
        settings: "bins = 30\ncut = \"quantile\"\nwithin = \"uniform\"",
    },
    Variant {
        name: "clbn",
        about: "as in the CTGAN paper's benchmark: 15 bins of equal width, numbers at their centres",
        settings: "",
    },
]);

meg_core::recipe! {
    /// The Chow-Liu tree: every column depends on one other at most, the tree being the one of the
    /// largest likelihood. Defaults are those of CLBN in the CTGAN paper's benchmark.
    pub struct ChowLiu {
        /// Bins of a number column, 1 to 10000.
        pub bins: usize = 15,
        /// How numbers are cut: "uniform" (equal widths) or "quantile" (about equally many rows).
        pub cut: Cut = Cut::Uniform,
        /// Which number a bin stands for: "centre", or "uniform" for one drawn within it.
        pub within: Within = Within::Centre,
        /// Rows' worth of the column's own distribution mixed into every conditional one, at least 0.
        pub smoothing: f64 = 0.0,
    }
}

impl Synthesizer for ChowLiu {
    fn check(&self) -> Result<()> {
        check_bins(self.bins)?;
        check_smoothing(self.smoothing)
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        ctx.observer.event(&Event::Start { phase: Phase::Encode, total: None });
        let coders = coding::observed(train, self.bins, self.cut, ctx)?;
        check_nodes(&coders)?;
        let coded = coding::encode(&coders, train, ctx.threads);
        check_abort(ctx.observer)?;
        ctx.observer.event(&Event::Start { phase: Phase::Train, total: Some(1) });
        let parents = structure::chow_liu(&coded, ctx.threads);
        let network = Network::count(&coded, &parents, self.smoothing, ctx.threads);
        ctx.observer.step(Phase::Train, 1, &[])?;
        let state = State { coders, within: self.within, network, guarantee: None };
        Ok(Box::new(FittedNetwork::new(CHOW_LIU.name, train.schema().clone(), state)?))
    }
}

fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    fitted::load(CHOW_LIU.name, artifact)
}

pub(crate) fn check_bins(bins: usize) -> Result<()> {
    match bins {
        1..=10_000 => Ok(()),
        _ => Err(out_of_range("bins", bins, "in 1..=10000")),
    }
}

pub(crate) fn check_smoothing(smoothing: f64) -> Result<()> {
    if (0.0..=1e9).contains(&smoothing) {
        return Ok(());
    }
    Err(out_of_range("smoothing", smoothing, "in 0..=1e9"))
}
