#![doc = include_str!("../README.md")]

mod adversary;
mod classic;
mod codec;
mod course;
mod curves;
mod density;
mod dependence;
mod describe;
mod dice;
mod ensemble;
mod fitted;
mod folds;
mod further;
mod impute;
mod learn;
mod learner;
mod masks;
mod mixing;
mod mug;
mod network;
mod plain;
mod record;
mod sample;
mod schedule;
mod shares;
mod sharing;
mod team;
mod train;
mod trainer;

#[cfg(test)]
mod agreement;

pub use classic::{CLASSIC, MegClassic, Scaling};
use codec::{CodecOptions, NumberOptions};
use masks::MaskOptions;
pub use masks::{ColumnOrder, LabelPlace, MaskScheme};
use meg_core::{
    Artifact, FitContext, Fitted, ModelEntry, Result, Seed, Synthesizer, Table, out_of_range,
};
pub use mug::{MUG, MegMug};
use trainer::Optimiser;

/// MEG in the list of models.
pub const ENTRY: ModelEntry = ModelEntry::new::<Meg>(
    "meg",
    "Zhang, Zaidi, Li, Buntine 2024, MEG: Masked Ensemble Tabular Data Generator; rebuilt, see its README",
    fitted::load,
)
.with_checkpoints()
.with_further_training();

meg_core::recipe! {
    /// The masked ensemble generator: one conditional network per column.
    pub struct Meg {
        /// How the columns are shared out among generators: "column" (one each), "kind" (numbers, yes/no, other categories), "dependence" (columns that tell about each other), "random", or "dynamic" (one each, with context masks drawn anew for every row in training).
        pub masks: MaskScheme = MaskScheme::Column,
        /// Generators of the schemes "dependence" and "random"; 0: the root of the number of columns.
        pub groups: usize = 0,
        /// Members of the ensemble, in 1..=64: each makes all columns; their probabilities are mixed, with the weights under which held-out rows are likeliest, before one draw.
        pub members: usize = 1,
        /// The order of the columns beside the target: by "information" with it, "reversed", as "given", by "size", or "random".
        pub order: ColumnOrder = ColumnOrder::Information,
        /// Where the target stands in the order of the columns: "first", "last", or "auto": both are trained, and held-out rows decide.
        pub label: LabelPlace = LabelPlace::Auto,
        /// Columns that a generator sees, at most: those that tell most about its own, the target always.
        pub max_context: usize = 48,
        /// Bins of a number column, at most, in 1..=4096; each holds at least 20 rows.
        pub bins: usize = 256,
        /// A number column with at most so many different values has no bins: each value is drawn as such.
        pub atoms: usize = 128,
        /// Codes of a category column, in 2..=4096; the rarest levels beyond share one and are drawn by their counts.
        pub levels: usize = 256,
        /// Width of the ordinal smoothing of bins, in bins of a column of 256; 0: none.
        pub smoothing: f64 = 1.5,
        /// Rows of an ordered column over which neighbouring values or bins share what they learn (the standard deviation of the kernel); 0: each learns alone.
        pub sharing: f64 = 0.0,
        /// The same for small tables (those of fold_below).
        pub small_sharing: f64 = 100.0,
        /// Cells of an embedding, shared by all generators.
        pub embedding: usize = 16,
        /// Units of each hidden layer.
        pub hidden: usize = 64,
        /// Share of hidden units silenced in training, in [0, 0.9].
        pub dropout: f64 = 0.1,
        /// The same share for small tables (those of fold_below).
        pub small_dropout: f64 = 0.5,
        /// Rows per step, at most; small tables have smaller batches.
        pub batch_size: usize = 256,
        /// Learning rate of AdamW.
        pub learning_rate: f64 = 1e-3,
        /// Steps over which the learning rate rises to its height.
        pub warmup: u64 = 30,
        /// Decoupled weight decay, per unit of learning rate.
        pub weight_decay: f64 = 1e-4,
        /// Largest norm of the gradient.
        pub clip: f64 = 5.0,
        /// Running average of the weights: the share of the old average that a step keeps, below 1.
        pub average: f64 = 0.98,
        /// Share of the training rows that decides when to stop, in [0, 0.5].
        pub validation: f64 = 0.1,
        /// Rows for validation, at most.
        pub max_validation: usize = 50_000,
        /// A table with fewer rows is cut into folds, which tell how long to train on all of its rows.
        pub fold_below: usize = 2_000,
        /// Folds of a small table; 1: held-out rows as in a large one, which tell how long to train on all rows.
        pub folds: usize = 5,
        /// States of a training, at most, of which each column takes the best one for itself; 1: all columns the same, and a large table is trained once, without its held-out rows.
        pub snapshots: usize = 4,
        /// Steps between two validations, at least; between the bounds it is one pass over the rows.
        pub least_interval: u64 = 20,
        /// Steps between two validations, at most.
        pub most_interval: u64 = 60,
        /// Nats by which a validation must be better to count.
        pub least_gain: f64 = 5e-4,
        /// Validations without a gain after which the rate is cut, or training ends.
        pub patience: u32 = 2,
        /// How many times the rate of a large table with one state is cut before training ends; each cut goes on from the best state.
        pub rate_cuts: u32 = 2,
        /// What the rate is multiplied by at a cut, in (0, 1].
        pub rate_cut: f64 = 0.3,
        /// Steps, at most.
        pub max_steps: u64 = 20_000,
        /// Steps against a discriminator of whole rows, after the likelihood phase; 0: none. Kept only where held-out rows are then harder to tell from drawn ones. A large table then has one state; left out, with a note, for tables in folds.
        pub adversarial_steps: u64 = 0,
        /// What a drawn row's log-odds count for beside a training row's likelihood, in [0, 10].
        pub adversarial_weight: f64 = 0.1,
        /// Privacy: share of the columns made before that a generator does not see, the target excepted, in [0, 1].
        pub hidden_context: f64 = 0.0,
        /// Privacy: training rows behind every level, value and bin that is drawn as such, at least; rarer levels share one code.
        pub least_rows: usize = 1,
        /// Whether rows are drawn together: shares in a sample lie nearer to the model's than those of independent rows, and tell more exactly how often a value stood in the training rows; not under conditions. The README says what such rows are not for.
        pub even_draws: bool = false,
        /// What the logits are divided by in sampling, in [0.1, 10]; above 1 rows vary more.
        pub temperature: f64 = 1.0,
    }
}

