//! One update of all networks.

use crate::batch::Batch;
use crate::codec::Label;
use crate::losses::{Averages, LabelCells, original_of_discriminator, original_of_generator};
use crate::network::{Critic, Generator};
use crate::plan::Plan;
use crate::settings::TableGan;
use candle_core::{DType, Device, Tensor};
use meg_core::{Error, Result, Seed, Tensor as HostTensor, TrainingState};
use neural::kernels::right_share;
use neural::layers::{
    KernelThreads, Mode, Optimiser, ParameterStore, host_cells, host_tensor, scalar,
};
use neural::training::Lasting;
use neural::{Adam, tensor_error};
use std::collections::BTreeMap;

/// The networks in training.
#[derive(Debug)]
pub(crate) struct Trainer {
    recipe: TableGan,
    plan: Plan,
    generator: Player<Generator>,
    discriminator: Player<Critic>,
    /// With the label that it predicts.
    classifier: Option<(Player<Critic>, LabelCells)>,
    averages: Averages,
    dtype: DType,
    device: Device,
}

/// A network, its weights and their optimiser.
#[derive(Debug)]
struct Player<N> {
    name: &'static str,
    network: N,
    store: ParameterStore,
    optimiser: Optimiser,
}

/// Losses of one update, before their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Losses {
    /// The discriminator's original loss.
    pub discriminator: f64,
    /// Share of the rows, real and generated, that it tells rightly before it learns from them.
    pub accuracy: f64,
    /// The classifier's loss on real rows.
    pub classifier: f64,
    /// The generator's original loss, at its last step.
    pub original: f64,
    /// Its information loss.
    pub information: f64,
    /// Its classification loss.
    pub classification: f64,
}

/// Where and how a trainer computes.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub device: Device,
    /// `F32`, or `F64` in the tests, where rounding is to be out of the way.
    pub dtype: DType,
    pub threads: KernelThreads,
}

fn optimiser(recipe: &TableGan) -> Adam {
    Adam {
        rate: recipe.learning_rate as f32,
        beta1: recipe.beta1 as f32,
        beta2: recipe.beta2 as f32,
        epsilon: recipe.epsilon as f32,
        weight_decay: recipe.weight_decay as f32,
    }
}

impl<N> Player<N> {
    fn new(
        name: &'static str,
        recipe: &TableGan,
        place: &Place,
        make: impl FnOnce(&mut ParameterStore) -> candle_core::Result<N>,
    ) -> candle_core::Result<Self> {
        let mut store = ParameterStore::new(place.dtype, &place.device);
        let network = make(&mut store)?;
        let optimiser = Optimiser::new().group(store.trainable(), optimiser(recipe))?;
        Ok(Self { name, network, store, optimiser })
    }

    fn save(&self, state: &mut TrainingState) -> Result<()> {
        let prefix = format!("{}.", self.name);
        self.store.save(&prefix, &mut state.tensors)?;
        self.optimiser.save(&prefix, state)
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        let prefix = format!("{}.", self.name);
        self.store.load(&prefix, |name, shape| state.tensor(name, shape))?;
        self.optimiser.load(&prefix, state)
    }

    fn not_finite(&self) -> Result<Option<String>> {
        let found = match self.store.not_finite()? {
            Some(phrase) => Some(phrase),
            None => self.optimiser.not_finite()?,
        };
        Ok(found.map(|phrase| format!("the {}'s {phrase}", self.name)))
    }
}

