//! The training of one member from its first update to its last.

use crate::Meg;
use crate::adversary::Adversary;
use crate::folds::{Folds, Whole, rows_of_whole};
use crate::learn::{HoldOut, Learned, Material, most_states};
use crate::network::{Layout, Weights};
use crate::shares;
use crate::train::Split;
use meg_core::{Control, Error, Observer, Result, TrainingState};
use neural::Losses;
use serde::{Deserialize, Serialize};

/// Weights of a member of which several can be trained at once.
const FOLDED_WEIGHTS: usize = 3_000_000;

/// The training of a member, and where it stands.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub material: Material<'a>,
    split: &'a Split,
    /// `None` when it is over.
    stage: Option<Stage>,
    notes: Vec<String>,
    /// Updates of the stages before.
    before: u64,
}

/// What the training of a member goes through: folds (of a large table one, the held-out rows) and
/// all rows, or, with one state for all columns, held-out rows and perhaps an adversarial phase.
#[derive(Debug)]
enum Stage {
    HoldOut(Box<HoldOut>),
    Adversary(Box<Adversary>),
    Folds(Box<Folds>),
    Whole(Box<Whole>),
    Learned(Learned),
}

/// Where a course stands, in a checkpoint.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    stage: Kind,
    /// Updates of this stage, and of those before.
    done: u64,
    before: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    HoldOut,
    Adversary,
    Folds,
    Whole,
}

impl Standing {
    /// Updates of the course.
    pub(crate) fn steps(self) -> u64 {
        self.before.saturating_add(self.done)
    }
}

impl<'a> Course<'a> {
    pub(crate) fn new(material: Material<'a>, split: &'a Split) -> Result<Self> {
        let stage = if material.layout.codes.is_empty() {
            let weights = Weights { generators: Vec::new(), embeddings: Vec::new() };
            Stage::Learned(Learned::one(&material.layout, weights, f64::INFINITY))
        } else if learns_twice(&material, split) {
            Stage::Folds(Box::new(Folds::new(&material, split)?))
        } else {
            Stage::HoldOut(Box::new(HoldOut::new(&material, split)?))
        };
        let left_out = material.recipe.adversarial_steps > 0 && matches!(stage, Stage::Folds(_));
        let note = left_out.then(|| {
            "the adversarial phase is left out: a table in folds holds out no rows that could judge it".to_owned()
        });
        let notes = note.into_iter().collect();
        Ok(Self { material, split, stage: Some(stage), notes, before: 0 })
    }

    /// One update; `number` counts those of the whole fit.
    pub(crate) fn step(&mut self, number: u64) -> Result<Losses> {
        let (material, split) = (&self.material, self.split);
        let losses = match &mut self.stage {
            Some(Stage::HoldOut(stage)) => stage.step(material, split, number)?,
            Some(Stage::Adversary(stage)) => stage.step(material, number)?,
            Some(Stage::Folds(stage)) => stage.step(material, number)?,
            Some(Stage::Whole(stage)) => stage.step(material, number)?,
            Some(Stage::Learned(_)) | None => Vec::new(),
        };
        // A loss that is not finite ends the fit, and no stage should build on it.
        if losses.iter().all(|(_, loss)| loss.is_finite()) {
            self.go_on(number)?;
        }
        Ok(losses)
    }

    /// Refuses weights that are not finite, before a model is made of them.
    fn check(&self, number: u64) -> Result<()> {
        match self.not_finite()? {
            None => Ok(()),
            Some(tensor) => Err(not_finite(tensor, number)),
        }
    }

