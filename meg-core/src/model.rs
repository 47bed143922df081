use crate::{
    Artifact, Error, Masks, Observer, Recipe, Result, Rng, SampleRequest, Seed, Setting, Settings,
    Sheet, Table, TrainingState, recipe,
};
use std::fmt::{self, Debug};
use std::num::NonZeroU64;

/// A recipe: hyper-parameters and nothing else. Untrained, cheap, plain data.
pub trait Synthesizer: Debug + Send + Sync {
    /// Checks the settings, before any data are read.
    ///
    /// # Errors
    /// [`Error::Recipe`] that names the setting, the rule and the value.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Settings that name columns of the training table, as the setting and the column. Whoever
    /// rewrites columns before a fit asks for them, because the name would mean something else.
    fn named_columns(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// Whether the model promises differential privacy. Then nothing else should be learned from the
    /// rows, or it should be told.
    fn is_private(&self) -> bool {
        false
    }

    /// Learns from the training rows.
    ///
    /// # Errors
    /// When the table cannot be modelled, when training fails, or when the observer interrupts.
    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>>;

    /// Goes on training a saved model with rows of its schema, under the settings of this recipe:
    /// encodings, masks and sizes are the saved ones, the rows are these. Always an error from a
    /// model whose entry does not say [`further`](ModelEntry::further).
    ///
    /// # Errors
    /// [`Error::Recipe`] for a setting that the saved model has fixed, a data error for a row that
    /// its encoding does not hold, and those of [`Synthesizer::fit`].
    fn fit_further(
        &self,
        model: &Artifact,
        rows: &Table,
        ctx: &mut FitContext<'_>,
    ) -> Result<Box<dyn Fitted>> {
        let _ = (rows, ctx);
        Err(cannot_go_on(&model.model))
    }
}

/// The error of a model that cannot be trained further.
pub fn cannot_go_on(model: &str) -> Error {
    Error::Request(format!(
        "a trained {model:?} cannot be trained further\n  help: fit it anew on all rows"
    ))
}

/// A trained model. There is no way to hold one that is not trained.
pub trait Fitted: Debug + Send {
    /// Draws exactly `request.rows` rows that obey the training schema and all conditions.
    ///
    /// # Errors
    /// When a condition cannot be met within the bound of the rejection loop.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table>;

    /// The logarithm, in nats, of the density that the model gives to each of these rows, or `None`
    /// from a model that has no density. What it is a density of (steps or units of number columns)
    /// the model says; identifiers do not count.
    ///
    /// # Errors
    /// When the rows have another schema than the training rows.
    fn log_density(&self, rows: &Table, threads: usize) -> Result<Option<Vec<f64>>> {
        let _ = (rows, threads);
        Ok(None)
    }

    /// The rows with their missing cells drawn given the other cells, or `None` from a model that
    /// cannot do that. Cells that are there stay as they are. Columns of the rows may be nullable
    /// where those of the training rows were not.
    ///
    /// # Errors
    /// When the rows have other columns than the training rows, or hold a cell that the model
    /// cannot condition on.
    fn impute(&self, rows: &Table, ctx: &mut SampleContext<'_>) -> Result<Option<Table>> {
        let _ = (rows, ctx);
        Ok(None)
    }

    /// What a reader can look at of what was learned: masks, structures, orders. Nothing by default.
    fn describe(&self) -> Vec<Sheet> {
        Vec::new()
    }

    /// The masks of an ensemble of generators, or `None` from a model that has none.
    fn masks(&self) -> Option<Masks> {
        None
    }

    /// The model as plain data. Law: the loaded artifact draws the same rows from the same stream.
    ///
    /// # Errors
    /// When a weight cannot be read back from its device.
    fn save(&self) -> Result<Artifact>;
}

/// Where tensors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A CUDA device by ordinal.
    Cuda(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// How updates are computed on the processor. Both ways compute the same formulas from the same
/// random numbers; they differ by rounding alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kernels {
    /// Hand-written kernels, where a model has them.
    #[default]
    Fused,
    /// Plain tensor expressions with automatic gradients: slow, and what the kernels are tested
    /// against. A model that knows one way only takes that.
    Plain,
}

impl Kernels {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Kernels::Fused => "fused",
            Kernels::Plain => "plain",
        }
    }
}

