use crate::read::{Dialect, Raw, Separator, parse};
use flate2::read::MultiGzDecoder;
use meg_core::{DataError, Error, Result};
use polars::prelude::{StringChunked, StringChunkedBuilder};
use std::io::Read;

/// How the files of an entry are written.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What stands between two cells.
    pub separator: Separator,
    /// The column names in file order; empty when the file has a header line.
    pub columns: &'static [&'static str],
    /// Texts that mean a missing cell, besides the empty cell.
    pub missing: &'static [&'static str],
    /// Columns that are left out.
    pub drop: &'static [&'static str],
    /// What is done to the class labels.
    pub label: Option<Label>,
    /// Whether the file is a gzip stream.
    pub gzip: bool,
}

/// What is done to the class labels of a file.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// The column.
    pub column: &'static str,
    /// What is cut off.
    pub ending: Ending,
    /// Labels and the groups they are replaced by; empty to keep them.
    pub groups: &'static [(&'static str, &'static str)],
}

/// The ending that is cut off a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A full stop, where there is one.
    FullStop,
    /// `.|` and all that follows (a record number).
    StopBar,
    /// `[` and all that follows (a record number in brackets).
    Bracket,
}

impl Format {
    /// Commas, no header line, nothing missing, nothing dropped.
    pub(super) const fn commas(columns: &'static [&'static str]) -> Self {
        Self {
            separator: Separator::Comma,
            columns,
            missing: &[],
            drop: &[],
            label: None,
            gzip: false,
        }
    }

    /// Parses the bytes of one file.
    pub(crate) fn parse(&self, file: &str, bytes: &[u8], skip_lines: usize) -> Result<Raw> {
        let unpacked;
        let bytes = if self.gzip {
            unpacked = gunzip(file, bytes)?;
            &unpacked
        } else {
            bytes
        };
        let names = (!self.columns.is_empty()).then_some(self.columns);
        let dialect = Dialect { separator: self.separator, skip: skip_lines, names };
        let mut raw = parse(file, bytes, &dialect)?;
        raw.missing = self.missing.iter().map(|&text| text.to_owned()).collect();
        let drop: Vec<String> = self.drop.iter().map(|&name| name.to_owned()).collect();
        raw.drop_columns(&drop, false)?;
        if let Some(label) = &self.label {
            raw.map_texts(label.column, |cells| label.apply(cells));
        }
        Ok(raw)
    }
}

impl Label {
    fn apply(&self, cells: &StringChunked) -> StringChunked {
        let mut out = StringChunkedBuilder::new(cells.name().clone(), cells.len());
        for cell in cells.iter() {
            match cell {
                Some(text) => out.append_value(self.group(self.ending.cut(text))),
                None => out.append_null(),
            }
        }
        out.finish()
    }

    fn group<'a>(&self, label: &'a str) -> &'a str {
        self.groups.iter().find(|(from, _)| *from == label).map_or(label, |(_, to)| to)
    }
}

impl Ending {
    fn cut(self, text: &str) -> &str {
        match self {
            Ending::FullStop => text.strip_suffix('.').unwrap_or(text),
            Ending::StopBar => text.split_once(".|").map_or(text, |(label, _)| label),
            Ending::Bracket => text.split_once('[').map_or(text, |(label, _)| label),
        }
    }
}

/// Unpacks a gzip stream.
pub(crate) fn gunzip(file: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut out).map_err(|error| -> Error {
        DataError::new(format!("the gzip stream cannot be unpacked: {error}")).file(file).into()
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_cut() {
        assert_eq!(Ending::FullStop.cut(">50K."), ">50K");
        assert_eq!(Ending::FullStop.cut(">50K"), ">50K");
        assert_eq!(Ending::StopBar.cut("negative.|3733"), "negative");
        assert_eq!(Ending::Bracket.cut("-[840801013]"), "-");
    }

    #[test]
    fn quirks_of_a_file_are_undone() {
        let format = Format {
            separator: Separator::CommaBlank,
            columns: &["age", "extra", "class"],
            missing: &["?"],
            drop: &["extra"],
            label: Some(Label {
                column: "class",
                ending: Ending::FullStop,
                groups: &[("b", "other")],
            }),
            gzip: false,
        };
        let raw = format.parse("x", b"|comment\n39, 1, a.\n?, 2, b.\n\n", 1).unwrap();
        assert_eq!(raw.names(), "age, class");
        let texts = |name: &str| -> Vec<Option<String>> {
            let column = raw.column(name).unwrap();
            raw.texts(column).map(|cell| cell.map(Into::into)).collect()
        };
        assert_eq!(texts("age"), [Some("39".to_owned()), None]);
        assert_eq!(texts("class"), [Some("a".to_owned()), Some("other".to_owned())]);
        assert_eq!(raw.lines.as_deref(), Some(&[2, 3][..]));
    }
}
