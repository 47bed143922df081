use meg_core::{Column, ColumnKind, MISSING, Table};
use std::collections::{BTreeSet, HashMap};

/// The cells of one column as they are written.
pub(super) struct Texts<'a> {
    pub(super) name: &'a str,
    pub(super) cells: Vec<Option<String>>,
}

impl<'a> Texts<'a> {
    pub(super) fn of(table: &'a Table, at: usize) -> Self {
        let spec = &table.schema().columns[at];
        let cells = match (&spec.kind, &table.columns()[at]) {
            // Digits in their places: rules keep and drop some of them, and files of groups name them.
            (ColumnKind::Number { decimals: None }, Column::Numbers(cells)) => {
                cells.iter().map(|cell| (!cell.is_nan()).then(|| cell.to_string())).collect()
            }
            _ => (0..table.rows()).map(|row| table.text(row, at)).collect(),
        };
        Self { name: &spec.name, cells }
    }

    /// The cells that are not missing.
    pub(super) fn present(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().flatten().map(String::as_str)
    }
}

/// The cells, each through `map`; missing cells stay missing.
pub(super) fn column_of(texts: &Texts<'_>, map: impl Fn(&str) -> String) -> Vec<Option<String>> {
    texts.cells.iter().map(|cell| cell.as_deref().map(&map)).collect()
}

/// A category of the texts. The levels are those that occur, in the order of their bytes: neither
/// values that are gone nor their old order can be read from the list.
pub(super) fn category(cells: &[Option<String>]) -> (ColumnKind, Column) {
    let levels: BTreeSet<&String> = cells.iter().flatten().collect();
    let levels: Vec<String> = levels.into_iter().cloned().collect();
    coded(cells, levels, false)
}

/// A category of these levels.
pub(super) fn coded(
    cells: &[Option<String>],
    levels: Vec<String>,
    ordered: bool,
) -> (ColumnKind, Column) {
    let codes: HashMap<&str, u32> = levels.iter().map(String::as_str).zip(0u32..).collect();
    let code = |cell: &Option<String>| cell.as_deref().map_or(MISSING, |text| codes[text]);
    let column = Column::Codes(cells.iter().map(code).collect());
    (ColumnKind::Category { levels, ordered }, column)
}
