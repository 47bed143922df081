//! Results on stdout, everything else on stderr.

use meg_core::{Error, Result};
use serde_json::Value;
use std::io::{ErrorKind, Write};

/// Writes a result. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::data(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line of text as a result.
pub(crate) fn print_line(text: &str) -> Result<()> {
    print(format!("{text}\n").as_bytes())
}

/// Writes a JSON value as a result.
pub(crate) fn print_json(value: &Value) -> Result<()> {
    print_line(&format!("{value:#}"))
}

/// Tells the user something that is no result. There is nobody left to tell when this fails.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Letters of a line that fits any window.
pub(crate) const WIDTH: usize = 120;

/// Words behind a beginning, in lines of 120 letters at most; later lines stand under the first.
pub(crate) fn wrapped(beginning: &str, words: &str) -> String {
    let indent = beginning.chars().count();
    let lines = lines(words, WIDTH.saturating_sub(indent));
    let mut text = String::from(beginning);
    text.push_str(&lines.join(&format!("\n{}", " ".repeat(indent))));
    text.push('\n');
    text
}

/// The words in lines of so many letters at most; a longer word has a line of its own.
pub(crate) fn lines(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in words.split_whitespace() {
        let last = lines.len() - 1;
        let length = lines[last].chars().count();
        match length {
            0 => lines[last].push_str(word),
            _ if length + 1 + word.chars().count() <= width => {
                lines[last].push(' ');
                lines[last].push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Columns that line up, the last of them wrapped so that lines have 120 letters at most (and that
/// column 24 at least).
pub(crate) fn wrapped_columns(rows: &[Vec<String>]) -> String {
    const LEAST: usize = 24;
    let widths = widths(rows);
    let Some((_, before)) = widths.split_last() else { return String::new() };
    let taken: usize = before.iter().map(|width| width + 2).sum();
    let room = WIDTH.saturating_sub(taken).max(LEAST);
    let mut all: Vec<Vec<String>> = Vec::new();
    for row in rows {
        let Some((last, cells)) = row.split_last() else { continue };
        for (at, part) in lines(last, room).into_iter().enumerate() {
            let mut cells = if at == 0 { cells.to_vec() } else { vec![String::new(); cells.len()] };
            cells.push(part);
            all.push(cells);
        }
    }
    columns(&all)
}

/// The width of each column.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    (0..count).map(|at| width(at).unwrap_or(0)).collect()
}

/// Columns that line up.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_wrapped_under_itself() {
        let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let long = "many words ".repeat(20);
        let text = wrapped_columns(&[cells(["a", "b"]), cells(["name", &long]), cells(["c", ""])]);
        let shown: Vec<&str> = text.lines().collect();
        assert_eq!(shown.len(), 4, "{text}");
        assert!(shown.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(shown[1].starts_with("name  many") && shown[2].starts_with("      "), "{text}");
        assert_eq!(text.matches("many").count(), 20);
    }

    #[test]
    fn words_are_wrapped_and_none_is_lost_or_cut() {
        let long = "x".repeat(200);
        let text = wrapped("to: ", &format!("a {long} b"));
        assert_eq!(text, format!("to: a\n    {long}\n    b\n"));
        assert_eq!(wrapped("to: ", ""), "to: \n");
    }
}