/// Units of a layer and cells of an embedding, at most.
const MOST_UNITS: usize = 4_096;

impl Synthesizer for Meg {
    fn check(&self) -> Result<()> {
        let sized = |key: &str, value: usize, least: usize, most: usize| {
            let rule = format!("in {least}..={most}");
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(out_of_range(key, value, &rule))
            }
        };
        sized("max_context", self.max_context, 1, 10_000)?;
        sized("groups", self.groups, 0, 10_000)?;
        sized("members", self.members, 1, 64)?;
        sized("snapshots", self.snapshots, 1, 64)?;
        sized("least_rows", self.least_rows, 1, 1_000_000)?;
        sized("bins", self.bins, 1, 4_096)?;
        sized("atoms", self.atoms, 0, 4_096)?;
        sized("levels", self.levels, 2, 4_096)?;
        sized("embedding", self.embedding, 1, MOST_UNITS)?;
        sized("hidden", self.hidden, 1, MOST_UNITS)?;
        sized("batch_size", self.batch_size, 1, 1_000_000)?;
        sized("folds", self.folds, 1, 100)?;
        sized("max_validation", self.max_validation, 2, 100_000_000)?;
        let within = |key: &str, value: f64, least: f64, most: f64| {
            let rule = format!("in [{least}, {most}]");
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(out_of_range(key, value, &rule))
            }
        };
        within("adversarial_weight", self.adversarial_weight, 0.0, 10.0)?;
        within("hidden_context", self.hidden_context, 0.0, 1.0)?;
        within("temperature", self.temperature, 0.1, 10.0)?;
        within("smoothing", self.smoothing, 0.0, 100.0)?;
        within("sharing", self.sharing, 0.0, 1e9)?;
        within("small_sharing", self.small_sharing, 0.0, 1e9)?;
        within("dropout", self.dropout, 0.0, 0.9)?;
        within("small_dropout", self.small_dropout, 0.0, 0.9)?;
        within("weight_decay", self.weight_decay, 0.0, 1e3)?;
        within("average", self.average, 0.0, 0.999_999)?;
        within("validation", self.validation, 0.0, 0.5)?;
        within("least_gain", self.least_gain, 0.0, 1e3)?;
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("clip", self.clip),
            ("rate_cut", self.rate_cut),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(out_of_range(key, value, "above 0"));
            }
        }
        within("rate_cut", self.rate_cut, 0.0, 1.0)?;
        for (key, value) in [("patience", u64::from(self.patience)), ("max_steps", self.max_steps)]
        {
            if value == 0 {
                return Err(out_of_range(key, value, "at least 1"));
            }
        }
        if !(1..=self.most_interval).contains(&self.least_interval) {
            let rule = format!("in 1..=most_interval ({})", self.most_interval);
            return Err(out_of_range("least_interval", self.least_interval, &rule));
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        // A device that does not answer is an error before the encoding, not after.
        neural::tensor_device(ctx.device)?;
        Ok(Box::new(train::fit(self, train, ctx)?))
    }

    fn fit_further(
        &self,
        model: &Artifact,
        rows: &Table,
        ctx: &mut FitContext<'_>,
    ) -> Result<Box<dyn Fitted>> {
        self.check()?;
        neural::tensor_device(ctx.device)?;
        Ok(Box::new(further::fit(self, fitted::read(model)?, rows, ctx)?))
    }
}

impl Meg {
    fn codec_options(&self) -> CodecOptions {
        let number =
            NumberOptions { bins: self.bins, atoms: self.atoms, least_rows: self.least_rows };
        CodecOptions { number, levels: self.levels }
    }

    /// The masks of the first member.
    fn mask_options(&self, seed: Seed, threads: usize) -> MaskOptions {
        MaskOptions {
            scheme: self.masks,
            groups: self.groups,
            order: self.order,
            label: self.label,
            most: self.max_context,
            hidden: self.hidden_context,
            number: 0,
            seed,
            threads,
        }
    }

    fn optimiser(&self, rows: usize) -> Optimiser {
        Optimiser {
            warmup: self.warmup,
            decay: self.weight_decay,
            clip: self.clip,
            average: self.average,
            dropout: if rows < self.fold_below { self.small_dropout } else { self.dropout },
        }
    }

    /// Rows over which codes share what they learn, for so many training rows.
    fn sharing_width(&self, rows: usize) -> f64 {
        if rows < self.fold_below { self.small_sharing } else { self.sharing }
    }

    /// Rows per step for so many training rows: at least 16 steps per pass, and at least 16 rows
    /// where there are as many.
    fn batch(&self, rows: usize) -> usize {
        (rows / 16).clamp(16, self.batch_size.max(16)).min(self.batch_size).min(rows).max(1)
    }
}
