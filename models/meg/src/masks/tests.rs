//! Masks cover the table, follow the order and hide what they are told to.

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

fn options(label: LabelPlace) -> MaskOptions {
    MaskOptions {
        scheme: MaskScheme::Column,
        groups: 0,
        order: ColumnOrder::Information,
        label,
        most: 48,
        hidden: 0.0,
        number: 0,
        seed: Seed(3),
        threads: 2,
    }
}

fn planned(target: bool, options: MaskOptions) -> (Plan, TableCodec) {
    let table = table(target);
    let number = NumberOptions { bins: 256, atoms: 128, least_rows: 1 };
    let codec = TableCodec::fit(&table, CodecOptions { number, levels: 256 }, 1).unwrap();
    let codes = codec.encode(&table, 1);
    let columns = Columns::new(&codec, &codes, &options);
    let plan = plan(&codec, &codes, &columns, &options);
    check(&plan, &codec).unwrap();
    (plan, codec)
}

fn order(target: bool, options: MaskOptions) -> Vec<usize> {
    planned(target, options).0.order
}

/// What each generator makes.
fn outputs(plan: &Plan) -> Vec<Vec<usize>> {
    let of = |mask: &Mask| mask.outputs.iter().map(|output| output.column).collect();
    plan.generators.iter().map(of).collect()
}

#[test]
fn the_label_leads_and_the_others_follow_by_what_they_tell_about_it() {
    let first = options(LabelPlace::First);
    let (plan, _) = planned(true, first);
    assert_eq!(plan.order, [3, 2, 1, 0]);
    assert_eq!(plan.generators[2].outputs[0].context, [3, 2]);
    assert_eq!(outputs(&plan), [[3], [2], [1], [0]]);
    let last = options(LabelPlace::Last);
    assert_eq!(order(true, last), [2, 1, 0, 3]);
    // Without a target the column that tells most about the others leads: it is the same one.
    assert_eq!(order(false, last), [3, 2, 1, 0]);
    assert_eq!(order(true, MaskOptions { order: ColumnOrder::Reversed, ..first }), [3, 0, 1, 2]);
    assert_eq!(order(true, MaskOptions { order: ColumnOrder::Given, ..first }), [3, 0, 1, 2]);
    let random = MaskOptions { order: ColumnOrder::Random, number: 1, ..first };
    let mut shuffled = order(true, random);
    assert_eq!(shuffled, order(true, MaskOptions { number: 0, ..random }), "members differ");
    shuffled.sort_unstable();
    assert_eq!(shuffled, [0, 1, 2, 3]);
}

#[test]
fn narrow_contexts_keep_the_target_and_what_tells_most() {
    let (first, _) = planned(true, MaskOptions { most: 1, ..options(LabelPlace::First) });
    assert!(first.generators[1..].iter().all(|mask| mask.outputs[0].context == [3]));
    let (last, _) = planned(true, MaskOptions { most: 2, ..options(LabelPlace::Last) });
    let target = &last.generators[3].outputs[0];
    assert_eq!((target.column, &*target.context), (3, &[2, 1][..]));
}

#[test]
fn hidden_context_keeps_the_target() {
    let (plan, _) = planned(true, MaskOptions { hidden: 1.0, ..options(LabelPlace::First) });
    assert!(plan.generators[1..].iter().all(|mask| mask.outputs[0].context == [3]));
    let half = MaskOptions { hidden: 0.5, ..options(LabelPlace::First) };
    let seen = |number| -> usize {
        let (plan, _) = planned(true, MaskOptions { number, ..half });
        plan.generators.iter().map(|mask| mask.outputs[0].context.len()).sum()
    };
    // Three contexts of the target alone, and half of three others.
    let mean = (0..40).map(seen).sum::<usize>() as f64 / 40.0;
    assert!((mean - 4.5).abs() < 0.5, "{mean} columns are seen");
}

#[test]
fn schemes_share_the_columns_out() {
    let by = |scheme, groups| {
        let options = MaskOptions { scheme, groups, ..options(LabelPlace::First) };
        planned(true, options).0
    };
    // All columns are categories of three codes.
    assert_eq!(outputs(&by(MaskScheme::Kind, 0)), [[3, 2, 1, 0]]);
    // The label and its nearest copy tell most about each other.
    assert_eq!(outputs(&by(MaskScheme::Dependence, 3)), [vec![3, 2], vec![1], vec![0]]);
    let random = outputs(&by(MaskScheme::Random, 2));
    assert!(random.len() == 2 && random.iter().all(|made| made.len() == 2), "{random:?}");
    assert_eq!(outputs(&by(MaskScheme::Random, 9)).len(), 4);
    let dynamic = by(MaskScheme::Dynamic, 0);
    assert!(dynamic.generators.iter().all(|mask| mask.outputs[0].context.len() == 3));
    // The context of a column is the same whoever makes it.
    assert_eq!(by(MaskScheme::Kind, 0).generators[0].outputs[3].context, [3, 2, 1]);
}

#[test]
fn random_masks_of_members_differ() {
    let of = |number| {
        let scheme = MaskScheme::Random;
        let options = MaskOptions { scheme, number, ..options(LabelPlace::First) };
        outputs(&planned(true, options).0)
    };
    assert!((1..10).any(|number| of(number) != of(0)));
}

#[test]
fn masks_that_do_not_cover_the_table_are_refused() {
    let (good, codec) = planned(true, options(LabelPlace::First));
    let refused = |generators: Vec<Mask>, part: &str| {
        let plan = Plan { generators, ..good.clone() };
        let message = check(&plan, &codec).unwrap_err().to_string();
        assert!(message.contains(part), "{message:?} should contain {part:?}");
    };
    let all = &good.generators;
    refused(all[..3].to_vec(), "no generator makes the column \"noise\"");
    refused([&all[..], &all[..1]].concat(), "output mask of column 3");
    let one = |column: usize, context: &[usize]| Mask {
        outputs: vec![Output { column, context: context.to_vec() }],
    };
    refused([&all[..], &[one(4, &[])]].concat(), "output mask of column 4");
    refused([&[one(3, &[1])], &all[1..]].concat(), "not made before it");
    refused([&all[..3], &[one(0, &[4])]].concat(), "not made before it");
    refused([&all[..3], &[one(0, &[3, 3])]].concat(), "twice");
    for order in [vec![3, 2, 1, 1], vec![3, 2, 1, 0, 4], vec![3, 2, 1, 77]] {
        let message = check(&Plan { order, ..good.clone() }, &codec).unwrap_err().to_string();
        assert!(message.contains("order of the columns"), "{message}");
    }
    let short = Plan { order: vec![3, 2, 1], ..good.clone() };
    assert!(check(&short, &codec).is_err());
}
