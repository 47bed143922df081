//! Who makes which column, and what it sees: the masks of the ensemble.

use crate::codec::{Codes, TableCodec};
use crate::dependence;
use meg_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The masks of one generator, as lists of the columns where they are 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    /// The schema position of the column that it makes.
    pub output: usize,
    /// The schema positions of the columns that it sees, all made before.
    pub context: Vec<usize>,
}

/// Where the target stands in the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelPlace {
    /// First, unless held-out rows are clearly likelier with the target last.
    Auto,
    /// Made first and seen by all others.
    First,
    /// Made last, from all others.
    Last,
}

/// One generator per column, in the order in which rows are made: the label first, then by falling
/// mutual information with it (without a label: with the column that tells most about the others).
/// A generator sees all columns before its own, or the `most` that tell most about it.
pub(crate) fn one_per_column(
    codec: &TableCodec,
    codes: &Codes,
    label: LabelPlace,
    most: usize,
    threads: usize,
) -> Vec<Mask> {
    let sizes: Vec<usize> = (0..codec.columns().len()).map(|at| codec.size(at)).collect();
    let columns: Vec<usize> = (0..sizes.len()).filter(|&at| sizes[at] > 1).collect();
    if columns.is_empty() {
        return Vec::new();
    }
    let target = codec.schema().target().filter(|at| sizes[*at] > 1);
    let wide = columns.len() > most + 1;
    let pairs =
        (wide || target.is_none()).then(|| dependence::pairwise(codes, &sizes, &columns, threads));
    let centre = target.unwrap_or_else(|| columns[most_telling(pairs.as_deref().unwrap_or(&[]))]);
    let told = dependence::with_column(codes, &sizes, &columns, centre, threads);
    let mut order: Vec<usize> = (0..columns.len()).filter(|&at| columns[at] != centre).collect();
    order.sort_by(|&a, &b| told[b].total_cmp(&told[a]));
    let centre = columns.iter().position(|&at| at == centre).expect("the centre is a column");
    let last = label == LabelPlace::Last && target.is_some();
    order.insert(if last { order.len() } else { 0 }, centre);
    let masks = (0..order.len()).map(|place| {
        let mut context: Vec<usize> = order[..place].to_vec();
        if let Some(pairs) = pairs.as_deref().filter(|_| place > most) {
            let telling = |&at: &usize| {
                if at == centre { f64::INFINITY } else { pairs[order[place] * columns.len() + at] }
            };
            context.sort_by(|a, b| telling(b).total_cmp(&telling(a)));
            context.truncate(most);
        }
        Mask {
            output: columns[order[place]],
            context: context.into_iter().map(|at| columns[at]).collect(),
        }
    });
    masks.collect()
}

/// Position of the largest row sum of a square matrix.
fn most_telling(pairs: &[f64]) -> usize {
    let count = pairs.len().isqrt();
    let sum = |at: usize| pairs[at * count..(at + 1) * count].iter().sum::<f64>();
    (0..count).rev().max_by(|&a, &b| sum(a).total_cmp(&sum(b))).unwrap_or(0)
}

