use crate::codec::{ColumnCodec, TableCodec};
use crate::ensemble::{Ensemble, MemberView};
use crate::masks::{self, Mask, MaskScheme, Plan};
use crate::network::{Layout, Weights};
use crate::record::Trainings;
use crate::{ENTRY, Meg, density, describe, impute, sample};
use meg_core::{
    Artifact, Error, Fitted, Masks, Result, SampleContext, SampleRequest, Sheet, Synthesizer,
    Table, Tensor,
};
use serde::{Deserialize, Serialize};

/// A trained ensemble with all that sampling needs.
#[derive(Debug)]
pub(crate) struct FittedMeg {
    pub recipe: Meg,
    pub codec: TableCodec,
    /// At least one; all make the columns in the same order.
    pub members: Vec<Member>,
    /// By place in that order, the weight of each member.
    pub mixing: Vec<Vec<f32>>,
    /// The first and those that went on from a saved model; files of older versions have none.
    pub trainings: Trainings,
}

/// One member of the ensemble.
#[derive(Debug)]
pub(crate) struct Member {
    pub layout: Layout,
    pub weights: Weights,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: Meg,
    columns: Vec<ColumnCodec>,
    /// The columns in the order in which a row is made.
    order: Vec<usize>,
    /// Per member, the masks of its generators.
    members: Vec<Vec<Mask>>,
    /// By place in the order, the weight of each member.
    mixing: Vec<Vec<f32>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trainings: Trainings,
}

impl FittedMeg {
    pub(crate) fn ensemble(&self) -> Ensemble<'_> {
        let members = self.members.iter();
        Ensemble {
            members: members.map(|one| MemberView::new(&one.layout, &one.weights)).collect(),
            mixing: &self.mixing,
            temperature: self.recipe.temperature as f32,
        }
    }

    /// What all members have in common.
    pub(crate) fn layout(&self) -> &Layout {
        &self.members[0].layout
    }

    /// The place of a schema column in the order; `None` for a column that needs no generator.
    pub(crate) fn place(&self, column: usize) -> Option<usize> {
        self.layout().plan.order.iter().position(|&other| other == column)
    }
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

    fn describe(&self) -> Vec<Sheet> {
        describe::sheets(self)
    }

    fn masks(&self) -> Option<Masks> {
        Some(describe::masks(self))
    }

    fn save(&self) -> Result<Artifact> {
        let state = State {
            recipe: self.recipe.clone(),
            columns: self.codec.columns().to_vec(),
            order: self.layout().plan.order.clone(),
            members: self.members.iter().map(|m| m.layout.plan.generators.clone()).collect(),
            mixing: self.mixing.clone(),
            trainings: self.trainings.clone(),
        };
        let mut artifact = Artifact::new(ENTRY.name, self.codec.schema(), &state)?;
        for (at, member) in self.members.iter().enumerate() {
            for (name, shape, cells) in tensors(at, member) {
                let tensor = Tensor { shape: shape.to_vec(), data: cells.to_vec() };
                artifact.tensors.insert(name, tensor);
            }
        }
        Ok(artifact)
    }
}

/// Name, shape and cells of every tensor of a member.
fn tensors(at: usize, member: &Member) -> Vec<(String, [usize; 2], &[f32])> {
    let mut all = Vec::new();
    let Member { layout, weights } = member;
    for (generator, shape) in layout.shapes.iter().enumerate() {
        for part in shape.parts() {
            let (rows, columns) = shape.size(part);
            let cells = &weights.generators[generator][shape.range(part)];
            all.push((tensor_name(at, generator, &part.name()), [rows, columns], cells));
        }
    }
    for (place, cells) in weights.embeddings.iter().enumerate() {
        let shape = [layout.embedding_rows(place), layout.embedding];
        all.push((embedding_name(at, place), shape, cells));
    }
    all
}

fn tensor_name(member: usize, generator: usize, part: &str) -> String {
    format!("member{member}.generator{generator}.{part}")
}

fn embedding_name(member: usize, place: usize) -> String {
    format!("member{member}.embedding{place}")
}

/// Rebuilds a saved ensemble; sizes, masks and indices are checked.
pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    Ok(Box::new(read(artifact)?))
}

/// The same, as what it is.
pub(crate) fn read(artifact: &Artifact) -> Result<FittedMeg> {
    let State { recipe, columns, order, members, mixing, trainings } = artifact.state()?;
    recipe.check()?;
    let codec = TableCodec::from_parts(artifact.schema.clone(), columns)
        .ok_or_else(|| Error::Artifact("the columns do not fit the schema".into()))?;
    check_mixing(&mixing, order.len(), members.len())?;
    let dynamic = recipe.masks == MaskScheme::Dynamic;
    let mut loaded = Vec::new();
    for (at, generators) in members.into_iter().enumerate() {
        let plan = Plan { order: order.clone(), generators, dynamic };
        masks::check(&plan, &codec)?;
        let layout = Layout::new(plan, &codec, recipe.embedding, recipe.hidden);
        let weights = load_weights(artifact, at, &layout)?;
        loaded.push(Member { layout, weights });
    }
    Ok(FittedMeg { recipe, codec, members: loaded, mixing, trainings })
}

fn check_mixing(mixing: &[Vec<f32>], places: usize, members: usize) -> Result<()> {
    let sound = |weights: &Vec<f32>| {
        weights.len() == members
            && weights.iter().all(|weight| (0.0..=1.0).contains(weight))
            && (weights.iter().sum::<f32>() - 1.0).abs() < 1e-3
    };
    if members == 0 || mixing.len() != places || !mixing.iter().all(sound) {
        return Err(Error::Artifact("the weights of the members do not fit".into()));
    }
    Ok(())
}

fn load_weights(artifact: &Artifact, at: usize, layout: &Layout) -> Result<Weights> {
    let mut weights = Weights { generators: Vec::new(), embeddings: Vec::new() };
    for (generator, shape) in layout.shapes.iter().enumerate() {
        let mut own = vec![0.0; shape.weights()];
        for part in shape.parts() {
            let (rows, columns) = shape.size(part);
            let name = tensor_name(at, generator, &part.name());
            let tensor = artifact.tensor(&name, &[rows, columns])?;
            own[shape.range(part)].copy_from_slice(&tensor.data);
        }
        weights.generators.push(own);
    }
    for place in 0..layout.codes.len() {
        let shape = [layout.embedding_rows(place), layout.embedding];
        let tensor = artifact.tensor(&embedding_name(at, place), &shape)?;
        weights.embeddings.push(tensor.data.clone());
    }
    Ok(weights)
}
