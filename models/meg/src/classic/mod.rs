//! The algorithm of the MEG documentation: masked generators against one discriminator, trained by
//! binary cross-entropy alone.

mod fitted;
mod network;
mod scale;
mod train;

use meg_core::{
    Artifact, Device, Error, FitContext, Fitted, ModelEntry, Result, Synthesizer, Table,
    out_of_range,
};
pub use scale::Scaling;

/// The documented algorithm in the list of models.
pub const CLASSIC: ModelEntry = ModelEntry::new::<MegClassic>(
    "meg-classic",
    "MEG algorithm documentation (Katabatic, DataBytes-Organisation 2024); see its README",
    fitted::load,
)
.with_checkpoints()
.with_further_training();

meg_core::recipe! {
    /// The masked ensemble as documented: one generator per column, their masked outputs summed to a row, one discriminator.
    pub struct MegClassic {
        /// Updates, each on one batch; the documentation calls them epochs.
        pub epochs: u64 = 5_000,
        /// Rows per update, real and drawn ones each.
        pub batch_size: usize = 64,
        /// Length of the noise vector.
        pub input_dim: usize = 100,
        /// Units of the hidden layer of every network.
        pub hidden: usize = 128,
        /// Learning rate of Adam.
        pub learning_rate: f64 = 2e-4,
        /// Share of the discriminator's hidden units silenced in training, in [0, 0.9].
        pub dropout: f64 = 0.0,
        /// All generators of a row get the same noise; false: each its own, which makes columns independent.
        pub shared_noise: bool = true,
        /// How columns become units: "standard" (mean 0, deviation 1, as documented) or "range" (smallest to largest value as -1 to 1, which the generators can reach).
        pub scaling: Scaling = Scaling::Standard,
    }
}

impl Synthesizer for MegClassic {
    fn check(&self) -> Result<()> {
        for (key, value, most) in [
            ("batch_size", self.batch_size, 1_000_000),
            ("input_dim", self.input_dim, 4_096),
            ("hidden", self.hidden, 4_096),
        ] {
            if !(1..=most).contains(&value) {
                return Err(out_of_range(key, value, &format!("in 1..={most}")));
            }
        }
        if self.epochs == 0 {
            return Err(out_of_range("epochs", 0, "at least 1"));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(out_of_range("learning_rate", self.learning_rate, "above 0"));
        }
        if !(0.0..=0.9).contains(&self.dropout) {
            return Err(out_of_range("dropout", self.dropout, "in [0, 0.9]"));
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        check_device(ctx)?;
        train::fit(self, train, ctx)
    }

    fn fit_further(
        &self,
        model: &Artifact,
        rows: &Table,
        ctx: &mut FitContext<'_>,
    ) -> Result<Box<dyn Fitted>> {
        self.check()?;
        check_device(ctx)?;
        train::fit_further(self, fitted::read(model)?, rows, ctx)
    }
}

fn check_device(ctx: &FitContext<'_>) -> Result<()> {
    match ctx.device {
        Device::Cpu => Ok(()),
        _ => Err(Error::Request(
            "meg-classic trains on the processor alone; use --device cpu".into(),
        )),
    }
}
