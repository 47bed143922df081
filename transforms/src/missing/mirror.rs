use meg_core::{Column, ColumnSpec, DataError, Error, MISSING, Result, Role, Schema, Table};
use serde::{Deserialize, Serialize};

/// A category column of two levels that says in every row whether another column is missing, as
/// `TSH measured` of the thyroid tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorFlag {
    /// The column that says it.
    pub flag: String,
    /// The column it speaks of.
    pub of: String,
    /// The flag's level where the other column has a cell.
    pub present: String,
    /// The flag's level where it is missing.
    pub missing: String,
}

/// All such columns of a table. A model that learns both columns soon makes rows in which they
/// disagree: leave the flags out before, put them back after.
///
/// Law: `restore(strip(table)) = table` for tables that obey the flags, and a restored table always
/// does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorFlags {
    flags: Vec<MirrorFlag>,
    /// Column names of the whole table, in order.
    columns: Vec<String>,
}

impl MirrorFlags {
    /// Finds the flags of a table: both levels must occur, and no row may disagree. Of several
    /// columns that fit, a flag speaks of the one next to it.
    pub fn find(table: &Table) -> Self {
        Self::find_with(table, 1, |_| true)
    }

    /// Those flags of a table that a model can leave out: each level stands in five rows at least, so
    /// that few rows agree by chance; the target stays, because models look for it, and so do columns
    /// that a constraint names, because it would go with them.
    pub fn find_for_models(table: &Table) -> Self {
        let schema = table.schema();
        let named: Vec<&str> =
            schema.constraints.iter().flat_map(|constraint| constraint.columns()).collect();
        Self::find_with(table, 5, |spec| {
            spec.role != Role::Target && !named.contains(&spec.name.as_str())
        })
    }

    fn find_with(table: &Table, least: usize, may: impl Fn(&ColumnSpec) -> bool) -> Self {
        let specs = &table.schema().columns;
        let mut flags: Vec<MirrorFlag> = Vec::new();
        for flag in (0..specs.len()).filter(|&flag| may(&specs[flag])) {
            let mut others: Vec<usize> = (0..specs.len()).filter(|&of| of != flag).collect();
            others.sort_by_key(|&of| (of.abs_diff(flag), of < flag));
            // A flag leaves the table, but none is restored from another: a flag has no missing cell,
            // and what it speaks of has one.
            let fits = others
                .into_iter()
                .find_map(|of| mirrored(table, flag, of, least).map(|levels| (of, levels)));
            if let Some((of, (present, missing))) = fits {
                let level = |code: u32| specs[flag].levels()[code as usize].clone();
                flags.push(MirrorFlag {
                    flag: specs[flag].name.clone(),
                    of: specs[of].name.clone(),
                    present: level(present),
                    missing: level(missing),
                });
            }
        }
        Self { flags, columns: specs.iter().map(|spec| spec.name.clone()).collect() }
    }

