//! The trainings of a fit, one after the other: both places of the target, then the other members.

use crate::Meg;
use crate::codec::{Codes, TableCodec, Targets};
use crate::course::{Course, Standing};
use crate::fitted::Member;
use crate::learn::{Learned, Material, does_not_fit};
use crate::learner::Way;
use crate::masks::{self, Columns, LabelPlace, MaskOptions};
use crate::network::{Layout, Weights};
use crate::sharing::Sharing;
use crate::train::Split;
use meg_core::{Observer, Result, Seed, TrainingState};
use neural::{Losses, Trainee};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Nats by which held-out rows must be likelier for the target to be made last.
const CLEARLY: f64 = 0.02;

/// What all members of a fit have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub recipe: &'a Meg,
    pub codec: &'a TableCodec,
    pub codes: &'a Codes,
    pub origin: Origin<'a>,
    pub split: &'a Split,
    pub seed: Seed,
    pub way: Way,
}

/// Where the members of a fit begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// Masks for these columns, and first weights by chance.
    New { columns: &'a Columns, options: MaskOptions },
    /// Masks and weights of saved members.
    Saved(&'a [Member]),
}

/// A trained member.
#[derive(Debug)]
pub(crate) struct Trained {
    pub layout: Arc<Layout>,
    pub learned: Learned,
    label: LabelPlace,
    /// Updates of its training.
    steps: u64,
}

impl Trained {
    /// A member of the ensemble for each state.
    pub(crate) fn members(self) -> Vec<Member> {
        let layout = &self.layout;
        let member = |weights| Member { layout: (**layout).clone(), weights };
        self.learned.states.into_iter().map(member).collect()
    }
}

/// The trainings of a fit, and where they stand.
#[derive(Debug)]
pub(crate) struct Training<'a> {
    task: Task<'a>,
    /// Members that are trained.
    done: Vec<Trained>,
    /// The first member with the target first, while it is tried last.
    rival: Option<Trained>,
    /// Updates of a training whose result was thrown away.
    lost: u64,
    /// The training that is going on, and where its target stands; `None` when all are over.
    course: Option<(Course<'a>, LabelPlace)>,
    notes: Vec<String>,
}

/// The schedule in a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    done: Vec<Finished>,
    rival: Option<Finished>,
    lost: u64,
    course: Option<(Standing, LabelPlace)>,
}

/// A trained member in a checkpoint, beside its weights.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finished {
    label: LabelPlace,
    steps: u64,
    states: usize,
    choice: Vec<usize>,
    /// `None` where there are no held-out rows.
    score: Option<f64>,
}

const MEMORY_PART: &str = "trainings";

impl<'a> Training<'a> {
    /// # Errors
    /// When the masks leave a column out.
    pub(crate) fn new(task: Task<'a>) -> Result<Self> {
        let label = match task.origin {
            Origin::New { options, .. } if options.label != LabelPlace::Auto => options.label,
            _ => LabelPlace::First,
        };
        let (done, notes) = (Vec::new(), Vec::new());
        let mut all = Self { task, done, rival: None, lost: 0, course: None, notes };
        all.begin(label)?;
        Ok(all)
    }

    /// Begins the training of the next member.
    fn begin(&mut self, label: LabelPlace) -> Result<()> {
        let course = Course::new(self.task.material(self.done.len(), label)?, self.task.split)?;
        self.course = Some((course, label));
        self.settle()
    }

    /// Takes in the training that is going on, where it is over, and begins the next one.
    fn settle(&mut self) -> Result<()> {
        let Some((course, label)) = &mut self.course else { return Ok(()) };
        let name = training_name(&self.task, *label, self.done.len());
        self.notes.extend(course.notes().into_iter().map(|note| format!("{name}{note}")));
        let Some(learned) = course.learned() else { return Ok(()) };
        let (label, steps) = (*label, course.steps());
        let layout = Arc::clone(&course.material.layout);
        self.course = None;
        let trained = Trained { layout, learned, label, steps };
        if self.is_to_be_compared(&trained) {
            self.rival = Some(trained);
            return self.begin(LabelPlace::Last);
        }
        let trained = self.better(trained);
        self.done.push(trained);
        if self.done.len() < self.task.members() {
            let label = self.done[0].label;
            return self.begin(label);
        }
        Ok(())
    }

    /// Whether the other place of the target is to be tried beside this one.
    fn is_to_be_compared(&self, trained: &Trained) -> bool {
        self.done.is_empty()
            && self.rival.is_none()
            && self.task.tries_both()
            && trained.layout.codes.len() > 1
            && trained.learned.score.is_finite()
    }