    /// Goes over to the next stage, where one is finished.
    fn go_on(&mut self, number: u64) -> Result<()> {
        let (material, split) = (&self.material, self.split);
        let over = match &self.stage {
            Some(Stage::HoldOut(stage)) => stage.finished,
            Some(Stage::Adversary(stage)) => stage.finished(material),
            Some(Stage::Folds(stage)) => stage.finished(material),
            Some(Stage::Whole(stage)) => stage.finished(),
            Some(Stage::Learned(_)) | None => false,
        };
        if !over {
            return Ok(());
        }
        self.check(number)?;
        self.before += self.stage.as_ref().map_or(0, Stage::steps);
        let (next, note) = match self.stage.take() {
            Some(Stage::HoldOut(stage)) => {
                let (learned, note) = stage.learned(material)?;
                let refined = material.recipe.adversarial_steps > 0 && !split.held.is_empty();
                let next = if refined {
                    let phase = Adversary::new(material, split, learned, number)?;
                    Stage::Adversary(Box::new(phase))
                } else {
                    Stage::Learned(learned)
                };
                (Some(next), note)
            }
            Some(Stage::Adversary(stage)) => {
                let (learned, note) = stage.learned(material, split, number)?;
                (Some(Stage::Learned(learned)), Some(note))
            }
            Some(Stage::Folds(stage)) => {
                let (whole, note) = stage.learned(material, split)?;
                let whole = if whole.finished() {
                    Stage::Learned(settled(material, split, whole))
                } else {
                    Stage::Whole(Box::new(whole))
                };
                (Some(whole), Some(note))
            }
            Some(Stage::Whole(stage)) => {
                (Some(Stage::Learned(settled(material, split, *stage))), None)
            }
            other => (other, None),
        };
        self.stage = next;
        self.notes.extend(note);
        Ok(())
    }

