//! Real and synthetic rows along the first two principal components of the training rows.

use super::{Figure, Group, Shown};
use crate::report::svg::{Axis, COLOURS, Frame, Labels, REAL};
use eval::Projection;

pub(super) fn group(shown: &[Shown<'_>]) -> Group {
    let figures = shown
        .iter()
        .filter_map(|one| Some(figure(one, one.details.components.as_ref()?)))
        .collect();
    Group {
        heading: "Rows along two principal components",
        words: "Grey dots are training rows, blue ones synthetic rows, up to 400 of each. The components are those of the training rows (numbers and indicators of levels, standardised), so that all models of a table share the axes; dots beyond them are counted under the picture. The grey dots show something of the training rows: share this page as you would share those.".into(),
        figures,
    }
}

fn figure(shown: &Shown<'_>, projection: &Projection) -> Figure {
    let percent = |share: f64| format!("{:.0} % of the variance", 100.0 * share);
    let [first, second] = projection.shares;
    let (across, up) =
        (format!("component 1 ({})", percent(first)), format!("component 2 ({})", percent(second)));
    let labels = Labels { title: shown.model, across: &across, up: &up };
    let axis = |at: usize| {
        Axis::around(projection.real.iter().map(|point| point[at]))
            .unwrap_or_else(|| Axis::between(-1.0, 1.0))
    };
    let mut frame = Frame::new([240.0, 200.0], labels, axis(0), axis(1));
    frame.dots(&projection.real, 3.0, REAL);
    let outside = frame.dots(&projection.synthetic, 3.0, COLOURS[0]);
    let beyond = match outside {
        0 => String::new(),
        some => format!("; {some} of {} synthetic rows lie beyond", projection.synthetic.len()),
    };
    Figure { svg: frame.finish(), caption: format!("{}, seed {}{beyond}", shown.model, shown.seed) }
}
