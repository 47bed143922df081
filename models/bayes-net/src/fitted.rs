use crate::coding::{self, Coder, Within, damaged};
use crate::evidence::{Evidence, Sampler};
use crate::network::Network;
use crate::private::Guarantee;
use meg_core::{
    Artifact, Column, Condition, ConditionValue, Control, DataError, Error, Event, Fitted,
    Observer, Phase, Rejection, Result, Rng, SampleContext, SampleRequest, Schema, Table, parallel,
};
use rand::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A network with the states of its columns.
#[derive(Debug)]
pub(crate) struct FittedNetwork {
    /// Name of the entry.
    pub model: &'static str,
    /// Schema of the training table.
    pub schema: Arc<Schema>,
    /// What is written.
    pub state: State,
    sizes: Vec<usize>,
    order: Vec<usize>,
}

/// Everything of a fitted network that is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// For each column its states.
    pub coders: Vec<Coder>,
    /// Which number a bin stands for.
    pub within: Within,
    /// A node for each column that is no identifier.
    pub network: Network,
    /// What a private model promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarantee: Option<Guarantee>,
}

/// Rows that are drawn from one stream of random numbers.
const CHUNK: usize = 4_096;
/// Chunks between two looks at the observer.
const ROUND: usize = 64;

impl FittedNetwork {
    /// Checks that everything fits together.
    ///
    /// # Errors
    /// [`Error::Artifact`] that says what does not.
    pub(crate) fn new(model: &'static str, schema: Arc<Schema>, state: State) -> Result<Self> {
        if state.coders.len() != schema.columns.len() {
            return Err(Error::Artifact(format!(
                "{} columns of states for a schema of {}",
                state.coders.len(),
                schema.columns.len()
            )));
        }
        for (coder, spec) in state.coders.iter().zip(&schema.columns) {
            if !coder.is_sound(spec) {
                return Err(damaged(spec));
            }
        }
        let sizes: Vec<usize> = coding::modelled(&state.coders)
            .into_iter()
            .map(|column| state.coders[column].states())
            .collect();
        let order = state.network.order(&sizes)?;
        Ok(Self { model, schema, state, sizes, order })
    }

    /// The given states, as `(node, state)`.
    fn given(&self, conditions: &[Condition]) -> Result<Vec<(usize, u32)>> {
        let nodes = coding::modelled(&self.state.coders);
        let node = |condition: &Condition| {
            let spec = &self.schema.columns[condition.column];
            let reject = |what: &str| {
                Error::Rejected(format!(
                    "condition on {:?}: the model never draws {what}",
                    spec.name
                ))
            };
            let coder = &self.state.coders[condition.column];
            let state = match condition.value {
                ConditionValue::Level(code) => coder.state_of_code(code).ok_or_else(|| {
                    let level = spec.levels().get(code as usize).map_or("", String::as_str);
                    reject(&format!("the level {level:?}"))
                })?,
                ConditionValue::Missing => {
                    coder.state_of_missing().ok_or_else(|| reject("a missing cell"))?
                }
                ConditionValue::Number(number) => {
                    let held = spec.holds(number);
                    match coder {
                        Coder::Bins { bins, .. } if held && bins.covers(number) => {
                            bins.place(number)
                        }
                        _ => return Err(reject(&format!("the number {number}"))),
                    }
                }
            };
            let node = nodes.iter().position(|&column| column == condition.column);
            Ok((node.ok_or_else(|| reject("this column"))?, state as u32))
        };
        conditions.iter().map(node).collect()
    }

    /// Draws until there are enough rows or the bound of the rejection loop is reached.
    fn draw(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let given = self.given(&request.conditions)?;
        let Some(evidence) = Evidence::new(&self.state.network, &self.order, &self.sizes, &given)
        else {
            return Err(Error::Rejected(
                "the conditions never hold together under the model; relax one of them".into(),
            ));
        };
        let bound = Rejection::default();
        let limit = bound.draws_per_row.saturating_mul(request.rows.max(bound.batch));
        let (mut drawn, mut kept) = (0, 0);
        let mut table = Table::empty(self.schema.clone())?;
        let mut parts = Vec::new();
        while kept < request.rows {
            let missing = request.rows - kept;
            // A round that rejects asks for what the yield so far says, and a fifth more.
            let wanted = match (evidence.rejects(), kept) {
                (false, _) => missing,
                (true, 0) => missing.max(bound.batch),
                (true, _) => (missing.saturating_mul(drawn) / kept).saturating_mul(6) / 5 + 64,
            };
            let size = wanted.min(CHUNK * ROUND).min(limit - drawn);
            if size == 0 {
                return Err(Error::Rejected(format!(
                    "the conditions were met by {kept} of {drawn} drawn rows, {} were asked for; relax a condition or ask for fewer rows",
                    request.rows
                )));
            }
            for part in self.round(size, &evidence, &request.conditions, ctx) {
                let part = part?;
                kept += part.rows();
                parts.push(part);
            }
            drawn += size;
            ctx.observer.step(Phase::Sample, kept.min(request.rows) as u64, &[])?;
        }
        if evidence.rejects() {
            let event = Event::Acceptance { drawn: drawn as u64, kept: kept as u64 };
            ctx.observer.event(&event);
        }
        for part in parts {
            table = table.concat(part)?;
        }
        if kept > request.rows {
            table = table.select_rows(&(0..request.rows).collect::<Vec<_>>());
        }
        Ok(table)
    }