    /// This training or its rival: the one under which held-out rows are likelier.
    fn better(&mut self, last: Trained) -> Trained {
        let Some(first) = self.rival.take() else { return last };
        let scores = (first.learned.score, last.learned.score);
        let (kept, lost) =
            if scores.1 < scores.0 - CLEARLY { (last, first) } else { (first, last) };
        self.notes.push(format!(
            "the target is made {}: held-out rows cost {:.4} nats with the target first, {:.4} with it last",
            if kept.label == LabelPlace::Last { "last" } else { "first" },
            scores.0,
            scores.1
        ));
        self.lost += lost.steps;
        kept
    }

    /// The members, at least one. A training that was going on because the observer asked to finish
    /// ends with what it has learned, unless there is something without it.
    ///
    /// # Errors
    /// When the observer interrupts, or training fails.
    pub(crate) fn conclude(
        mut self,
        number: u64,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Trained>> {
        if let Some(rival) = self.rival.take() {
            observer
                .note("the target is made first: the training with the target last was cut short");
            return Ok(vec![rival]);
        }
        if let Some((mut course, label)) = self.course.take() {
            let name = training_name(&self.task, label, self.done.len());
            let learned = course.stop(number, observer)?;
            course.notes().iter().for_each(|note| observer.note(&format!("{name}{note}")));
            let layout = Arc::clone(&course.material.layout);
            self.done.extend(learned.map(|learned| Trained { layout, learned, label, steps: 0 }));
        }
        if let Origin::Saved(members) = self.task.origin {
            // Saved members whose turn did not come stay as they are.
            self.done.extend(members[self.done.len()..].iter().map(Trained::as_saved));
        }
        Ok(self.done)
    }

    /// Updates so far.
    fn steps(&self) -> u64 {
        let trained = self.done.iter().chain(&self.rival).map(|one| one.steps).sum::<u64>();
        let course = self.course.as_ref().map_or(0, |(course, _)| course.steps());
        self.lost + trained + course
    }
}

/// Which training a note speaks of, where there are several.
fn training_name(task: &Task<'_>, label: LabelPlace, number: usize) -> String {
    let member = format!("member {}: ", number + 1);
    let place = match label {
        LabelPlace::Last => "target last: ",
        _ => "target first: ",
    };
    match (task.members() > 1, task.tries_both() && number == 0) {
        (true, true) => member + place,
        (true, false) => member,
        (false, true) => place.into(),
        (false, false) => String::new(),
    }
}

impl<'a> Task<'a> {
    /// Whether both places of the target are tried.
    fn tries_both(&self) -> bool {
        let Origin::New { options, .. } = self.origin else { return false };
        let target = self.codec.schema().target();
        options.label == LabelPlace::Auto && target.is_some_and(|at| self.codec.size(at) > 1)
    }

    /// Members that are trained, or of which states are.
    fn members(&self) -> usize {
        match self.origin {
            Origin::New { .. } => self.recipe.members,
            Origin::Saved(members) => members.len(),
        }
    }

    /// What the network of each column is asked for, by place.
    fn targets(&self, layout: &Layout) -> Arc<[Targets]> {
        let recipe = self.recipe;
        let width = recipe.sharing_width(self.codes.rows);
        let of = |&column: &usize| {
            let targets = self.codec.targets(column, recipe.smoothing);
            if width == 0.0 {
                return targets;
            }
            let mut counts = vec![0; self.codec.size(column)];
            let codes = &self.codes.columns[column];
            codes.iter().for_each(|&code| counts[usize::from(code)] += 1);
            targets.shared(Sharing::new(&self.codec.ranks(column), &counts, width))
        };
        layout.plan.order.iter().map(of).collect()
    }

    /// What the training of a member needs.
    fn material(&self, number: usize, label: LabelPlace) -> Result<Material<'a>> {
        let recipe = self.recipe;
        let (layout, start) = match self.origin {
            Origin::New { columns, options } => {
                let options = MaskOptions { label, number, ..options };
                let plan = masks::plan(self.codec, self.codes, columns, &options);
                masks::check(&plan, self.codec)?;
                (Layout::new(plan, self.codec, recipe.embedding, recipe.hidden), None)
            }
            Origin::Saved(members) => {
                (members[number].layout.clone(), Some(&members[number].weights))
            }
        };
        Ok(Material {
            recipe,
            codec: self.codec,
            codes: self.codes,
            targets: self.targets(&layout),
            layout: Arc::new(layout),
            batch: recipe.batch(self.codes.rows),
            start,
            seed: match number {
                0 => self.seed,
                number => self.seed.derive(&format!("meg/member/{number}")),
            },
            way: self.way,
        })
    }
}