    /// Checks flags that were read from a file: those of a table of this schema.
    ///
    /// # Errors
    /// An artifact error that names the flag.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let names = schema.columns.iter().map(|spec| &spec.name);
        let is_flag = |name: &str| self.flags.iter().filter(|flag| flag.flag == name).count();
        let sound = |flag: &MirrorFlag| {
            let (Some(at), Some(of)) = (schema.position(&flag.flag), schema.position(&flag.of))
            else {
                return false;
            };
            is_flag(&flag.flag) == 1
                && is_flag(&flag.of) == 0
                && schema.columns[of].nullable
                && flag.present != flag.missing
                && flag.codes(schema.columns[at].levels()).is_ok()
                && !schema.constraints.iter().any(|one| one.columns().contains(&&*flag.flag))
        };
        if !names.eq(&self.columns) {
            return Err(Error::Artifact("the flags are those of a table of other columns".into()));
        }
        match self.flags.iter().find(|flag| !sound(flag)) {
            None => Ok(()),
            Some(flag) => Err(Error::Artifact(format!("the flag {:?} is damaged", flag.flag))),
        }
    }

    /// The flags found.
    pub fn flags(&self) -> &[MirrorFlag] {
        &self.flags
    }

    /// The table without its flags.
    ///
    /// # Errors
    /// A data error that names row and column where a flag does not say what is missing, and a
    /// request error when a column is not there.
    pub fn strip(&self, table: &Table) -> Result<Table> {
        for flag in &self.flags {
            self.check_rows(table, flag)?;
        }
        self.without(table)
    }

    /// The table without its flags, whatever they say.
    pub(super) fn without(&self, table: &Table) -> Result<Table> {
        let is_flag = |name: &String| self.flags.iter().any(|flag| &flag.flag == name);
        let kept = (0..table.columns().len())
            .filter(|&at| !is_flag(&table.schema().columns[at].name))
            .collect::<Vec<_>>();
        table.select_columns(&kept)
    }

    /// The table with its flags, in the order of the whole table; `whole` is its schema.
    ///
    /// # Errors
    /// A request error when a column is not there, a data error when the schema does not fit.
    pub fn restore(&self, table: &Table, whole: &Schema) -> Result<Table> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for name in &self.columns {
            columns.push(match self.flags.iter().find(|flag| &flag.flag == name) {
                None => table.columns()[table.schema().find(name)?].clone(),
                Some(flag) => {
                    let of = &table.columns()[table.schema().find(&flag.of)?];
                    let levels = whole.columns[whole.find(name)?].levels();
                    let (present, missing) = flag.codes(levels)?;
                    let code = |row| if of.is_missing(row) { missing } else { present };
                    Column::Codes((0..table.rows()).map(code).collect())
                }
            });
        }
        Table::new(whole.clone(), columns)
    }

    fn check_rows(&self, table: &Table, flag: &MirrorFlag) -> Result<()> {
        let (at, of) = (table.schema().find(&flag.flag)?, table.schema().find(&flag.of)?);
        let levels = table.schema().columns[at].levels();
        let (present, missing) = flag.codes(levels)?;
        let Column::Codes(cells) = &table.columns()[at] else {
            return Err(DataError::new("a flag is a category").column(&flag.flag).into());
        };
        for (row, &cell) in cells.iter().enumerate() {
            let says = if table.columns()[of].is_missing(row) { missing } else { present };
            if cell != says {
                let problem = format!("the flag does not say whether {:?} is missing", flag.of);
                let value = table.text(row, at).unwrap_or_else(|| "missing".to_owned());
                let error = DataError::new(problem).row(row as u64 + 1).column(&flag.flag);
                return Err(error.value(value).into());
            }
        }
        Ok(())
    }
}

impl MirrorFlag {
    /// Codes of the two levels.
    pub(super) fn codes(&self, levels: &[String]) -> Result<(u32, u32)> {
        let code = |level: &String| {
            levels.iter().position(|known| known == level).map(|at| at as u32).ok_or_else(|| {
                Error::from(
                    DataError::new("the flag has no such level").column(&self.flag).value(level),
                )
            })
        };
        Ok((code(&self.present)?, code(&self.missing)?))
    }
}

/// The flag's codes where the other column is present and where it is missing, if it mirrors it and
/// each occurs in at least so many rows.
fn mirrored(table: &Table, flag: usize, of: usize, least: usize) -> Option<(u32, u32)> {
    let Column::Codes(cells) = &table.columns()[flag] else { return None };
    if !table.schema().columns[of].nullable {
        return None;
    }
    let of = &table.columns()[of];
    let (mut present, mut missing) = (None, None);
    let mut rows_missing = 0;
    for (row, &cell) in cells.iter().enumerate() {
        let is_missing = of.is_missing(row);
        rows_missing += usize::from(is_missing);
        let says = if is_missing { &mut missing } else { &mut present };
        if cell == MISSING || *says.get_or_insert(cell) != cell {
            return None;
        }
    }
    let enough = rows_missing.min(cells.len() - rows_missing) >= least;
    match (present, missing) {
        (Some(present), Some(missing)) if present != missing && enough => Some((present, missing)),
        _ => None,
    }
}