    /// Draws so many rows, chunk by chunk, and leaves out those that are thrown away.
    fn round(
        &self,
        size: usize,
        evidence: &Evidence,
        conditions: &[Condition],
        ctx: &mut SampleContext<'_>,
    ) -> Vec<Result<Table>> {
        let seeds: Vec<u64> = (0..size.div_ceil(CHUNK)).map(|_| ctx.rng.next_u64()).collect();
        parallel::map(ctx.threads, seeds.len(), |at| {
            let rows = CHUNK.min(size - at * CHUNK);
            self.chunk(rows, evidence, conditions, &mut Rng::seed_from_u64(seeds[at]))
        })
    }

    fn chunk(
        &self,
        rows: usize,
        evidence: &Evidence,
        conditions: &[Condition],
        rng: &mut Rng,
    ) -> Result<Table> {
        let network = &self.state.network;
        let mut sampler = Sampler::new(network, &self.order, &self.sizes, evidence);
        let mut columns = vec![Vec::with_capacity(rows); self.sizes.len()];
        let mut row = vec![0; self.sizes.len()];
        let mut kept = 0;
        for _ in 0..rows {
            if sampler.draw(&mut row, rng) {
                columns.iter_mut().zip(&row).for_each(|(column, &state)| column.push(state));
                kept += 1;
            }
        }
        let nothing = vec![0; kept];
        let mut nodes = columns.iter();
        let mut decode = |(at, coder): (usize, &Coder)| {
            let states = match coder {
                Coder::Identifier => &nothing,
                _ => nodes.next().expect("a node for each column that is no identifier"),
            };
            let spec = &self.schema.columns[at];
            let column = coder.decode(spec, states, self.state.within, rng);
            // The bin was given; the number itself was, too.
            match conditions.iter().find(|condition| condition.column == at) {
                Some(Condition { value: ConditionValue::Number(number), .. }) => {
                    Column::Numbers(vec![*number; kept])
                }
                _ => column,
            }
        };
        let cells = self.state.coders.iter().enumerate().map(&mut decode).collect();
        Table::new(self.schema.clone(), cells)
    }
}

impl Fitted for FittedNetwork {
    /// Conditions are exact: by messages where the network is a forest once the state of one
    /// common root is known, by bounded rejection with the acceptance rate reported elsewhere.
    /// A number as a condition stands for its bin.
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let total = Some(request.rows as u64);
        ctx.observer.event(&Event::Start { phase: Phase::Sample, total });
        let table = self.draw(request, ctx)?;
        ctx.observer.event(&Event::End { phase: Phase::Sample });
        Ok(table)
    }

    fn save(&self) -> Result<Artifact> {
        Artifact::new(self.model, &self.schema, &self.state)
    }
}

/// Rebuilds a saved network; sizes and indices are checked.
pub(crate) fn load(model: &'static str, artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    if artifact.model != model {
        return Err(Error::Artifact(format!("it is of the model {:?}", artifact.model)));
    }
    let schema = Arc::new(artifact.schema.clone());
    Ok(Box::new(FittedNetwork::new(model, schema, artifact.state()?)?))
}

/// Refuses a table of which no column is left to learn.
pub(crate) fn check_nodes(coders: &[Coder]) -> Result<()> {
    if coding::modelled(coders).is_empty() {
        return Err(DataError::new(
            "every column is an identifier, so that there is nothing to learn",
        )
        .advice("declare at least one column as number, category or datetime in schema.toml")
        .into());
    }
    Ok(())
}

/// Whether the observer wants the work abandoned.
///
/// # Errors
/// [`Error::Interrupted`] when it does.
pub(crate) fn check_abort(observer: &mut dyn Observer) -> Result<()> {
    match observer.control() {
        Control::Abort => Err(Error::Interrupted),
        Control::Continue | Control::Finish => Ok(()),
    }
}
