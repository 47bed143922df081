//! Pictures as SVG text for a page of HTML: a few shapes, numbers with one decimal, everything
//! escaped.

mod axis;
mod frame;

pub(super) use axis::Axis;
pub(super) use frame::{Frame, Labels};

use std::fmt::Write;

/// Colours that can be told apart, in the order of use.
pub(super) const COLOURS: [&str; 8] =
    ["#1f5fa8", "#c2571a", "#2b8a57", "#8a4fa3", "#b3263a", "#6b5d2e", "#1d8a99", "#6c6c6c"];

/// What is real.
pub(super) const REAL: &str = "#9aa0a6";
/// Lines that mean something by themselves: what real rows reach, where nothing leaks.
pub(super) const LEVEL: &str = "#868d94";
/// Lines that only guide the eye.
pub(super) const GUIDE: &str = "#d7d9dc";
/// Words and axes.
pub(super) const INK: &str = "#33373b";

/// A picture in the making.
#[derive(Debug)]
pub(super) struct Svg {
    text: String,
}

/// Where a word stands with respect to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// A picture of this size with a title that is read aloud.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut text = format!(
            "<svg role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"{INK}\">",
            place(width),
            place(height)
        );
        add(&mut text, format_args!("<title>{}</title>", escape(title)));
        Self { text }
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: &str) {
        let [x1, y1, x2, y2] = [from[0], from[1], to[0], to[1]].map(place);
        add(
            &mut self.text,
            format_args!(
                "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\"/>"
            ),
        );
    }

    /// A line through points.
    pub(super) fn polyline(&mut self, points: impl Iterator<Item = [f64; 2]>, colour: &str) {
        let points: Vec<String> =
            points.map(|[x, y]| format!("{},{}", place(x), place(y))).collect();
        add(
            &mut self.text,
            format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\"/>",
                points.join(" ")
            ),
        );
    }

    /// Dots, all of one colour: one path, since hundreds of elements would make the page heavy.
    pub(super) fn dots(&mut self, points: impl Iterator<Item = [f64; 2]>, size: f64, colour: &str) {
        let path: String = points.map(|[x, y]| format!("M{} {}h0", place(x), place(y))).collect();
        add(
            &mut self.text,
            format_args!(
                "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{}\" stroke-linecap=\"round\" stroke-opacity=\"0.6\" fill=\"none\"/>",
                place(size)
            ),
        );
    }

    /// Boxes of one colour: left, top, width, height.
    pub(super) fn boxes(&mut self, boxes: impl Iterator<Item = [f64; 4]>, colour: &str) {
        let path: String = boxes
            .map(|[x, y, width, height]| {
                let [x, y, w, h] = [x, y, width, height].map(place);
                format!("M{x} {y}h{w}v{h}h-{w}z")
            })
            .collect();
        add(&mut self.text, format_args!("<path d=\"{path}\" fill=\"{colour}\"/>"));
    }

    /// Words at a point.
    pub(super) fn words(&mut self, at: [f64; 2], anchor: Anchor, words: &str) {
        self.turned(at, 0.0, anchor, words);
    }

    /// Words turned by so many degrees.
    pub(super) fn turned(&mut self, at: [f64; 2], degrees: f64, anchor: Anchor, words: &str) {
        let [x, y] = at.map(place);
        let turn = match degrees {
            0.0 => String::new(),
            _ => format!(" transform=\"rotate({} {x} {y})\"", place(degrees)),
        };
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        add(
            &mut self.text,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{turn}>{}</text>",
                escape(words)
            ),
        );
    }

    /// The whole picture.
    pub(super) fn finish(self) -> String {
        self.text + "</svg>"
    }
}

/// Text that means nothing to a reader of HTML or XML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No XML document may hold these.
            c if c.is_control() && !c.is_whitespace() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The text, cut to so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A coordinate with one decimal, and none where it is whole.
fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".into(),
        Some(whole) => whole.into(),
        None => text,
    }
}

fn add(text: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(part);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Whether every element is closed where it should be, every attribute is quoted, and no stray
    /// character of markup is left in the text. Enough of XML for what is written here.
    pub(in crate::report) fn check_well_formed(text: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            check_entities(&rest[..start]);
            let end = start + rest[start..].find('>').expect("a tag is closed");
            let tag = &rest[start + 1..end];
            rest = &rest[end + 1..];
            if tag.starts_with('!') {
                continue;
            }
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{text}");
                continue;
            }
            let inner = tag.strip_suffix('/').unwrap_or(tag);
            let name = inner.split_whitespace().next().expect("a tag has a name");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
            check_attributes(inner[name.len()..].trim());
            if !tag.ends_with('/') && !["meta", "br"].contains(&name) {
                open.push(name);
            }
        }
        check_entities(rest);
        assert!(open.is_empty(), "{open:?} are never closed");
    }

    fn check_attributes(mut text: &str) {
        while !text.is_empty() {
            let (name, rest) = text.split_once("=\"").expect("an attribute has a quoted value");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c)), "{name}");
            let (value, rest) = rest.split_once('"').expect("a quote is closed");
            assert!(!value.contains('<'), "{value}");
            check_entities(value);
            text = rest.trim_start();
        }
    }

    fn check_entities(text: &str) {
        assert!(!text.contains('>'), "{text}");
        for part in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(known.iter().any(|entity| part.starts_with(entity)), "&{part}");
        }
    }

    #[test]
    fn shapes_and_hostile_words_are_well_formed() {
        let mut svg = Svg::new(100.0, 50.5, "a < b & \"c\"");
        svg.line([0.0, 0.0], [1.25, -0.0], INK);
        svg.polyline([[0.0, 1.0], [2.0, 3.0]].into_iter(), COLOURS[0]);
        svg.dots([[5.0, 5.0]].into_iter(), 2.0, REAL);
        svg.boxes([[1.0, 2.0, 3.0, 4.0]].into_iter(), GUIDE);
        svg.words([1.0, 1.0], Anchor::Start, "</text><script>alert('x')</script>\u{7}");
        svg.turned([1.0, 1.0], -90.0, Anchor::End, "größe");
        let text = svg.finish();
        check_well_formed(&text);
        assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
        assert!(text.contains("M1 2h3v4h-3z") && text.contains("x2=\"1.2\" y2=\"0\""), "{text}");
    }

    #[test]
    #[should_panic(expected = "never closed")]
    fn the_check_itself_sees_open_tags() {
        check_well_formed("<svg><g></g>");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shortened("größe", 5), "größe");
        assert_eq!(shortened("größen", 5), "größ…");
    }
}
