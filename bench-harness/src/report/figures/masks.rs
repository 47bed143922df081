//! Output and context masks of ensembles: a line for each piece of work, a column for each column.

use super::{Figure, Group, Shown};
use crate::report::svg::{Anchor, COLOURS, GUIDE, Svg, shortened};
use meg_core::Masks;

const OUTPUT: &str = COLOURS[1];
const CONTEXT: &str = "#a9c4e4";

/// Width of the field, at most, in points.
const FIELD: f64 = 620.0;
/// Side of a cell, at least and at most; names are written from the size of a letter on.
const LEAST: f64 = 1.5;
const MOST: f64 = 14.0;
const LEGIBLE: f64 = 9.0;
/// Letters of a name.
const LETTERS: usize = 18;

pub(super) fn group(shown: &[Shown<'_>]) -> Group {
    let figures = shown.iter().filter_map(|one| {
        let masks = one.details.masks.as_ref().filter(|masks| !masks.generators.is_empty())?;
        let most = masks.generators.iter().map(|mask| mask.sees.len()).max().unwrap_or(0);
        let caption = format!(
            "{}, seed {}: {} columns, {} lines, at most {most} columns in a context",
            one.model,
            one.seed,
            masks.columns.len(),
            masks.generators.len()
        );
        Some(Figure { svg: draw(one.model, masks), caption })
    });
    Group {
        heading: "Masks",
        words: "Each line is what one generator makes in one go: dark is its output mask (the columns it makes), light its context mask (the columns it sees meanwhile). Columns stand in the order in which a row is made.".into(),
        figures: figures.collect(),
    }
}

fn draw(model: &str, masks: &Masks) -> String {
    let (columns, lines) = (masks.columns.len(), masks.generators.len());
    let side = (FIELD / columns.max(1) as f64).clamp(LEAST, MOST);
    let named = side >= LEGIBLE;
    // Names lean to the right and reach beyond the last column.
    let (left, top, right) = if named { (180.0, 135.0, 90.0) } else { (30.0, 36.0, 12.0) };
    let size = [left + side * columns as f64 + right, top + side * lines as f64 + 12.0];
    let mut svg = Svg::new(size[0].max(300.0), size[1], &format!("masks of {model}"));
    legend(&mut svg);
    if named {
        names(&mut svg, masks, side, [left, top]);
    } else {
        svg.words([left, top - 6.0], Anchor::Start, "columns, in the order in which a row is made");
        let at = [left - 8.0, top];
        svg.turned(at, -90.0, Anchor::End, "generators");
    }
    let cells = |places: &[usize], line: usize| -> Vec<[f64; 4]> {
        let run = |&(from, length): &(usize, usize)| {
            let x = left + side * from as f64;
            [x, top + side * line as f64, side * length as f64, side]
        };
        runs(places).iter().map(run).collect()
    };
    let boxes = |pick: fn(&meg_core::GeneratorMask) -> &[usize]| -> Vec<[f64; 4]> {
        let lines = masks.generators.iter().enumerate();
        lines.flat_map(|(line, mask)| cells(pick(mask), line)).collect()
    };
    svg.boxes(boxes(|mask| &mask.sees).into_iter(), CONTEXT);
    svg.boxes(boxes(|mask| &mask.makes).into_iter(), OUTPUT);
    let corner = [left + side * columns as f64, top + side * lines as f64];
    for (from, to) in [
        ([left, top], [corner[0], top]),
        ([left, corner[1]], corner),
        ([left, top], [left, corner[1]]),
        ([corner[0], top], corner),
    ] {
        svg.line(from, to, GUIDE);
    }
    svg.finish()
}

fn names(svg: &mut Svg, masks: &Masks, side: f64, [left, top]: [f64; 2]) {
    for (at, column) in masks.columns.iter().enumerate() {
        let x = left + side * (at as f64 + 0.5) + 3.0;
        svg.turned([x, top - 5.0], -60.0, Anchor::Start, &shortened(column, LETTERS));
    }
    for (line, mask) in masks.generators.iter().enumerate() {
        let made: Vec<&str> = mask.makes.iter().map(|&at| masks.columns[at].as_str()).collect();
        let words = format!("{}: {}", mask.name, made.join(", "));
        let y = top + side * (line as f64 + 0.5) + 4.0;
        svg.words([left - 6.0, y], Anchor::End, &shortened(&words, LETTERS + 4));
    }
}

fn legend(svg: &mut Svg) {
    for (at, (word, colour)) in [("makes", OUTPUT), ("sees", CONTEXT)].iter().enumerate() {
        let x = 4.0 + 60.0 * at as f64;
        svg.boxes([[x, 4.0, 9.0, 9.0]].into_iter(), colour);
        svg.words([x + 13.0, 12.0], Anchor::Start, word);
    }
}

/// Runs of neighbouring places: where each begins and how long it is.
fn runs(places: &[usize]) -> Vec<(usize, usize)> {
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.chunk_by(|a, b| a + 1 == *b).map(|run| (run[0], run.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::svg::tests::check_well_formed;
    use meg_core::GeneratorMask;

    fn chain(columns: usize) -> Masks {
        let mask = |at: usize| GeneratorMask {
            name: (at + 1).to_string(),
            makes: vec![at],
            sees: (0..at).collect(),
        };
        Masks {
            columns: (0..columns).map(|at| format!("<c{at}> & a long name of it")).collect(),
            generators: (0..columns).map(mask).collect(),
        }
    }

    #[test]
    fn neighbours_are_one_box() {
        assert_eq!(runs(&[4, 0, 1, 2, 2, 7, 5]), [(0, 3), (4, 2), (7, 1)]);
        assert!(runs(&[]).is_empty());
    }

    #[test]
    fn small_masks_have_names_and_large_ones_stay_small() {
        let small = draw("meg", &chain(5));
        check_well_formed(&small);
        assert!(small.contains("&lt;c0&gt;") && small.contains(">makes<"), "{small}");
        // Five outputs and four contexts, each one box.
        assert_eq!(small.matches("v14h-").count(), 5 + 4, "{small}");
        let large = draw("meg", &chain(500));
        check_well_formed(&large);
        assert!(!large.contains("&lt;c0&gt;") && large.len() < 60_000, "{}", large.len());
    }
}