impl Trainer {
    pub(crate) fn new(
        recipe: &TableGan,
        plan: Plan,
        label: Option<Label>,
        place: &Place,
        seed: Seed,
    ) -> Result<Self> {
        let made = || -> candle_core::Result<Self> {
            // A network's first weights do not depend on whether another is there.
            let rng = |name: &str| seed.stream(&format!("table-gan/init/{name}"));
            let critic = |name: &'static str| {
                Player::new(name, recipe, place, |store| {
                    Critic::new(store, recipe, &plan, place.threads, &mut rng(name))
                })
            };
            let generator = Player::new("generator", recipe, place, |store| {
                Generator::new(store, recipe, &plan, place.threads, &mut rng("generator"))
            })?;
            let label = label.map(|label| {
                let cells = LabelCells::new(&plan, label, place.dtype, &place.device)?;
                candle_core::Result::Ok((critic("classifier")?, cells))
            });
            Ok(Self {
                recipe: recipe.clone(),
                generator,
                discriminator: critic("discriminator")?,
                classifier: label.transpose()?,
                averages: Averages::new(recipe)?,
                dtype: place.dtype,
                device: place.device.clone(),
                plan: plan.clone(),
            })
        };
        made().map_err(tensor_error)
    }

    /// One update: the discriminator, the classifier, then the generator.
    pub(crate) fn update(&mut self, batch: &Batch) -> Result<Losses> {
        self.run(batch).map_err(tensor_error)
    }

    fn run(&mut self, batch: &Batch) -> candle_core::Result<Losses> {
        let mut losses = Losses::default();
        let rows = Rows::new(self, batch)?;
        let mut fake = self.generated(&rows)?;
        (losses.discriminator, losses.accuracy) = self.discriminate(&rows, &fake)?;
        losses.classifier = self.classify(&rows)?;
        for step in 0..self.recipe.generator_steps {
            if step > 0 {
                fake = self.generated(&rows)?;
            }
            self.generate(&rows, &fake, &mut losses)?;
        }
        if self.recipe.separate_class_step && self.classifier.is_some() {
            let fake = self.generated(&rows)?;
            let loss = self.class_loss(&rows, &fake)?;
            losses.classification = scalar(&loss)?;
            self.generator
                .optimiser
                .minimise(&loss.affine(self.recipe.classification_weight, 0.0)?)?;
        }
        Ok(losses)
    }

    fn generated(&self, rows: &Rows) -> candle_core::Result<Tensor> {
        self.generator.network.forward(&rows.noise, rows.classes.as_ref(), Mode::Training)
    }

    /// The loss, and the share of rows told rightly.
    fn discriminate(&mut self, rows: &Rows, fake: &Tensor) -> candle_core::Result<(f64, f64)> {
        let Player { network, optimiser, .. } = &mut self.discriminator;
        let real = network.forward(&rows.matrices, rows.classes.as_ref())?.logits;
        let fake = network.forward(&fake.detach(), rows.classes.as_ref())?.logits;
        let loss = original_of_discriminator(&real, &fake, self.recipe.log_floor)?;
        optimiser.minimise(&loss)?;
        let right =
            right_share(&host_cells(&real)?, true) + right_share(&host_cells(&fake)?, false);
        Ok((scalar(&loss)?, 0.5 * right))
    }

    /// The classifier is never told the class: it would have nothing left to predict.
    fn classify(&mut self, rows: &Rows) -> candle_core::Result<f64> {
        let Some((Player { network, optimiser, .. }, label)) = &mut self.classifier else {
            return Ok(0.0);
        };
        let logits = network.forward(&label.removed(&rows.matrices)?, rows.no_classes.as_ref())?;
        let loss = label.loss(self.recipe.classification, &rows.matrices, &logits.logits)?;
        optimiser.minimise(&loss)?;
        scalar(&loss)
    }

    fn generate(
        &mut self,
        rows: &Rows,
        fake: &Tensor,
        losses: &mut Losses,
    ) -> candle_core::Result<()> {
        let recipe = &self.recipe;
        let judge = self.discriminator.network.frozen();
        let judged = judge.forward(fake, rows.classes.as_ref())?;
        let mut loss = original_of_generator(&judged.logits, recipe.log_floor)?;
        losses.original = scalar(&loss)?;
        if recipe.information_weight > 0.0 {
            let real = judge.forward(&rows.matrices, rows.classes.as_ref())?;
            let features = (&real.features, &judged.features);
            let cells = (&rows.matrices.flatten_from(1)?, &fake.flatten_from(1)?);
            let information = self.averages.information(recipe, features, cells)?;
            losses.information = scalar(&information)?;
            loss = (loss + information.affine(recipe.information_weight, 0.0)?)?;
        }
        if self.classifier.is_some() && !recipe.separate_class_step {
            let class = self.class_loss(rows, fake)?;
            losses.classification = scalar(&class)?;
            loss = (loss + class.affine(recipe.classification_weight, 0.0)?)?;
        }
        self.generator.optimiser.minimise(&loss)
    }

    /// The generator's classification loss, by a classifier that does not learn from it.
    fn class_loss(&self, rows: &Rows, fake: &Tensor) -> candle_core::Result<Tensor> {
        let (player, label) = self.classifier.as_ref().expect("asked for where there is one");
        let judge = player.network.frozen();
        let logits = judge.forward(&label.removed(fake)?, rows.no_classes.as_ref())?.logits;
        label.loss(self.recipe.classification, fake, &logits)
    }

    /// The generator's weights and running statistics.
    pub(crate) fn weights(&self) -> Result<BTreeMap<String, HostTensor>> {
        let mut tensors = BTreeMap::new();
        self.generator.store.save("", &mut tensors)?;
        Ok(tensors)
    }
}

