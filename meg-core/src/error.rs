use std::fmt;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with the place and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data are not what the schema or the model needs.
    #[error(transparent)]
    Data(#[from] Box<DataError>),

    /// A setting of a recipe is unknown or out of range.
    #[error("setting `{key}`: {problem}")]
    Recipe {
        /// Name of the setting.
        key: String,
        /// The rule, the offending value and the nearest known key.
        problem: String,
    },

    /// A request cannot be met as it was put (unknown column or value in a condition, say).
    #[error("{0}")]
    Request(String),

    /// Training failed.
    #[error("training failed at step {step}: {problem}")]
    Training {
        /// One-based optimiser step.
        step: u64,
        /// What was seen, and in which tensor.
        problem: String,
    },

    /// A rejection loop reached its bound.
    #[error("{0}")]
    Rejected(String),

    /// A saved model is damaged, of another version or of another model.
    #[error("saved model: {0}")]
    Artifact(String),

    /// A checkpoint is damaged, or belongs to another training.
    #[error("checkpoint: {0}")]
    Checkpoint(String),

    /// The tensor library or the device refused an operation.
    #[error("tensor operation: {0}")]
    Tensor(String),

    /// The observer asked to abandon the work.
    #[error("interrupted")]
    Interrupted,
}

/// Coarse kinds of errors; a command line maps each to its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The call is wrong: unknown model, setting, column.
    Usage,
    /// The data are wrong.
    Data,
    /// A saved model is wrong.
    Format,
    /// Training or sampling failed.
    Training,
    /// Stopped on request.
    Interrupted,
}

impl Error {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Data(_) => ErrorKind::Data,
            Error::Recipe { .. } | Error::Request(_) => ErrorKind::Usage,
            Error::Training { .. } | Error::Rejected(_) | Error::Tensor(_) => ErrorKind::Training,
            Error::Artifact(_) | Error::Checkpoint(_) => ErrorKind::Format,
            Error::Interrupted => ErrorKind::Interrupted,
        }
    }

    /// A data error without a place; add one with [`DataError`]'s methods.
    pub fn data(problem: impl Into<String>) -> Self {
        DataError::new(problem).into()
    }
}

/// Bad data: what, where, and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataError {
    /// File as the user named it.
    pub file: Option<String>,
    /// One-based line of a text file. Stands in the place of a row.
    pub line: Option<u64>,
    /// One-based row of a table.
    pub row: Option<u64>,
    /// Column name.
    pub column: Option<String>,
    /// The offending value, as written.
    pub value: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub advice: Option<String>,
}

impl DataError {
    /// An error without a place.
    pub fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), ..Self::default() }
    }

    /// Names the file.
    #[must_use]
    pub fn file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Names the one-based line of a text file, which its header and line breaks within cells make
    /// another number than that of the row.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// Names the one-based row.
    #[must_use]
    pub fn row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// Names the column.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Shows the value, shortened to 60 characters.
    #[must_use]
    pub fn value(mut self, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        let mut short: String = value.chars().take(60).collect();
        if short.len() < value.len() {
            short.push('…');
        }
        self.value = Some(short);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        match (self.line, self.row) {
            (Some(line), _) => write!(f, "line {line}: ")?,
            (None, Some(row)) => write!(f, "row {row}: ")?,
            (None, None) => {}
        }
        if let Some(column) = &self.column {
            write!(f, "column \"{column}\": ")?;
        }
        if let Some(value) = &self.value {
            write!(f, "value {value:?}: ")?;
        }
        f.write_str(&self.problem)?;
        if let Some(advice) = &self.advice {
            write!(f, "\n  help: {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DataError {}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Error::Data(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_error_names_file_row_column_value_and_the_way_out() {
        let error = DataError::new("not a number")
            .file("people.csv")
            .row(7)
            .column("age")
            .value("seven")
            .advice("declare it as a category");
        assert_eq!(
            error.to_string(),
            "people.csv: row 7: column \"age\": value \"seven\": not a number\n  help: declare it as a category"
        );
        let error = DataError::new("not a number").row(7).line(9);
        assert_eq!(error.to_string(), "line 9: not a number");
    }
}
