//! A model that exists for the tests of this crate alone.

use meg_core::{
    Artifact, Error, Event, FitContext, Fitted, Instructions, ModelEntry, Phase, Result,
    SampleContext, SampleRequest, Synthesizer, Table, Variant,
};

meg_core::recipe! {
    /// Repeats its training rows.
    pub struct Fake {
        /// Number of steps; 13 fails.
        pub steps: u64 = 5,
    }
}

#[derive(Debug)]
struct FittedFake(Table);

pub(crate) const FAKE: &[ModelEntry] = &[ModelEntry::new::<Fake>("fake", "nobody 2000", load)
    .variants(&[
        Variant { name: "fake", about: "three steps", settings: "steps = 3" },
        Variant { name: "fake-paper", about: "one step", settings: "steps = 1" },
    ])];

/// A job of it.
pub(crate) fn job() -> super::Job {
    super::Job {
        dataset: "toy".into(),
        table: "toy".into(),
        data_hash: "d".into(),
        split_hash: "s".into(),
        label: "a".into(),
        model: "fake".into(),
        settings: String::new(),
        entry: "fake".into(),
        recipe: serde_json::json!({"steps": 3}),
        seed: 1,
        rows: Some(4),
        threads: 1,
        device: "cpu".into(),
        plain: false,
        instructions: Instructions::Portable.name().into(),
        metrics: Vec::new(),
        memory_limit: None,
        folders: Vec::new(),
        cache: std::path::PathBuf::new(),
        sample_file: None,
        details_file: None,
    }
}

fn load(_artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    Err(Error::Artifact("never saved".into()))
}

impl Synthesizer for Fake {
    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        ctx.observer.event(&Event::Start { phase: Phase::Train, total: Some(self.steps) });
        ctx.observer.note("a note");
        if self.steps == 13 {
            return Err(Error::Training { step: 13, problem: "the loss is NaN".into() });
        }
        Ok(Box::new(FittedFake(train.clone())))
    }
}

impl Fitted for FittedFake {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        ctx.observer.event(&Event::Acceptance { drawn: 10, kept: 5 });
        let rows: Vec<usize> = (0..request.rows).map(|row| row % self.0.rows()).collect();
        Ok(self.0.select_rows(&rows))
    }

    fn save(&self) -> Result<Artifact> {
        Err(Error::Artifact("never saved".into()))
    }
}
