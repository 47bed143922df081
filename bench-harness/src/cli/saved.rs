//! Model folders.

use bench_harness::files;
use meg_core::{Artifact, DataError, Error, Result};
use std::path::Path;

/// Reads a folder that `meg fit` wrote.
pub(crate) fn read(folder: &Path) -> Result<Artifact> {
    if !folder.join(Artifact::JSON_FILE).is_file() {
        return Err(DataError::new(format!("there is no {} in it", Artifact::JSON_FILE))
            .file(folder.display().to_string())
            .advice("name the folder that `meg fit --out DIR` wrote")
            .into());
    }
    let damaged = |error| damaged(folder, error);
    let header = files::read(&folder.join(Artifact::JSON_FILE))?;
    let tensors = files::read(&folder.join(Artifact::TENSOR_FILE)).map_err(damaged)?;
    Artifact::from_bytes(&header, &tensors).map_err(damaged)
}

/// A damaged model file knows neither its folder nor the way out.
fn damaged(folder: &Path, error: Error) -> Error {
    let problem = match error {
        Error::Artifact(problem) => problem,
        other => other.to_string(),
    };
    Error::Artifact(format!(
        "{}: {problem}\n  help: train the model again with `meg fit`",
        folder.display()
    ))
}
