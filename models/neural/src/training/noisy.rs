use super::{Lasting, Losses, Trainee};
use meg_core::{Result, Rng, StreamPosition, TrainingState};

/// A training of which no more lasts than its networks and one stream of noise: a [`Trainee`] whose
/// checks and checkpoints follow from these two.
pub trait NoisyTrainee {
    /// One update, as [`Trainee::step`].
    ///
    /// # Errors
    /// Whatever stops the training.
    fn step(&mut self, number: u64) -> Result<Losses>;

    /// The networks in training.
    fn networks(&mut self) -> &mut dyn Lasting;

    /// The stream that batches draw their noise from.
    fn noise(&mut self) -> &mut Rng;
}

/// Name of the noise's position in a checkpoint.
const NOISE_PART: &str = "stream of noise";

impl<T: NoisyTrainee> Trainee for T {
    fn step(&mut self, number: u64) -> Result<Losses> {
        NoisyTrainee::step(self, number)
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        self.networks().not_finite()
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        state.put(NOISE_PART, &StreamPosition::of(self.noise()))?;
        self.networks().save(state)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        state.part::<StreamPosition>(NOISE_PART)?.restore(self.noise())?;
        self.networks().restore(state)
    }
}