    /// What happened that is worth a sentence, since this was last asked.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// What the training came to, when it is over.
    pub(crate) fn learned(&mut self) -> Option<Learned> {
        match self.stage.take() {
            Some(Stage::Learned(learned)) => Some(learned),
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// Ends the training on request, with what it has learned so far; `None` where that is nothing.
    /// A small table, and a large one in its second training, still learn from all rows as long as
    /// their held-out rows say, and ask the observer whether that is too long.
    ///
    /// # Errors
    /// [`Error::Interrupted`], or when training fails.
    pub(crate) fn stop(
        &mut self,
        number: u64,
        observer: &mut dyn Observer,
    ) -> Result<Option<Learned>> {
        if self.steps() == 0 {
            return Ok(None);
        }
        self.check(number)?;
        let (material, split) = (&self.material, self.split);
        match self.stage.take() {
            Some(Stage::HoldOut(mut stage)) => {
                stage.stop(material, split)?;
                let (learned, note) = stage.learned(material)?;
                self.notes.extend(note);
                Ok(Some(learned))
            }
            Some(Stage::Adversary(stage)) if stage.steps() == 0 => Ok(Some(stage.without())),
            Some(Stage::Adversary(stage)) => {
                let (learned, note) = stage.learned(material, split, number)?;
                self.notes.push(note);
                Ok(Some(learned))
            }
            Some(Stage::Folds(stage)) => {
                let so_far = stage.so_far(material)?;
                if so_far.is_some() {
                    return Ok(so_far);
                }
                let (whole, note) = stage.learned(material, split)?;
                self.notes.push(note);
                to_the_end(material, split, whole, number, observer).map(Some)
            }
            Some(Stage::Whole(whole)) => {
                to_the_end(material, split, *whole, number, observer).map(Some)
            }
            Some(Stage::Learned(learned)) => Ok(Some(learned)),
            None => Ok(None),
        }
    }

    /// Updates so far.
    pub(crate) fn steps(&self) -> u64 {
        self.before + self.stage.as_ref().map_or(0, Stage::steps)
    }

    pub(crate) fn not_finite(&self) -> Result<Option<String>> {
        match &self.stage {
            Some(Stage::HoldOut(stage)) => stage.not_finite(),
            Some(Stage::Adversary(stage)) => stage.not_finite(),
            Some(Stage::Folds(stage)) => stage.not_finite(),
            Some(Stage::Whole(stage)) => stage.not_finite(),
            Some(Stage::Learned(_)) | None => Ok(None),
        }
    }

    /// Writes where the course stands; the caller keeps what is returned.
    pub(crate) fn save(&self, state: &mut TrainingState) -> Result<Option<Standing>> {
        let kind = match &self.stage {
            Some(Stage::HoldOut(stage)) => {
                stage.save(state)?;
                Kind::HoldOut
            }
            Some(Stage::Adversary(stage)) => {
                stage.save(state)?;
                Kind::Adversary
            }
            Some(Stage::Folds(stage)) => {
                stage.save(state)?;
                Kind::Folds
            }
            Some(Stage::Whole(stage)) => {
                stage.save(state)?;
                Kind::Whole
            }
            Some(Stage::Learned(_)) | None => return Ok(None),
        };
        let done = self.stage.as_ref().map_or(0, Stage::steps);
        Ok(Some(Standing { stage: kind, done, before: self.before }))
    }

    /// The course that stood so when its state was kept.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the state does not fit.
    pub(crate) fn restore(
        material: Material<'a>,
        split: &'a Split,
        standing: Standing,
        state: &TrainingState,
    ) -> Result<Self> {
        let Standing { stage: kind, done, before } = standing;
        let folded = matches!(kind, Kind::Folds | Kind::Whole);
        let first = matches!(kind, Kind::Folds | Kind::HoldOut);
        let refined = material.recipe.adversarial_steps > 0 && !split.held.is_empty();
        let fits = !material.layout.codes.is_empty()
            && folded == learns_twice(&material, split)
            && first == (before == 0)
            && (kind != Kind::Adversary || refined);
        if !fits {
            return Err(crate::learn::does_not_fit());
        }
        let stage = match kind {
            Kind::HoldOut => {
                let mut stage = HoldOut::new(&material, split)?;
                stage.restore(state, done)?;
                Stage::HoldOut(Box::new(stage))
            }
            Kind::Folds => {
                let mut stage = Folds::new(&material, split)?;
                stage.restore(&material, state, done)?;
                Stage::Folds(Box::new(stage))
            }
            Kind::Adversary => {
                let stage = Adversary::restore(&material, split, state, done)?;
                Stage::Adversary(Box::new(stage))
            }
            Kind::Whole => {
                let rows = rows_of_whole(&material, split);
                Stage::Whole(Box::new(Whole::restore(&material, rows, state, done)?))
            }
        };
        Ok(Self { material, split, stage: Some(stage), notes: Vec::new(), before })
    }
}

fn learns_twice(material: &Material<'_>, split: &Split) -> bool {
    material.start.is_none() && is_learned_twice(material.recipe, &material.layout, split)
}

/// Whether held-out rows tell how long to learn from all rows, in a first training: such weights have
/// seen all of their rows. The adversarial phase is judged by rows that were never learned from, and
/// goes on from one state.
pub(crate) fn is_learned_twice(recipe: &Meg, layout: &Layout, split: &Split) -> bool {
    match split.small {
        true => takes_folds(layout, split),
        false => {
            most_states(recipe, layout) > 1
                && recipe.adversarial_steps == 0
                && !split.held.is_empty()
        }
    }
}

/// Whether a first training of these networks on these rows goes through folds.
pub(crate) fn takes_folds(layout: &Layout, split: &Split) -> bool {
    split.small && layout.weights() <= FOLDED_WEIGHTS
}

fn not_finite(tensor: String, step: u64) -> Error {
    Error::Training { step, problem: format!("{tensor}; lower the learning rate") }
}

/// What a second training came to, with the shares of the rows that it learned from.
fn settled(material: &Material<'_>, split: &Split, whole: Whole) -> Learned {
    let mut learned = whole.learned();
    shares::settle(material, &mut learned, &rows_of_whole(material, split));
    learned
}

/// The rest of a training on all rows, of which nothing is reported any more.
fn to_the_end(
    material: &Material<'_>,
    split: &Split,
    mut whole: Whole,
    number: u64,
    observer: &mut dyn Observer,
) -> Result<Learned> {
    while !whole.finished() {
        whole.step(material, number)?;
        if observer.control() == Control::Abort {
            return Err(Error::Interrupted);
        }
    }
    match whole.not_finite()? {
        None => Ok(settled(material, split, whole)),
        Some(tensor) => Err(not_finite(tensor, number)),
    }
}

impl Stage {
    fn steps(&self) -> u64 {
        match self {
            Stage::HoldOut(stage) => stage.steps(),
            Stage::Adversary(stage) => stage.steps(),
            Stage::Folds(stage) => stage.steps(),
            Stage::Whole(stage) => stage.steps(),
            Stage::Learned(_) => 0,
        }
    }
}