impl Trainee for Training<'_> {
    fn step(&mut self, number: u64) -> Result<Losses> {
        let Some((course, _)) = &mut self.course else { return Ok(Vec::new()) };
        let losses = course.step(number)?;
        self.settle()?;
        Ok(losses)
    }

    fn finished(&self) -> bool {
        self.course.is_none()
    }

    fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn not_finite(&mut self) -> Result<Option<String>> {
        self.course.as_ref().map_or(Ok(None), |(course, _)| course.not_finite())
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        let course = match &self.course {
            None => None,
            Some((course, label)) => course.save(state)?.map(|standing| (standing, *label)),
        };
        let memory = Memory {
            done: self.done.iter().map(Trained::finished).collect(),
            rival: self.rival.as_ref().map(Trained::finished),
            lost: self.lost,
            course,
        };
        for (at, one) in self.done.iter().enumerate() {
            one.save(&format!("member{at}."), state);
        }
        if let Some(rival) = &self.rival {
            rival.save("rival.", state);
        }
        state.put(MEMORY_PART, &memory)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        let memory: Memory = state.part(MEMORY_PART)?;
        let task = self.task;
        let most = task.members();
        let fits = memory.done.len() + usize::from(memory.course.is_some()) <= most
            && (memory.course.is_some() || memory.done.len() == most)
            && (memory.rival.is_none() || memory.done.is_empty() && task.tries_both());
        if !fits {
            return Err(does_not_fit());
        }
        // What the first training began with is not needed any more.
        self.course = None;
        let read = |at: usize, one: &Finished, prefix: &str| -> Result<Trained> {
            Trained::restore(&task.material(at, one.label)?.layout, one, prefix, state)
        };
        let done = memory.done.iter().enumerate();
        self.done =
            done.map(|(at, one)| read(at, one, &format!("member{at}."))).collect::<Result<_>>()?;
        self.rival = memory.rival.as_ref().map(|one| read(0, one, "rival.")).transpose()?;
        self.lost = memory.lost;
        if let Some((standing, label)) = memory.course {
            let material = task.material(self.done.len(), label)?;
            let course = Course::restore(material, task.split, standing, state)?;
            self.course = Some((course, label));
        }
        let done = memory.done.iter().chain(&memory.rival).map(|one| one.steps);
        let course = memory.course.map_or(0, |(standing, _)| standing.steps());
        let steps = done.chain([course, self.lost]).fold(0, u64::saturating_add);
        if steps != state.step || steps != self.steps() {
            return Err(does_not_fit());
        }
        Ok(())
    }
}

impl Trained {
    fn as_saved(member: &Member) -> Self {
        let learned = Learned::one(&member.layout, member.weights.clone(), f64::INFINITY);
        let layout = Arc::new(member.layout.clone());
        Self { layout, learned, label: LabelPlace::First, steps: 0 }
    }

    fn finished(&self) -> Finished {
        Finished {
            label: self.label,
            steps: self.steps,
            states: self.learned.states.len(),
            choice: self.learned.choice.clone(),
            score: Some(self.learned.score).filter(|score| score.is_finite()),
        }
    }

    fn save(&self, prefix: &str, state: &mut TrainingState) {
        for (at, weights) in self.learned.states.iter().enumerate() {
            weights.save(&format!("{prefix}state{at}."), state);
        }
    }

    fn restore(
        layout: &Arc<Layout>,
        kept: &Finished,
        prefix: &str,
        state: &TrainingState,
    ) -> Result<Self> {
        let Finished { label, steps, states, choice, score } = kept.clone();
        let fits = choice.len() == layout.codes.len() && choice.iter().all(|&at| at < states);
        if !fits || states == 0 {
            return Err(does_not_fit());
        }
        let mut weights = Vec::new();
        for at in 0..states {
            let mut one = Weights::zeros(layout);
            one.restore(&format!("{prefix}state{at}."), state)?;
            weights.push(one);
        }
        let learned = Learned { states: weights, choice, score: score.unwrap_or(f64::INFINITY) };
        Ok(Self { layout: Arc::clone(layout), learned, label, steps })
    }
}
