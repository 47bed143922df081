use super::network::{Generators, Perceptron};
use super::scale::{Scale, Scaler};
use super::{CLASSIC, MegClassic};
use crate::record::{self, Trainings};
use meg_core::{
    Artifact, Error, Fitted, GeneratorMask, Masks, Rejection, Result, SampleContext, SampleRequest,
    Seed, Sheet, Synthesizer, Table, sample_by_rejection,
};
use neural::{Parameter, Randomness};
use rand::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

/// The trained generators.
#[derive(Debug)]
pub(super) struct FittedClassic {
    pub recipe: MegClassic,
    pub scaler: Scaler,
    pub generators: Generators,
    /// What further training goes on with; sampling does without. Files of older versions have none.
    pub discriminator: Option<Perceptron>,
    pub trainings: Trainings,
}

/// Rows that go through the networks together.
const CHUNK: usize = 1_024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: MegClassic,
    columns: Vec<Scale>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trainings: Trainings,
}

impl Fitted for FittedClassic {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let rng = &mut ctx.rng;
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, _| {
            let seed = rng.next_u64();
            let mut noise = Randomness::new(meg_core::Rng::seed_from_u64(seed));
            let mut units = Vec::with_capacity(rows * self.generators.networks.len());
            for from in (0..rows).step_by(CHUNK) {
                units.extend(self.generators.draw(CHUNK.min(rows - from), &mut noise).rows);
            }
            self.scaler.decode(&units, rows, rng)
        })
    }

    fn describe(&self) -> Vec<Sheet> {
        let specs = self.scaler.columns.iter().zip(&self.scaler.schema.columns);
        let made = specs.filter(|(scale, _)| !matches!(scale, Scale::Identifier | Scale::Empty));
        let rows = made.enumerate().map(|(at, (_, spec))| {
            let mask: Vec<&str> = (0..self.generators.networks.len())
                .map(|of| if of == at { "1" } else { "0" })
                .collect();
            vec![(at + 1).to_string(), spec.name.clone(), mask.join("")]
        });
        let made = Sheet::new("generators", &["generator", "makes", "mask"], rows);
        vec![made, record::sheet(&self.trainings)]
    }

    fn masks(&self) -> Option<Masks> {
        let specs = self.scaler.columns.iter().zip(&self.scaler.schema.columns);
        let made = specs.filter(|(scale, _)| !matches!(scale, Scale::Identifier | Scale::Empty));
        let columns: Vec<String> = made.map(|(_, spec)| spec.name.clone()).collect();
        let mask = |at: usize| GeneratorMask {
            name: (at + 1).to_string(),
            makes: vec![at],
            sees: Vec::new(),
        };
        Some(Masks { generators: (0..columns.len()).map(mask).collect(), columns })
    }

    fn save(&self) -> Result<Artifact> {
        let state = State {
            recipe: self.recipe.clone(),
            columns: self.scaler.columns.clone(),
            trainings: self.trainings.clone(),
        };
        let mut artifact = Artifact::new(CLASSIC.name, &self.scaler.schema, &state)?;
        for (at, mut network) in self.generators.networks.iter().cloned().enumerate() {
            for (name, parameter) in network.named_mut(&format!("generator{at}")) {
                artifact.tensors.insert(name, parameter.tensor());
            }
        }
        for mut network in self.discriminator.iter().cloned() {
            for (name, parameter) in network.named_mut(DISCRIMINATOR) {
                artifact.tensors.insert(name, parameter.tensor());
            }
        }
        Ok(artifact)
    }
}

/// Rebuilds saved generators; sizes and scales are checked.
pub(super) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    Ok(Box::new(read(artifact)?))
}

/// The same, as what it is.
pub(super) fn read(artifact: &Artifact) -> Result<FittedClassic> {
    let State { recipe, columns, trainings } = artifact.state()?;
    recipe.check()?;
    let scaler = Scaler::from_parts(artifact.schema.clone(), columns)
        .ok_or_else(|| Error::Artifact("the columns do not fit the schema".into()))?;
    let width = scaler.width();
    // A file that names more columns than it has weights for must not make us allocate for them.
    let first = [recipe.input_dim, recipe.hidden];
    for at in 0..width {
        artifact.tensor(&format!("generator{at}.first"), &first)?;
    }
    let mut generators = Generators::new(&recipe, width, Seed(0));
    for (at, network) in generators.networks.iter_mut().enumerate() {
        read_network(network, &format!("generator{at}"), artifact)?;
    }
    let discriminator = read_discriminator(&recipe, width, artifact)?;
    Ok(FittedClassic { recipe, scaler, generators, discriminator, trainings })
}

const DISCRIMINATOR: &str = "discriminator";

fn read_discriminator(
    recipe: &MegClassic,
    width: usize,
    artifact: &Artifact,
) -> Result<Option<Perceptron>> {
    let first = format!("{DISCRIMINATOR}.first");
    if !artifact.tensors.contains_key(&first) {
        return Ok(None);
    }
    artifact.tensor(&first, &[width, recipe.hidden])?;
    let mut network =
        Perceptron::new(width, recipe.hidden, 1, &mut Seed(0).stream("meg-classic/read"));
    read_network(&mut network, DISCRIMINATOR, artifact)?;
    Ok(Some(network))
}

fn read_network(network: &mut Perceptron, prefix: &str, artifact: &Artifact) -> Result<()> {
    for (name, parameter) in network.named_mut(prefix) {
        let tensor = artifact.tensor(&name, &parameter.shape)?;
        *parameter = Parameter::new(&tensor.shape, tensor.data.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::{Silent, conformance};

    /// The published program trained one way and drew another (specification 1.4): here the rows
    /// that are sampled are those that the discriminator would be shown, made units of the table.
    #[test]
    fn the_rows_that_are_sampled_are_the_rows_that_are_judged() {
        let table = conformance::mixed_table(100, 2);
        let recipe = MegClassic { epochs: 5, hidden: 4, ..MegClassic::default() };
        let scaler = Scaler::fit(&table, recipe.scaling).unwrap();
        let generators = Generators::new(&recipe, scaler.width(), Seed(3));
        let trainings = Vec::new();
        let model = FittedClassic { recipe, scaler, generators, discriminator: None, trainings };
        let rng = Seed(4).stream("sample");
        let mut ctx = SampleContext { rng: rng.clone(), threads: 1, observer: &mut Silent };
        let sampled = model.sample(&SampleRequest::rows(70), &mut ctx).unwrap();
        let mut rng = rng;
        let mut noise = Randomness::new(meg_core::Rng::seed_from_u64(rng.next_u64()));
        let judged = model.generators.draw(70, &mut noise).rows;
        assert!(model.scaler.decode(&judged, 70, &mut rng).unwrap() == sampled);
    }
}
