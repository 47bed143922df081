//! Ways out of a table that does not fit its schema.

/// Whose the schema is under which a table is read: it decides what can be done about a cell that
/// does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SchemaOf {
    /// The user's, who can change it.
    #[default]
    User,
    /// The user's, beside rows that are divided already: the command that reads them has no options
    /// for columns and cells, that which divides them has.
    Folder,
    /// A trained model's, which stays that of its training rows.
    Model,
}

impl SchemaOf {
    /// For a column of the schema that the file lacks.
    pub(crate) fn lacking_column(self, name: &str) -> String {
        match self {
            SchemaOf::User => format!(
                "remove it from the schema, or correct its name there; `meg evaluate` leaves it out of all its files with `--drop {name:?}`"
            ),
            SchemaOf::Folder => {
                "remove it from schema.toml, or correct its name there".to_owned()
            }
            SchemaOf::Model => "the model takes rows with the columns of its training rows, which `meg model inspect` lists: rename or add the column in the file".to_owned(),
        }
    }

    /// For a column of the file that the schema lacks.
    pub(crate) fn unknown_column(self, name: &str) -> String {
        let drop = format!("`--drop {name:?}`");
        match self {
            SchemaOf::User => format!("leave it out with {drop}, or add it to the schema"),
            SchemaOf::Folder => {
                format!(
                    "divide the table with `meg datasets split` and {drop}, or add it to schema.toml"
                )
            }
            SchemaOf::Model => format!(
                "leave it out with {drop}, or rename it in the file: `meg model inspect` lists the columns of the training rows"
            ),
        }
    }

    /// For a missing cell in a column that may lack none.
    pub(crate) fn missing_cell(self) -> String {
        match self {
            SchemaOf::User | SchemaOf::Folder => "add `nullable = true` to the column in schema.toml",
            SchemaOf::Model => {
                "no training row lacks a cell here, so that the model knows nothing of missing ones: fill the cell or leave the row out, or train a model anew on rows of which some lack it"
            }
        }
        .to_owned()
    }

    /// For a text in a column of numbers.
    pub(crate) fn not_a_number(self, text: &str) -> String {
        let missing = format!("declare the text as a missing marker (`--missing {text:?}`)");
        match self {
            SchemaOf::User => {
                format!("correct the cell, {missing}, or change the column's kind in schema.toml")
            }
            SchemaOf::Folder => format!(
                "correct the cell, change the column's kind in schema.toml, or {missing} of `meg datasets split`"
            ),
            SchemaOf::Model => format!("correct the cell, or {missing}"),
        }
    }

    /// For a cell or row that the schema does not allow, where a user would do as `users` says.
    pub(crate) fn cell(self, users: impl Into<String>) -> String {
        match self {
            SchemaOf::User | SchemaOf::Folder => users.into(),
            SchemaOf::Model => "the model knows the levels, decimals, formats and constraints of its training rows: correct the cell, leave the row out, or train a model anew on rows that have such a cell".to_owned(),
        }
    }
}
