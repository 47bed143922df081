//! The Markdown that our own reports are written in: headings, tables, lists, paragraphs, code and
//! emphasis. No general reader: it knows what `markdown` writes, and everything else is plain text.

use crate::report::svg::escape;

/// A block of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    Heading(usize, String),
    Paragraph(String),
    List(Vec<String>),
    /// Head and rows.
    Table(Vec<String>, Vec<Vec<String>>),
}

/// The blocks of a text, in order.
pub(super) fn parse(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fresh = true;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            fresh = true;
            continue;
        }
        let hashes = line.bytes().take_while(|&byte| byte == b'#').count();
        if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') {
            blocks.push(Block::Heading(hashes, line[hashes + 1..].to_owned()));
            fresh = true;
            continue;
        }
        let last = if fresh { None } else { blocks.last_mut() };
        fresh = false;
        if line.starts_with('|') {
            match last {
                Some(Block::Table(_, rows)) if is_rule(line) && rows.is_empty() => {}
                Some(Block::Table(_, rows)) => rows.push(cells(line)),
                _ => blocks.push(Block::Table(cells(line), Vec::new())),
            }
        } else if let Some(item) = line.strip_prefix("- ") {
            match last {
                Some(Block::List(items)) => items.push(item.to_owned()),
                _ => blocks.push(Block::List(vec![item.to_owned()])),
            }
        } else {
            match last {
                Some(Block::Paragraph(words)) => *words += &format!(" {line}"),
                _ => blocks.push(Block::Paragraph(line.to_owned())),
            }
        }
    }
    blocks
}

/// The words of the first heading.
pub(super) fn title(blocks: &[Block]) -> Option<&str> {
    blocks.iter().find_map(|block| match block {
        Block::Heading(_, words) => Some(words.as_str()),
        _ => None,
    })
}

/// Words with code and emphasis, escaped.
pub(super) fn inline(text: &str) -> String {
    let text = text.replace("\\|", "|");
    // `*whole*` alone is emphasis: a star within words is one that somebody wrote.
    if let Some(inner) = text.strip_prefix('*').and_then(|rest| rest.strip_suffix('*'))
        && !inner.is_empty()
        && !inner.contains('*')
    {
        return format!("<em>{}</em>", inline(inner));
    }
    let mut html = String::new();
    let mut rest = text.as_str();
    while let Some((before, mark, inner, after)) = next_mark(rest) {
        html += &escape(before);
        html += &match mark {
            "`" => format!("<code>{}</code>", escape(inner)),
            _ => format!("<strong>{}</strong>", inline(inner)),
        };
        rest = after;
    }
    html + &escape(rest)
}

/// The first marked words: what stands before them, the mark, the words, what follows.
fn next_mark(text: &str) -> Option<(&str, &'static str, &str, &str)> {
    let found = |mark: &'static str| {
        let (before, rest) = text.split_once(mark)?;
        let (inner, after) = rest.split_once(mark)?;
        (!inner.is_empty()).then_some((before, mark, inner, after))
    };
    [found("`"), found("**")].into_iter().flatten().min_by_key(|found| found.0.len())
}

fn is_rule(line: &str) -> bool {
    line.bytes().all(|byte| b"|-: ".contains(&byte))
}

/// The cells of a line; `\|` is no border.
fn cells(line: &str) -> Vec<String> {
    let inner = line.strip_prefix('|').unwrap_or(line);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            '|' if !escaped => cells.push(String::new()),
            _ => cells.last_mut().expect("there is one").push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart() {
        let text = "# A\n\n## toy\n\nsome\nwords\n\n| a | b \\| c |\n| - | ----- |\n| 1 | 2     |\n- x\n- y\n";
        let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            parse(text),
            [
                Block::Heading(1, "A".into()),
                Block::Heading(2, "toy".into()),
                Block::Paragraph("some words".into()),
                Block::Table(words(&["a", "b \\| c"]), vec![words(&["1", "2"])]),
                Block::List(words(&["x", "y"])),
            ]
        );
        assert_eq!(title(&parse(text)), Some("A"));
        assert_eq!(title(&[]), None);
    }

    #[test]
    fn marks_become_elements_and_all_else_is_text() {
        for (text, html) in [
            ("*real holdout*", "<em>real holdout</em>"),
            ("a * b * c", "a * b * c"),
            (
                "`x < y` and **`copy` & co**",
                "<code>x &lt; y</code> and <strong><code>copy</code> &amp; co</strong>",
            ),
            ("<b>\\|</b> ` alone", "&lt;b&gt;|&lt;/b&gt; ` alone"),
            ("**", "**"),
            ("*", "*"),
        ] {
            assert_eq!(inline(text), html);
        }
    }
}
