//! The masks of an ensemble, for readers.

use crate::fitted::FittedMeg;
use crate::record;
use meg_core::{GeneratorMask, Masks, Sheet};

/// Order and context masks by column, the output masks of all generators, and the trainings.
pub(crate) fn sheets(model: &FittedMeg) -> Vec<Sheet> {
    vec![by_column(model), by_generator(model), record::sheet(&model.trainings)]
}

fn by_column(model: &FittedMeg) -> Sheet {
    let layout = model.layout();
    let name = |place: usize| name(model, place);
    let several = model.members.len() > 1;
    let mut header = vec!["place", "column", "codes", "generator", "sees"];
    header.extend(several.then_some(match by_state(model) {
        true => "weights of the states",
        false => "weights of the members",
    }));
    let rows = (0..layout.codes.len()).map(|place| {
        let (generator, head) = layout.maker(place);
        let mut cells = vec![
            (place + 1).to_string(),
            name(place),
            layout.codes[place].to_string(),
            (generator + 1).to_string(),
            seen(&head.parents, place, layout.codes.len(), &name),
        ];
        let shares = model.mixing[place].iter().map(|share| format!("{share:.3}"));
        cells.extend(several.then(|| shares.collect::<Vec<_>>().join(" ")));
        cells
    });
    Sheet::new("columns in the order in which a row is made", &header, rows)
}

/// What a generator sees for one column, in words where it is many columns.
fn seen(parents: &[usize], place: usize, places: usize, name: &dyn Fn(usize) -> String) -> String {
    let mut sorted = parents.to_vec();
    sorted.sort_unstable();
    if sorted.is_empty() {
        "nothing".into()
    } else if sorted.len() + 1 == places && sorted.iter().any(|&parent| parent > place) {
        "all others that are made".into()
    } else if sorted == (0..place).collect::<Vec<_>>() {
        format!("all before ({place})")
    } else {
        sorted.into_iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

/// A table in folds keeps several states of the training of a member, of which each column takes one.
fn by_state(model: &FittedMeg) -> bool {
    model.members.len() > model.recipe.members
}

fn by_generator(model: &FittedMeg) -> Sheet {
    let mut rows = Vec::new();
    for (member, one) in model.members.iter().enumerate() {
        for (generator, shape) in one.layout.shapes.iter().enumerate() {
            let counts = |place: usize| model.mixing[place][member] > 0.0;
            let made = shape.heads.iter().filter(|head| counts(head.place));
            let made: Vec<String> = made.map(|head| name(model, head.place)).collect();
            let made = if made.is_empty() { "nothing: others do".into() } else { made.join(", ") };
            let weights = shape.weights().to_string();
            rows.push(vec![(member + 1).to_string(), (generator + 1).to_string(), weights, made]);
        }
    }
    let whose = if by_state(model) { "state of the training" } else { "member" };
    Sheet::new("generators", &[whose, "generator", "weights", "makes"], rows)
}

/// Output and context masks, a line for each column that a generator makes.
pub(crate) fn masks(model: &FittedMeg) -> Masks {
    let several = model.members.len() > 1;
    let mut generators = Vec::new();
    for (member, one) in model.members.iter().enumerate() {
        for (generator, shape) in one.layout.shapes.iter().enumerate() {
            for head in &shape.heads {
                let mut sees = head.parents.clone();
                sees.sort_unstable();
                let name = match several {
                    true => format!("{}.{}", member + 1, generator + 1),
                    false => (generator + 1).to_string(),
                };
                generators.push(GeneratorMask { name, makes: vec![head.place], sees });
            }
        }
    }
    let places = 0..model.layout().codes.len();
    Masks { columns: places.map(|place| name(model, place)).collect(), generators }
}

fn name(model: &FittedMeg, place: usize) -> String {
    let column = model.layout().plan.order[place];
    model.codec.schema().columns[column].name.clone()
}