/// Checks that every column that needs a generator has exactly one, and that each sees only what
/// was made before.
pub(crate) fn check(masks: &[Mask], codec: &TableCodec) -> Result<()> {
    let mut made = vec![false; codec.columns().len()];
    for mask in masks {
        let known = |&at: &usize| at < made.len() && made[at];
        if !mask.context.iter().all(known) {
            return Err(Error::Artifact("a generator sees a column that is made after it".into()));
        }
        let mut seen = mask.context.clone();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() != mask.context.len() {
            return Err(Error::Artifact("a generator sees a column twice".into()));
        }
        match made.get_mut(mask.output) {
            Some(done) if !*done && codec.size(mask.output) > 1 => *done = true,
            _ => {
                return Err(Error::Artifact(format!(
                    "the output mask of column {} does not fit the table",
                    mask.output
                )));
            }
        }
    }
    match (0..made.len()).find(|&at| codec.size(at) > 1 && !made[at]) {
        None => Ok(()),
        Some(at) => Err(Error::Artifact(format!(
            "no generator makes the column {:?}",
            codec.schema().columns[at].name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{CodecOptions, NumberOptions};
    use meg_core::{Column, ColumnSpec, Role, Schema, Seed, Table};
    use rand::Rng as _;

    /// `near` copies the label three times in four, `far` three times in five; `noise` is noise.
    fn table(target: bool) -> Table {
        let role = if target { Role::Target } else { Role::Feature };
        let names = ["noise", "far", "near", "label"];
        let mut specs: Vec<ColumnSpec> =
            names.iter().map(|name| ColumnSpec::category(*name, ["a", "b", "c"])).collect();
        specs[3] = specs[3].clone().role(role);
        specs.push(ColumnSpec::category("constant", ["a"]));
        let mut rng = Seed(1).stream("test");
        let label: Vec<u32> = (0..4_000).map(|_| rng.random_range(0..3)).collect();
        let mut blurred = |share: f64| -> Column {
            let cell =
                |&label: &u32| if rng.random_bool(share) { label } else { rng.random_range(0..3) };
            Column::Codes(label.iter().map(cell).collect())
        };
        let columns = vec![
            blurred(0.0),
            blurred(0.6),
            blurred(0.75),
            blurred(1.0),
            Column::Codes(vec![0; 4_000]),
        ];
        Table::new(Schema::new(specs).unwrap(), columns).unwrap()
    }

    fn masks(target: bool, place: LabelPlace, most: usize) -> (Vec<Mask>, TableCodec) {
        let table = table(target);
        let number = NumberOptions { bins: 256, atoms: 128 };
        let codec = TableCodec::fit(&table, CodecOptions { number, levels: 256 }, 1).unwrap();
        let codes = codec.encode(&table, 1);
        (one_per_column(&codec, &codes, place, most, 2), codec)
    }

    fn outputs(masks: &[Mask]) -> Vec<usize> {
        masks.iter().map(|mask| mask.output).collect()
    }

    #[test]
    fn the_label_leads_and_the_others_follow_by_what_they_tell_about_it() {
        let (first, codec) = masks(true, LabelPlace::First, 48);
        assert_eq!(outputs(&first), [3, 2, 1, 0]);
        assert_eq!(first[2].context, [3, 2]);
        check(&first, &codec).unwrap();
        assert_eq!(outputs(&masks(true, LabelPlace::Last, 48).0), [2, 1, 0, 3]);
        // Without a target the column that tells most about the others leads: it is the same one.
        assert_eq!(outputs(&masks(false, LabelPlace::Last, 48).0), [3, 2, 1, 0]);
    }

    #[test]
    fn narrow_contexts_keep_the_target_and_what_tells_most() {
        let (first, codec) = masks(true, LabelPlace::First, 1);
        assert!(first[1..].iter().all(|mask| mask.context == [3]));
        check(&first, &codec).unwrap();
        let (last, codec) = masks(true, LabelPlace::Last, 2);
        assert_eq!((last[3].output, &*last[3].context), (3, &[2, 1][..]));
        check(&last, &codec).unwrap();
    }

    #[test]
    fn masks_that_do_not_cover_the_table_are_refused() {
        let (good, codec) = masks(true, LabelPlace::First, 48);
        let refused = |masks: &[Mask], part: &str| {
            let message = check(masks, &codec).unwrap_err().to_string();
            assert!(message.contains(part), "{message:?} should contain {part:?}");
        };
        refused(&good[..3], "no generator makes the column \"noise\"");
        let twice = [good.clone(), vec![good[0].clone()]].concat();
        refused(&twice, "output mask of column 3");
        let constant = Mask { output: 4, context: vec![] };
        refused(&[good.clone(), vec![constant]].concat(), "output mask of column 4");
        let mut later = good.clone();
        later[0].context = vec![1];
        refused(&later, "made after it");
        let mut doubled = good;
        doubled[3].context = vec![3, 3];
        refused(&doubled, "twice");
    }
}