impl Lasting for Trainer {
    fn not_finite(&mut self) -> Result<Option<String>> {
        if let Some(phrase) = self.generator.not_finite()? {
            return Ok(Some(phrase));
        }
        if let Some(phrase) = self.discriminator.not_finite()? {
            return Ok(Some(phrase));
        }
        self.classifier.as_ref().map_or(Ok(None), |(classifier, _)| classifier.not_finite())
    }

    fn save(&mut self, state: &mut TrainingState) -> Result<()> {
        self.generator.save(state)?;
        self.discriminator.save(state)?;
        if let Some((classifier, _)) = &self.classifier {
            classifier.save(state)?;
        }
        self.averages.save(state)
    }

    /// A state with tensors that none of the networks has is that of another training.
    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.generator.restore(state)?;
        self.discriminator.restore(state)?;
        if let Some((classifier, _)) = &mut self.classifier {
            classifier.restore(state)?;
        }
        let features = self.plan.features + self.plan.classes;
        self.averages.restore(state, features, (self.dtype, &self.device))?;
        let mut own = TrainingState::at(state.step);
        self.save(&mut own)?;
        if own.tensors.len() == state.tensors.len() {
            return Ok(());
        }
        let problem =
            format!("{} tensors, where {} belong", state.tensors.len(), own.tensors.len());
        Err(Error::Checkpoint(problem))
    }
}

/// A batch on the device.
struct Rows {
    matrices: Tensor,
    noise: Tensor,
    /// One-hot, where the networks are told.
    classes: Option<Tensor>,
    /// The same in 0, for the classifier, which has the discriminator's shape.
    no_classes: Option<Tensor>,
}

impl Rows {
    fn new(trainer: &Trainer, batch: &Batch) -> candle_core::Result<Self> {
        let Trainer { plan, dtype, device, .. } = trainer;
        let (side, count) = (plan.matrix.side(), batch.rows);
        let tensor = |cells: Vec<f32>, shape: &[usize]| host_tensor(cells, shape, *dtype, device);
        let classes = match plan.classes {
            0 => None,
            classes => {
                let mut cells = vec![0.0; count * classes];
                for (row, &class) in batch.classes.iter().enumerate() {
                    cells[row * classes + class as usize] = 1.0;
                }
                Some(tensor(cells, &[count, classes])?)
            }
        };
        Ok(Self {
            matrices: tensor(batch.matrices.clone(), &[count, side, side, 1])?,
            noise: tensor(batch.noise.clone(), &[count, plan.noise])?,
            no_classes: classes.as_ref().map(Tensor::zeros_like).transpose()?,
            classes,
        })
    }
}
