use meg_core::{Artifact, Error, FitContext, Fitted, Result, Synthesizer, Table};

meg_core::recipe! {
    /// Real rows that no model saw, in place of synthetic ones.
    pub struct Holdout {}
}

impl Synthesizer for Holdout {
    /// Refuses: a model sees training rows only, and a second sample of real rows is none of them.
    /// The benchmark takes the rows from the holdout part itself, without a model.
    fn fit(&self, _: &Table, _: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        Err(nothing_to_train())
    }
}

/// There is never one to load.
pub(crate) fn load(_: &Artifact) -> Result<Box<dyn Fitted>> {
    Err(Error::Artifact("the yardstick `holdout` is never saved".into()))
}

fn nothing_to_train() -> Error {
    Error::Request(
        "`holdout` is a second sample of real rows and cannot be trained; it stands in `meg bench` alone, where a table has a holdout part".into(),
    )
}
