//! What trainings told step by step: losses, and accuracies on their own scale.

use super::{Figure, Group, Shown};
use crate::curves::Curve;
use crate::report::svg::{Axis, COLOURS, Frame, LEVEL, Labels};

/// Share of the values at either end that the axis of losses may cut: the first steps of a training
/// would flatten all that follows.
const CUT: f64 = 0.01;

pub(super) fn group(shown: &[Shown<'_>]) -> Group {
    let figures = shown.iter().flat_map(|one| {
        let (accuracies, losses): (Vec<&Curve>, Vec<&Curve>) =
            one.details.curves.iter().partition(|curve| curve.name.ends_with("accuracy"));
        [losses_of(one, &losses), accuracies_of(one, &accuracies)]
    });
    Group {
        heading: "Training",
        words: "Losses and, where a discriminator plays, the share of its batch (half real, half drawn) that it tells rightly before it learns from it: 0.5 is a discriminator that cannot tell. Trainings of one fit (folds, orders, phases) follow each other; long ones are thinned to means. The lowest and highest 1 % of losses may lie beyond the axis.".into(),
        figures: figures.flatten().collect(),
    }
}

fn losses_of(shown: &Shown<'_>, curves: &[&Curve]) -> Option<Figure> {
    let mut values: Vec<f64> =
        curves.iter().flat_map(|curve| &curve.points).map(|point| point[1]).collect();
    values.sort_by(f64::total_cmp);
    let cut = (CUT * values.len() as f64) as usize;
    let (low, high) = (*values.get(cut)?, values[values.len() - 1 - cut]);
    draw(shown, "loss", curves, Axis::between(low, high), None)
}

fn accuracies_of(shown: &Shown<'_>, curves: &[&Curve]) -> Option<Figure> {
    draw(shown, "accuracy", curves, Axis::between(0.0, 1.0), Some(0.5))
}

fn draw(
    shown: &Shown<'_>,
    up: &str,
    curves: &[&Curve],
    heights: Axis,
    even: Option<f64>,
) -> Option<Figure> {
    let updates = curves.iter().flat_map(|curve| &curve.points).map(|point| point[0]);
    let across = Axis::around(updates.chain([0.0]))?;
    if curves.is_empty() {
        return None;
    }
    let labels = Labels { title: shown.model, across: "updates", up };
    let mut frame = Frame::new([320.0, 180.0], labels, across, heights);
    if let Some(even) = even {
        frame.level(even, "cannot tell", LEVEL);
    }
    let names: Vec<String> = curves.iter().map(|curve| curve.name.replace('_', " ")).collect();
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        // A line breaks where it leaves the field.
        let inside = |a: &[f64; 2], b: &[f64; 2]| frame.holds(*a) == frame.holds(*b);
        let parts: Vec<&[[f64; 2]]> = curve.points.chunk_by(inside).collect();
        for part in parts {
            if frame.holds(part[0]) {
                frame.curve(part, colour);
            }
        }
    }
    let legend: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(COLOURS.iter().copied().cycle()).collect();
    frame.legend(&legend);
    Some(Figure { svg: frame.finish(), caption: format!("{}, seed {}", shown.model, shown.seed) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::Details;
    use crate::report::svg::tests::check_well_formed;

    #[test]
    fn losses_and_accuracies_have_axes_of_their_own() {
        let mut details = Details::new("k".into());
        let curve = |name: &str, value: f64| {
            let points = (1..=200).map(|at| [f64::from(at), value / f64::from(at)]).collect();
            Curve { name: name.into(), points }
        };
        details.curves = vec![curve("generator_loss", 900.0), curve("discriminator_accuracy", 1.0)];
        let shown = Shown { model: "a<b>", seed: 3, details: &details };
        let group = group(&[shown]);
        assert_eq!(group.figures.len(), 2);
        for (figure, name) in group.figures.iter().zip(["generator loss", "discriminator accuracy"])
        {
            check_well_formed(&figure.svg);
            assert!(figure.svg.contains(name) && figure.svg.contains(">updates<"));
            assert!(figure.svg.contains("a&lt;b&gt;") && figure.caption.contains("seed 3"));
        }
        assert!(group.figures[1].svg.contains("cannot tell"));
        details.curves.clear();
        assert!(
            super::group(&[Shown { model: "m", seed: 1, details: &details }]).figures.is_empty()
        );
    }
}
