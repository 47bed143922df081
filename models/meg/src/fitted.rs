use crate::codec::{ColumnCodec, TableCodec};
use crate::masks::{self, Mask};
use crate::network::{Layout, Part, Weights};
use crate::{ENTRY, Meg, density, impute, sample};
use meg_core::{
    Artifact, Error, Fitted, Result, SampleContext, SampleRequest, Synthesizer, Table, Tensor,
};
use serde::{Deserialize, Serialize};

/// A trained ensemble with all that sampling needs.
#[derive(Debug)]
pub(crate) struct FittedMeg {
    pub recipe: Meg,
    pub codec: TableCodec,
    pub layout: Layout,
    pub weights: Weights,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: Meg,
    columns: Vec<ColumnCodec>,
    generators: Vec<Mask>,
}

impl Fitted for FittedMeg {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        sample::sample(self, request, ctx)
    }

    fn log_density(&self, rows: &Table, threads: usize) -> Result<Option<Vec<f64>>> {
        density::log_density(self, rows, threads).map(Some)
    }

    fn impute(&self, rows: &Table, ctx: &mut SampleContext<'_>) -> Result<Option<Table>> {
        impute::impute(self, rows, ctx).map(Some)
    }

    fn save(&self) -> Result<Artifact> {
        let state = State {
            recipe: self.recipe.clone(),
            columns: self.codec.columns().to_vec(),
            generators: self.layout.masks.clone(),
        };
        let mut artifact = Artifact::new(ENTRY.name, self.codec.schema(), &state)?;
        for (at, shape) in self.layout.shapes.iter().enumerate() {
            for part in Part::ALL {
                let (rows, columns) = shape.size(part);
                let data = self.weights.generators[at][shape.range(part)].to_vec();
                let tensor = Tensor { shape: vec![rows, columns], data };
                artifact.tensors.insert(tensor_name(at, part.name()), tensor);
            }
            let data = self.weights.embeddings[at].clone();
            let tensor = Tensor { shape: vec![shape.codes, shape.embedding], data };
            artifact.tensors.insert(tensor_name(at, "embedding"), tensor);
        }
        Ok(artifact)
    }
}

fn tensor_name(generator: usize, part: &str) -> String {
    format!("generator{generator}.{part}")
}

/// Rebuilds a saved ensemble; sizes, masks and indices are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let State { recipe, columns, generators } = artifact.state()?;
    recipe.check()?;
    let codec = TableCodec::from_parts(artifact.schema.clone(), columns)
        .ok_or_else(|| Error::Artifact("the columns do not fit the schema".into()))?;
    masks::check(&generators, &codec)?;
    let layout = Layout::new(generators, &codec, recipe.embedding, recipe.hidden);
    let mut weights = Weights { generators: Vec::new(), embeddings: Vec::new() };
    for (at, shape) in layout.shapes.iter().enumerate() {
        let mut own = Vec::new();
        for part in Part::ALL {
            let (rows, columns) = shape.size(part);
            own.extend(&artifact.tensor(&tensor_name(at, part.name()), &[rows, columns])?.data);
        }
        weights.generators.push(own);
        let name = tensor_name(at, "embedding");
        let embedding = artifact.tensor(&name, &[shape.codes, shape.embedding])?;
        weights.embeddings.push(embedding.data.clone());
    }
    Ok(Box::new(FittedMeg { recipe, codec, layout, weights }))
}