/// What training needs beside recipe and rows. [`FitContext::new`] fills in the usual, and every
/// field can be set afterwards.
pub struct FitContext<'a> {
    /// The source of all randomness.
    pub seed: Seed,
    /// Where to train.
    pub device: Device,
    /// How to compute on the processor.
    pub kernels: Kernels,
    /// Threads to use, at least 1. Results do not depend on it.
    pub threads: usize,
    /// Who hears of the progress and may ask to stop.
    pub observer: &'a mut dyn Observer,
    /// Who keeps the state of the training now and then. Only models whose entry says
    /// [`checkpoints`](ModelEntry::checkpoints) call it.
    pub checkpoints: Option<CheckpointSink<'a>>,
    /// The state to go on from; taken by the training loop. Same table, recipe, seed, device and
    /// kernels as in the interrupted fit are the caller's business
    /// ([`Identity`](crate::Identity)), and then the model is the same to the last bit.
    pub resume: Option<TrainingState>,
}

impl<'a> FitContext<'a> {
    /// One thread of the processor, fused kernels, no checkpoints.
    pub fn new(seed: Seed, observer: &'a mut dyn Observer) -> Self {
        Self {
            seed,
            device: Device::default(),
            kernels: Kernels::default(),
            threads: 1,
            observer,
            checkpoints: None,
            resume: None,
        }
    }
}

/// Who keeps training states, and how often. When the observer interrupts, the state of that
/// moment is kept too.
pub struct CheckpointSink<'a> {
    /// Updates between two states.
    pub every: NonZeroU64,
    /// Keeps a state. A state that was due and could not be kept costs a note, and the next one is
    /// another try; an error at an interruption ends the training with that error.
    pub keep: &'a mut dyn FnMut(TrainingState) -> Result<()>,
}

impl Debug for CheckpointSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSink").field("every", &self.every).finish_non_exhaustive()
    }
}

impl Debug for FitContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FitContext")
            .field("seed", &self.seed)
            .field("device", &self.device)
            .field("kernels", &self.kernels)
            .field("threads", &self.threads)
            .field("checkpoints", &self.checkpoints)
            .field("resume", &self.resume.as_ref().map(|state| state.step))
            .finish_non_exhaustive()
    }
}

/// What sampling needs beside the model and the request.
pub struct SampleContext<'a> {
    /// The stream to draw from.
    pub rng: Rng,
    /// Threads to use, at least 1. Results do not depend on it.
    pub threads: usize,
    /// Who hears of the progress and of acceptance rates.
    pub observer: &'a mut dyn Observer,
}

impl Debug for SampleContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SampleContext").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// A named set of settings of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Name, as in a plan or after `--models`.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub about: &'static str,
    /// Its settings over the defaults, as TOML.
    pub settings: &'static str,
}

/// One entry of the list of models.
#[derive(Debug, Clone, Copy)]
pub struct ModelEntry {
    /// Name in plans, reports and artifacts.
    pub name: &'static str,
    /// The paper, with year.
    pub paper: &'static str,
    /// Named settings; the first is the one that `name` alone stands for. Empty: the defaults.
    pub variants: &'static [Variant],
    /// Reads settings from TOML text over the defaults and checks them.
    pub recipe: fn(&str) -> Result<Recipe>,
    /// Lists the settings with defaults and descriptions.
    pub settings: fn() -> Vec<Setting>,
    /// Rebuilds a fitted model.
    pub load: fn(&Artifact) -> Result<Box<dyn Fitted>>,
    /// Whether the model keeps checkpoints and goes on from them.
    pub checkpoints: bool,
    /// Whether a saved model can be trained further ([`Synthesizer::fit_further`]).
    pub further: bool,
}

impl ModelEntry {
    /// An entry for the recipe type `S`, without variants.
    pub const fn new<S: Settings>(
        name: &'static str,
        paper: &'static str,
        load: fn(&Artifact) -> Result<Box<dyn Fitted>>,
    ) -> Self {
        Self {
            name,
            paper,
            variants: &[],
            recipe: recipe::parse::<S>,
            settings: recipe::settings::<S>,
            load,
            checkpoints: false,
            further: false,
        }
    }

    /// The same entry of a model that keeps checkpoints and goes on from them to the last bit; the
    /// conformance suite holds it to that.
    #[must_use]
    pub const fn with_checkpoints(mut self) -> Self {
        self.checkpoints = true;
        self
    }

    /// The same entry of a model that can be trained further once it is saved; the conformance
    /// suite tries it.
    #[must_use]
    pub const fn with_further_training(mut self) -> Self {
        self.further = true;
        self
    }

    /// The same entry with named settings.
    #[must_use]
    pub const fn variants(mut self, variants: &'static [Variant]) -> Self {
        self.variants = variants;
        self
    }
}
