//! Two axes with marks and names around a field.

use super::{Anchor, Axis, GUIDE, INK, Svg};

/// What the axes and the whole are called.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Labels<'a> {
    pub title: &'a str,
    pub across: &'a str,
    pub up: &'a str,
}

/// A picture with axes; points are given in the numbers of the axes.
#[derive(Debug)]
pub(in crate::report) struct Frame {
    pub svg: Svg,
    across: Axis,
    up: Axis,
    size: [f64; 2],
    /// Width of the title, about.
    title: f64,
}

/// Width of a letter, about.
const LETTER: f64 = 6.3;
const LEFT: f64 = 58.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 40.0;

impl Frame {
    /// A field of this size with its axes.
    pub(in crate::report) fn new(
        size: [f64; 2],
        labels: Labels<'_>,
        across: Axis,
        up: Axis,
    ) -> Self {
        let [width, height] = size;
        let whole = [LEFT + width + RIGHT, TOP + height + BOTTOM];
        let svg = Svg::new(whole[0], whole[1], labels.title);
        let title = LETTER * labels.title.chars().count() as f64;
        let mut frame = Self { svg, across, up, size, title };
        frame.svg.words([LEFT, TOP - 9.0], Anchor::Start, labels.title);
        for mark in frame.across.marks.clone() {
            let x = frame.place([mark, frame.up.low])[0];
            frame.svg.line([x, TOP], [x, TOP + height], GUIDE);
            let word = frame.across.word(mark);
            frame.svg.words([x, TOP + height + 14.0], Anchor::Middle, &word);
        }
        for mark in frame.up.marks.clone() {
            let y = frame.place([frame.across.low, mark])[1];
            frame.svg.line([LEFT, y], [LEFT + width, y], GUIDE);
            let word = frame.up.word(mark);
            frame.svg.words([LEFT - 5.0, y + 4.0], Anchor::End, &word);
        }
        frame.svg.line([LEFT, TOP], [LEFT, TOP + height], INK);
        frame.svg.line([LEFT, TOP + height], [LEFT + width, TOP + height], INK);
        let middle = [LEFT + width / 2.0, TOP + height + 32.0];
        frame.svg.words(middle, Anchor::Middle, labels.across);
        frame.svg.turned([13.0, TOP + height / 2.0], -90.0, Anchor::Middle, labels.up);
        frame
    }

    /// Where a point of the axes lies in the picture.
    pub(in crate::report) fn place(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [width, height] = self.size;
        [LEFT + self.across.share(x) * width, TOP + (1.0 - self.up.share(y)) * height]
    }

    /// Whether a point lies in the field.
    pub(in crate::report) fn holds(&self, [x, y]: [f64; 2]) -> bool {
        let inside = |share: f64| (0.0..=1.0).contains(&share);
        inside(self.across.share(x)) && inside(self.up.share(y))
    }

    /// A line through points of the axes.
    pub(in crate::report) fn curve(&mut self, points: &[[f64; 2]], colour: &str) {
        let places: Vec<[f64; 2]> = points.iter().map(|&point| self.place(point)).collect();
        self.svg.polyline(places.into_iter(), colour);
    }

    /// Dots at the points that lie in the field; the number of those that do not.
    pub(in crate::report) fn dots(
        &mut self,
        points: &[[f64; 2]],
        size: f64,
        colour: &str,
    ) -> usize {
        let (inside, outside): (Vec<[f64; 2]>, Vec<[f64; 2]>) =
            points.iter().partition(|&&point| self.holds(point));
        let places: Vec<[f64; 2]> = inside.into_iter().map(|point| self.place(point)).collect();
        self.svg.dots(places.into_iter(), size, colour);
        outside.len()
    }

    /// A guide across the field at this height, with a word at its right end.
    pub(in crate::report) fn level(&mut self, height: f64, word: &str, colour: &str) {
        if !self.holds([self.across.low, height]) {
            return;
        }
        let from = self.place([self.across.low, height]);
        let to = self.place([self.across.high, height]);
        self.svg.line(from, to, colour);
        self.svg.words([to[0] - 3.0, to[1] - 3.0], Anchor::End, word);
    }

    /// A guide from bottom to top, with a word at its upper end.
    pub(in crate::report) fn upright(&mut self, at: f64, word: &str, colour: &str) {
        if !self.holds([at, self.up.low]) {
            return;
        }
        let from = self.place([at, self.up.low]);
        let to = self.place([at, self.up.high]);
        self.svg.line(from, to, colour);
        self.svg.words([to[0] + 3.0, to[1] + 10.0], Anchor::Start, word);
    }

    /// Names of the colours: in a line above the field where they find room beside the title, else
    /// under each other in its upper right corner.
    pub(in crate::report) fn legend(&mut self, entries: &[(&str, &str)]) {
        let right = LEFT + self.size[0];
        let needs = |word: &str| LETTER * word.chars().count() as f64 + 22.0;
        let all: f64 = entries.iter().map(|(word, _)| needs(word)).sum();
        let above = all + self.title <= self.size[0];
        let mut at = [right, if above { TOP - 9.0 } else { TOP + 12.0 }];
        for (word, colour) in entries.iter().rev() {
            self.svg.words([at[0] - 12.0, at[1]], Anchor::End, word);
            self.svg.boxes([[at[0] - 8.0, at[1] - 8.0, 8.0, 8.0]].into_iter(), colour);
            if above {
                at[0] -= needs(word);
            } else {
                at[1] += 13.0;
            }
        }
    }

    /// The picture.
    pub(in crate::report) fn finish(self) -> String {
        self.svg.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::svg::tests::check_well_formed;

    #[test]
    fn axes_have_names_and_marks_and_points_keep_to_them() {
        let labels = Labels { title: "t & u", across: "updates", up: "loss" };
        let axes = (Axis::between(0.0, 10.0), Axis::between(0.0, 1.0));
        let mut frame = Frame::new([200.0, 100.0], labels, axes.0, axes.1);
        assert_eq!(frame.place([0.0, 0.0]), [LEFT, TOP + 100.0]);
        assert_eq!(frame.place([10.0, 1.0])[1], TOP);
        assert_eq!(frame.dots(&[[1.0, 0.5], [1.0, 7.0]], 2.0, INK), 1);
        frame.level(0.5, "even", INK);
        frame.level(9.0, "nowhere", INK);
        frame.legend(&[("a<b", "#000")]);
        let text = frame.finish();
        check_well_formed(&text);
        for part in [">updates<", ">loss<", "t &amp; u", ">0.5<", ">even<", ">a&lt;b<"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("nowhere"));
    }
}
