//! Single columns of training and synthetic rows beside each other.

use super::{Figure, Group, Shown};
use crate::beside::Beside;
use crate::report::svg::{Anchor, COLOURS, INK, REAL, Svg, shortened};

const WIDTH: f64 = 250.0;
/// Height of the field of a number.
const FIELD: f64 = 90.0;
const TOP: f64 = 22.0;
/// Height of a level's two bars, and the room for its name.
const LEVEL: f64 = 17.0;
const NAMES: f64 = 95.0;
/// Letters of a level's name, of a column's, and of where bins begin.
const LETTERS: [usize; 3] = [15, 34, 12];

pub(super) fn group(shown: &[Shown<'_>]) -> Group {
    let figures = shown.iter().flat_map(|one| one.details.columns.iter().map(figure));
    Group {
        heading: "Columns beside each other",
        words: "Grey are training rows, blue synthetic rows; the height or length is the share of all rows. Numbers are cut into bins of one width, of which the outer two hold what lies beyond; of categories the levels most frequent in the training rows are shown. Fresh rows would differ a little too; the line below says how many rows would have to change class.".into(),
        figures: figures.collect(),
    }
}

fn figure(own: &Beside) -> Figure {
    let apart = own.real.iter().zip(&own.synthetic).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0;
    let svg = if own.bins { upright(own) } else { lying(own) };
    let caption =
        format!("{}: {:.1} % of the rows would have to change class", own.column, 100.0 * apart);
    Figure { svg, caption }
}

/// The share that fills the field.
fn most(own: &Beside) -> f64 {
    own.real.iter().chain(&own.synthetic).copied().fold(f64::MIN_POSITIVE, f64::max)
}

/// Bins from left to right, missing cells behind a gap.
fn upright(own: &Beside) -> String {
    let mut svg = begun(own, TOP + FIELD + 20.0);
    let step = WIDTH / own.classes.len().max(8) as f64;
    let bar = 0.42 * step;
    for (shares, shift, colour) in [(&own.real, 0.0, REAL), (&own.synthetic, bar, COLOURS[0])] {
        let boxes = shares.iter().enumerate().map(|(at, share)| {
            let height = FIELD * share / most(own);
            [step * at as f64 + shift, TOP + FIELD - height, bar, height]
        });
        svg.boxes(boxes, colour);
    }
    let floor = TOP + FIELD;
    svg.line([0.0, floor], [WIDTH, floor], INK);
    let missing = own.classes.last().is_some_and(|name| name == "missing");
    let bins = own.classes.len() - usize::from(missing);
    for at in [0, bins / 2] {
        if at == 0 || bins > 1 {
            let x = step * at as f64;
            svg.words([x, floor + 14.0], Anchor::Start, &shortened(&own.classes[at], LETTERS[2]));
        }
    }
    if missing {
        svg.words([step * own.classes.len() as f64, floor + 14.0], Anchor::End, "missing");
    }
    svg.finish()
}

/// Levels from top to bottom.
fn lying(own: &Beside) -> String {
    let mut svg = begun(own, TOP + LEVEL * own.classes.len() as f64 + 4.0);
    let bar = 0.42 * LEVEL;
    for (shares, shift, colour) in [(&own.real, 0.0, REAL), (&own.synthetic, bar, COLOURS[0])] {
        let boxes = shares.iter().enumerate().map(|(at, share)| {
            let width = (WIDTH - NAMES) * share / most(own);
            [NAMES, TOP + LEVEL * at as f64 + shift, width, bar]
        });
        svg.boxes(boxes, colour);
    }
    for (at, name) in own.classes.iter().enumerate() {
        let y = TOP + LEVEL * at as f64 + 11.0;
        svg.words([NAMES - 5.0, y], Anchor::End, &shortened(name, LETTERS[0]));
    }
    svg.finish()
}

fn begun(own: &Beside, height: f64) -> Svg {
    let mut svg = Svg::new(WIDTH, height, &own.column);
    svg.words([0.0, 13.0], Anchor::Start, &shortened(&own.column, LETTERS[1]));
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::Details;
    use crate::report::svg::tests::check_well_formed;

    #[test]
    fn numbers_stand_and_levels_lie() {
        let own = |column: &str, bins: bool, classes: &[&str]| Beside {
            column: column.into(),
            classes: classes.iter().map(|name| (*name).to_owned()).collect(),
            bins,
            real: vec![0.5, 0.25, 0.25],
            synthetic: vec![0.25, 0.5, 0.25],
        };
        let mut details = Details::new("k".into());
        details.columns =
            vec![own("a<b", true, &["0", "5", "missing"]), own("c & d", false, &["x", "y", "<z>"])];
        let group = group(&[Shown { model: "m", seed: 1, details: &details }]);
        let [number, level] = &group.figures[..] else { panic!("{}", group.figures.len()) };
        for figure in [number, level] {
            check_well_formed(&figure.svg);
            // Two colours, three bars each.
            assert_eq!(figure.svg.matches("<path").count(), 2, "{}", figure.svg);
            assert_eq!(figure.svg.matches('M').count(), 6, "{}", figure.svg);
        }
        assert!(number.svg.contains("a&lt;b") && number.svg.contains("missing"), "{}", number.svg);
        assert!(level.svg.contains("&lt;z&gt;"), "{}", level.svg);
        assert_eq!(number.caption, "a<b: 25.0 % of the rows would have to change class");
    }
}
