//! The ensemble of the paper's group, in closed form: one kDB network per proxy label.

mod network;

use crate::codec::{CodecOptions, ColumnCodec, NumberOptions, TableCodec};
use meg_core::{
    Artifact, Error, FitContext, Fitted, ModelEntry, Rejection, Result, Rng, SampleContext,
    SampleRequest, Synthesizer, Table, out_of_range, parallel, sample_by_rejection,
};
use network::Network;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// The ensemble of kDB networks in the list of models.
pub const MUG: ModelEntry = ModelEntry::new::<MegMug>(
    "meg-mug",
    "GANBLR_MUG of the package ganblr 0.1.3, in closed form; kDB: Sahami 1996, KDD",
    load,
);

meg_core::recipe! {
    /// An ensemble of Bayesian networks (kDB), one for each column as proxy label.
    pub struct MegMug {
        /// Parents of a column beside the proxy label, at most, in 0..=4.
        pub k: usize = 2,
        /// Bins of a number column, at most, in 2..=256.
        pub bins: usize = 8,
        /// Codes of a category column, in 2..=256; the rarest levels beyond share one.
        pub levels: usize = 64,
        /// Share of the rows that the network of the target makes, in [0, 1]; the others share the rest equally.
        pub label_weight: f64 = 0.5,
    }
}

impl Synthesizer for MegMug {
    fn check(&self) -> Result<()> {
        for (key, value, least, most) in
            [("k", self.k, 0, 4), ("bins", self.bins, 2, 256), ("levels", self.levels, 2, 256)]
        {
            if !(least..=most).contains(&value) {
                return Err(out_of_range(key, value, &format!("in {least}..={most}")));
            }
        }
        if !(0.0..=1.0).contains(&self.label_weight) {
            return Err(out_of_range("label_weight", self.label_weight, "in [0, 1]"));
        }
        Ok(())
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        let number = NumberOptions { bins: self.bins, atoms: 2 * self.bins, least_rows: 1 };
        let codec =
            TableCodec::fit(train, CodecOptions { number, levels: self.levels }, ctx.threads)?;
        let codes = codec.encode(train, ctx.threads);
        let columns = modelled(&codec);
        let networks = parallel::map(ctx.threads, columns.len(), |at| {
            Network::fit(&codec, &codes, &columns, columns[at], self.k)
        });
        Ok(Box::new(FittedMug { recipe: self.clone(), codec, networks }))
    }
}

fn modelled(codec: &TableCodec) -> Vec<usize> {
    (0..codec.columns().len()).filter(|&at| codec.size(at) > 1).collect()
}

#[derive(Debug)]
struct FittedMug {
    recipe: MegMug,
    codec: TableCodec,
    /// By proxy label, in schema order.
    networks: Vec<Network>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    recipe: MegMug,
    columns: Vec<ColumnCodec>,
    networks: Vec<Network>,
}

impl Fitted for FittedMug {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let rng = &mut ctx.rng;
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, _| {
            self.draw(rows, rng)
        })
    }

    fn save(&self) -> Result<Artifact> {
        let state = State {
            recipe: self.recipe.clone(),
            columns: self.codec.columns().to_vec(),
            networks: self.networks.clone(),
        };
        Artifact::new(MUG.name, self.codec.schema(), &state)
    }
}

impl FittedMug {
    /// Each row comes from a network of its own choice, so that the rows need no shuffling and
    /// their number no rounding.
    fn draw(&self, rows: usize, rng: &mut Rng) -> Result<Table> {
        let weights = self.weights();
        let width = self.codec.columns().len();
        let mut columns: Vec<Vec<u16>> = vec![vec![0; rows]; width];
        let mut cells = vec![0u16; width];
        for row in 0..rows {
            if let Some(network) = self.networks.get(choose(&weights, rng)) {
                network.draw(&mut cells, rng);
            }
            columns.iter_mut().zip(&cells).for_each(|(column, &cell)| column[row] = cell);
        }
        let cells = columns.iter().enumerate();
        let cells = cells.map(|(at, codes)| self.codec.draw(at, codes, None, rng)).collect();
        Table::new(self.codec.schema().clone(), cells)
    }

    fn weights(&self) -> Vec<f64> {
        let target = self.codec.schema().target();
        let target = self.networks.iter().position(|network| Some(network.label()) == target);
        let count = self.networks.len() as f64;
        let (own, other) = match target {
            Some(_) if self.networks.len() > 1 => {
                let weight = self.recipe.label_weight;
                (weight, (1.0 - weight) / (count - 1.0))
            }
            _ => (1.0, 1.0 / count.max(1.0)),
        };
        (0..self.networks.len()).map(|at| if Some(at) == target { own } else { other }).collect()
    }
}

fn choose(weights: &[f64], rng: &mut Rng) -> usize {
    let mut rest = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (at, weight) in weights.iter().enumerate() {
        if rest < *weight {
            return at;
        }
        rest -= weight;
    }
    weights.len().saturating_sub(1)
}

/// Rebuilds a saved ensemble; columns, parents and codes are checked.
fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let State { recipe, columns, networks } = artifact.state()?;
    recipe.check()?;
    let codec = TableCodec::from_parts(artifact.schema.clone(), columns)
        .ok_or_else(|| Error::Artifact("the columns do not fit the schema".into()))?;
    let columns = modelled(&codec);
    let labels: Vec<usize> = networks.iter().map(Network::label).collect();
    if labels != columns || !networks.iter().all(|network| network.is_sound(&codec, &columns)) {
        return Err(Error::Artifact("the networks do not fit the columns".into()));
    }
    Ok(Box::new(FittedMug { recipe, codec, networks }))
}
