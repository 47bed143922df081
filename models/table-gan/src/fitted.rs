use crate::ENTRY;
use crate::batch::draw_noise;
use crate::classes::Classes;
use crate::codec::Codec;
use crate::network::Generator;
use crate::plan::Plan;
use crate::settings::TableGan;
use candle_core::{DType, Device, Tensor as DeviceTensor};
use meg_core::{
    Artifact, Chunks, Error, Fitted, Observer, Rejection, Result, Rng, SampleContext,
    SampleRequest, Seed, Synthesizer, Table, Tensor, sample_by_rejection,
};
use neural::layers::{Mode, ParameterStore};
use neural::training::check_output;
use neural::{Randomness, tensor_error};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A trained table-GAN.
#[derive(Debug)]
pub(crate) struct FittedTableGan {
    state: State,
    /// None where no column differs between rows.
    sampler: Option<Sampler>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: TableGan,
    codec: Codec,
    classes: Option<Classes>,
}

/// The generator on the processor, without gradients.
#[derive(Debug)]
struct Sampler {
    plan: Plan,
    generator: Generator,
    store: ParameterStore,
}

/// Rows drawn at a time.
const CHUNK: usize = 256;

impl FittedTableGan {
    pub(crate) fn new(
        recipe: TableGan,
        codec: Codec,
        classes: Option<Classes>,
        weights: BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        let mut artifact = Artifact::new(ENTRY.name, codec.schema(), &())?;
        artifact.tensors = weights;
        let state = State { recipe, codec, classes };
        let sampler = Some(Sampler::new(&state, &artifact)?);
        Ok(Self { state, sampler })
    }

    pub(crate) fn without_cells(recipe: TableGan, codec: Codec) -> Self {
        Self { state: State { recipe, codec, classes: None }, sampler: None }
    }

    fn draw(
        &self,
        rows: usize,
        rng: &mut Rng,
        threads: usize,
        observer: &mut dyn Observer,
    ) -> Result<Table> {
        let State { recipe, codec, classes } = &self.state;
        let seed = Seed(rng.next_u64());
        let mut records = Vec::new();
        if let Some(sampler) = &self.sampler {
            let chunks = Chunks { rows, size: CHUNK, threads, seed };
            let chunk = |rows, stream| sampler.records(recipe, classes.as_ref(), rows, stream);
            chunks.draw(observer, chunk, |cells| records.extend(cells))?;
        }
        codec.decode(&records, rows, &mut seed.stream("identifiers"))
    }
}

impl Sampler {
    fn new(state: &State, artifact: &Artifact) -> Result<Self> {
        let classes = state.classes.as_ref().map_or(0, Classes::count);
        let plan = Plan::new(&state.recipe, state.codec.cells(), classes)?;
        let find = |name: &str, shape: &[usize]| artifact.tensor(name, shape);
        plan.check_tensors(artifact.tensors.len(), find)?;
        let mut store = ParameterStore::new(DType::F32, &Device::Cpu);
        // The first values are replaced at once.
        let mut rng = Seed(0).stream("table-gan/unused");
        let generator = Generator::new(&mut store, &state.recipe, &plan, Some(1), &mut rng);
        let generator = generator.map_err(tensor_error)?.frozen();
        store.load("", find)?;
        let negative = |entry: &&neural::layers::Named| {
            let variance = entry.name.ends_with(".running_var");
            variance && artifact.tensors[&entry.name].data.iter().any(|&cell| cell < 0.0)
        };
        match store.entries().iter().find(negative) {
            Some(entry) => Err(Error::Artifact(format!(
                "the tensor {:?} holds a negative variance",
                entry.name
            ))),
            None => Ok(Self { plan, generator, store }),
        }
    }

    /// Records of so many rows.
    fn records(
        &self,
        recipe: &TableGan,
        classes: Option<&Classes>,
        rows: usize,
        stream: Rng,
    ) -> Result<Vec<f32>> {
        let mut randomness = Randomness::new(stream);
        let mut noise = vec![0.0; rows * self.plan.noise];
        draw_noise(recipe.noise, &mut randomness, &mut noise);
        let told = classes.map(|classes| {
            let mut cells = vec![0.0; rows * classes.count()];
            for row in cells.chunks_exact_mut(classes.count()) {
                row[classes.draw(&mut randomness.rng)] = 1.0;
            }
            cells
        });
        let mut matrices = self.logits(noise, told, rows).map_err(tensor_error)?;
        check_output("generator", &matrices)?;
        matrices.iter_mut().for_each(|cell| *cell = cell.tanh());
        let (cells, side) = (self.plan.matrix.cells(), self.plan.matrix.side());
        let mut records = vec![0.0; rows * cells];
        for (record, matrix) in
            records.chunks_exact_mut(cells).zip(matrices.chunks_exact(side * side))
        {
            self.plan.matrix.read(matrix, record)?;
        }
        Ok(records)
    }

    /// Matrices before tanh.
    fn logits(
        &self,
        noise: Vec<f32>,
        classes: Option<Vec<f32>>,
        rows: usize,
    ) -> candle_core::Result<Vec<f32>> {
        let tensor = |cells, width| DeviceTensor::from_vec(cells, (rows, width), &Device::Cpu);
        let noise = tensor(noise, self.plan.noise)?;
        let classes = classes.map(|cells| tensor(cells, self.plan.classes)).transpose()?;
        let out = self.generator.logits(&noise, classes.as_ref(), Mode::Sampling)?;
        out.flatten_all()?.to_vec1()
    }
}

impl Fitted for FittedTableGan {
    /// Conditions are met by rejection alone.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let (rng, threads) = (&mut ctx.rng, ctx.threads);
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, observer| {
            self.draw(rows, rng, threads, observer)
        })
    }

    fn save(&self) -> Result<Artifact> {
        let mut artifact = Artifact::new(ENTRY.name, self.state.codec.schema(), &self.state)?;
        if let Some(sampler) = &self.sampler {
            sampler.store.save("", &mut artifact.tensors)?;
        }
        Ok(artifact)
    }
}

/// Rebuilds a saved table-GAN; sizes and indices are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let state: State = artifact.state()?;
    state.recipe.check()?;
    state.codec.check()?;
    if *state.codec.schema() != artifact.schema {
        return Err(Error::Artifact("schema and codec do not fit together".into()));
    }
    let schema = state.codec.schema();
    let target = schema.target().map(|at| &schema.columns[at]);
    if let Some(classes) = &state.classes {
        classes.check(target)?;
    }
    let sampler = match state.codec.cells() {
        0 => None,
        _ => Some(Sampler::new(&state, artifact)?),
    };
    Ok(Box::new(FittedTableGan { state, sampler }))
}
