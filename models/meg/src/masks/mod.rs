//! Who makes which column, and what it sees: the masks of the ensemble.

mod order;
mod scheme;

use crate::codec::{Codes, TableCodec};
use crate::dependence;
use meg_core::{Error, Result, Seed};
pub use order::{ColumnOrder, LabelPlace};
pub use scheme::MaskScheme;
use serde::{Deserialize, Serialize};

/// The masks of one generator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    /// The columns where its output mask is 1, in the order in which it makes them.
    pub outputs: Vec<Output>,
}

/// One column that a generator makes, and its context mask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Output {
    /// Schema position of the column.
    pub column: usize,
    /// Schema positions of the columns where the context mask is 1.
    pub context: Vec<usize>,
}

/// What decides the masks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaskOptions {
    pub scheme: MaskScheme,
    /// Generators, where the scheme leaves their number open; 0: the root of the number of columns.
    pub groups: usize,
    pub order: ColumnOrder,
    pub label: LabelPlace,
    /// Columns in a context, at most.
    pub most: usize,
    /// Share of the columns made before that a context does not see.
    pub hidden: f64,
    /// Number of the member, from 0: each deals its columns and hides contexts by dice of its own.
    pub number: usize,
    pub seed: Seed,
    pub threads: usize,
}

impl MaskOptions {
    /// The seed of what is this member's alone.
    fn own_seed(&self) -> Seed {
        self.seed.derive(&format!("meg/masks/{}", self.number))
    }
}

/// The modelled columns of a table and what they tell about each other.
#[derive(Debug)]
pub(crate) struct Columns {
    /// Schema positions of the columns with more than one code, in schema order.
    modelled: Vec<usize>,
    /// Number of codes of each schema column.
    sizes: Vec<usize>,
    target: Option<usize>,
    /// Mutual information by position in `modelled`, where somebody asks for it.
    pairs: Option<Vec<f64>>,
}

impl Columns {
    pub(crate) fn new(codec: &TableCodec, codes: &Codes, options: &MaskOptions) -> Self {
        let sizes: Vec<usize> = (0..codec.columns().len()).map(|at| codec.size(at)).collect();
        let modelled: Vec<usize> = (0..sizes.len()).filter(|&at| sizes[at] > 1).collect();
        let target = codec.schema().target().filter(|&at| sizes[at] > 1);
        let wide = modelled.len() > options.most + 1;
        let asked = wide || target.is_none() || options.scheme == MaskScheme::Dependence;
        let pairs = (asked && !modelled.is_empty())
            .then(|| dependence::pairwise(codes, &sizes, &modelled, options.threads));
        Self { modelled, sizes, target, pairs }
    }

    /// Mutual information of two schema columns; 0 where it was not computed.
    fn information(&self, a: usize, b: usize) -> f64 {
        let place = |column: usize| self.modelled.binary_search(&column).expect("it is modelled");
        let (a, b) = (place(a), place(b));
        self.pairs.as_ref().map_or(0.0, |pairs| pairs[a * self.modelled.len() + b])
    }
}

/// The masks of one member of the ensemble.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Schema positions of the columns in the order in which a row is made.
    pub order: Vec<usize>,
    pub generators: Vec<Mask>,
    /// Contexts hold columns made later too, which are hidden while they are not made.
    pub dynamic: bool,
}

/// The masks that the options ask for. A generator sees, for each of its columns, all columns made
/// before (dynamic masks: all others), or the `most` that tell most about it.
pub(crate) fn plan(
    codec: &TableCodec,
    codes: &Codes,
    columns: &Columns,
    options: &MaskOptions,
) -> Plan {
    let order = order::order(codes, columns, options);
    let dynamic = options.scheme == MaskScheme::Dynamic;
    let kept = columns.target.or(order.first().copied());
    let mut hide = options.own_seed().stream("meg/hide");
    let mut context = |place: usize| -> Vec<usize> {
        let column = order[place];
        let others = || order.iter().copied().filter(|&other| other != column);
        let mut seen: Vec<usize> =
            if dynamic { others().collect() } else { order[..place].to_vec() };
        if seen.len() > options.most {
            let telling = |&other: &usize| {
                if Some(other) == kept { f64::INFINITY } else { columns.information(column, other) }
            };
            seen.sort_by(|a, b| telling(b).total_cmp(&telling(a)));
            seen.truncate(options.most);
        }
        scheme::hide(&mut seen, kept, options.hidden, &mut hide);
        seen
    };
    let contexts: Vec<Vec<usize>> = (0..order.len()).map(&mut context).collect();
    let groups = scheme::groups(codec, columns, &order, options);
    let generators = groups.into_iter().map(|places| {
        let output =
            |place: usize| Output { column: order[place], context: contexts[place].clone() };
        Mask { outputs: places.into_iter().map(output).collect() }
    });
    Plan { generators: generators.collect(), order, dynamic }
}

/// Checks that every column that needs a generator has exactly one, and that each sees only what
/// was made before (dynamic masks: only other columns).
pub(crate) fn check(plan: &Plan, codec: &TableCodec) -> Result<()> {
    let fail = |problem: String| Err(Error::Artifact(problem));
    let mut place = vec![None; codec.columns().len()];
    for (at, &column) in plan.order.iter().enumerate() {
        match place.get_mut(column) {
            Some(place @ None) if codec.size(column) > 1 => *place = Some(at),
            _ => return fail(format!("the order of the columns does not fit at column {column}")),
        }
    }
    let mut made = vec![false; place.len()];
    for mask in &plan.generators {
        for output in &mask.outputs {
            let Some(own) =
                place.get(output.column).copied().flatten().filter(|_| !made[output.column])
            else {
                return fail(format!(
                    "the output mask of column {} does not fit the table",
                    output.column
                ));
            };
            made[output.column] = true;
            let seen = |&column: &usize| match place.get(column).copied().flatten() {
                Some(other) => {
                    if plan.dynamic {
                        other != own
                    } else {
                        other < own
                    }
                }
                None => false,
            };
            if !output.context.iter().all(seen) {
                return fail("a generator sees a column that is not made before it".into());
            }
            let mut sorted = output.context.clone();
            sorted.sort_unstable();
            if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
                return fail("a generator sees a column twice".into());
            }
        }
    }
    match (0..made.len()).find(|&at| codec.size(at) > 1 && !made[at]) {
        None => Ok(()),
        Some(at) => {
            fail(format!("no generator makes the column {:?}", codec.schema().columns[at].name))
        }
    }
}

#[cfg(test)]
mod tests;
