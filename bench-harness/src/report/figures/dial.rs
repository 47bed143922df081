//! The privacy dial: usefulness of each model or setting against what it tells of people.

use super::{Figure, Group};
use crate::report::summary::{ModelSummary, Report, Spread, TableReport};
use crate::report::svg::{Anchor, Axis, COLOURS, Frame, LEVEL, Labels};

/// Scores of privacy, with their names and where nothing leaks, if that is a fixed number.
const PRIVACY: [(&str, &str, Option<f64>); 3] = [
    ("membership_auc", "membership AUC", None),
    ("feature_obfuscation", "feature obfuscation", None),
    ("tail_leak", "tail leak", Some(0.0)),
];

/// Scores of usefulness, the first that a table has.
const USE: [(&str, &str); 4] = [
    ("auc", "TSTR AUC"),
    ("macro_f1", "TSTR macro-F1"),
    ("accuracy", "TSTR accuracy"),
    ("r2", "TSTR R²"),
];

/// A model with both scores.
struct Dot {
    model: String,
    privacy: Spread,
    utility: Spread,
}

pub(super) fn group(report: &Report<'_>, table: &TableReport) -> Group {
    // Where real rows are handed out there is nothing to turn, and the axis would show little else.
    let models: Vec<&ModelSummary> =
        table.models.iter().filter(|model| !report.holds_real_rows(&model.model)).collect();
    let figures = PRIVACY.iter().filter_map(|(name, words, neutral)| {
        let (score, heading) =
            USE.iter().find(|(score, _)| models.iter().any(|m| m.utility.contains_key(*score)))?;
        let dot = |model: &&ModelSummary| {
            let privacy = *model.metrics.get(*name)?;
            let utility = *model.utility.get(*score)?;
            Some(Dot { model: model.model.clone(), privacy, utility })
        };
        let dots: Vec<Dot> = models.iter().filter_map(dot).collect();
        (dots.len() > 1).then(|| draw(&dots, words, heading, *neutral))
    });
    Group {
        heading: "Privacy and usefulness",
        words: "A dot per model or setting (yardsticks that hand out real rows left out), lines of one standard deviation over seeds. Upright guides are where nothing leaks (of feature obfuscation: what unseen real rows hide), level ones what real training rows reach. Right of the guide of membership AUC and tail leak, or left of that of feature obfuscation, people are told.".into(),
        figures: figures.collect(),
    }
}

fn draw(dots: &[Dot], privacy: &str, utility: &str, neutral: Option<f64>) -> Figure {
    let reference = |pick: fn(&Dot) -> Spread| dots.iter().find_map(|dot| pick(dot).reference);
    let neutral = neutral.or_else(|| reference(|dot| dot.privacy));
    let real = reference(|dot| dot.utility);
    let reach = |spread: &Spread| {
        let sd = spread.sd.unwrap_or(0.0);
        [spread.mean - sd, spread.mean + sd]
    };
    let axis = |pick: fn(&Dot) -> Spread, extra: Option<f64>| {
        let values = dots.iter().flat_map(|dot| reach(&pick(dot)));
        Axis::around(values.chain(extra)).unwrap_or_else(|| Axis::between(0.0, 1.0))
    };
    let labels = Labels { title: privacy, across: privacy, up: utility };
    let across = axis(|dot| dot.privacy, neutral);
    let up = axis(|dot| dot.utility, real);
    let mut frame = Frame::new([430.0, 260.0], labels, across, up);
    if let Some(neutral) = neutral {
        frame.upright(neutral, "nothing leaks", LEVEL);
    }
    if let Some(real) = real {
        frame.level(real, "real rows", LEVEL);
    }
    for (dot, colour) in dots.iter().zip(COLOURS.iter().cycle()) {
        let at = [dot.privacy.mean, dot.utility.mean];
        let [left, right] = reach(&dot.privacy);
        let [low, high] = reach(&dot.utility);
        frame.curve(&[[left, at[1]], [right, at[1]]], colour);
        frame.curve(&[[at[0], low], [at[0], high]], colour);
        frame.dots(&[at], 7.0, colour);
        let [x, y] = frame.place(at);
        // Words keep inside the picture.
        let (anchor, away) = if x > 340.0 { (Anchor::End, -6.0) } else { (Anchor::Start, 6.0) };
        frame.svg.words([x + away, y - 5.0], anchor, &dot.model);
    }
    Figure { svg: frame.finish(), caption: format!("{utility} against {privacy}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::svg::tests::check_well_formed;
    use crate::store::Manifest;
    use std::collections::BTreeMap;

    fn model(name: &str, membership: f64, auc: f64) -> ModelSummary {
        let spread = |value: f64, reference: f64| Spread {
            reference: Some(reference),
            ..Spread::of(&[value, value + 0.02]).unwrap()
        };
        ModelSummary {
            model: name.into(),
            planned: 2,
            ok: 2,
            failed: 0,
            fit_seconds: None,
            sample_seconds: None,
            peak_memory_bytes: None,
            metrics: BTreeMap::from([("membership_auc".to_owned(), spread(membership, 0.5))]),
            utility: BTreeMap::from([("auc".to_owned(), spread(auc, 0.9))]),
            remarks: Vec::new(),
            leaks: None,
        }
    }

    #[test]
    fn two_settings_make_a_picture_and_one_does_not() {
        let mut table = TableReport {
            dataset: "t".into(),
            rows: None,
            models: vec![model("meg", 0.51, 0.88), model("hidden & 0.5", 0.5, 0.7)],
        };
        let manifest = Manifest::here(1, 1, Vec::new());
        let report = Report::new(&manifest, &[]);
        let figures = group(&report, &table).figures;
        assert_eq!(figures.len(), 1, "scores that nobody has draw nothing");
        check_well_formed(&figures[0].svg);
        for part in ["hidden &amp; 0.5", "TSTR AUC", "membership AUC", "nothing leaks", "real rows"]
        {
            assert!(figures[0].svg.contains(part), "{part}");
        }
        table.models.truncate(1);
        assert!(group(&report, &table).figures.is_empty());
    }
}
