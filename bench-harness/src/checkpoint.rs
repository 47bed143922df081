//! Checkpoints of one training as files: beside the model folder that the training is to become.

use crate::files;
use meg_core::{Artifact, Checkpoint, Error, Identity, ModelEntry, Result, TrainingState};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The checkpoint of the training that is to become the model folder `out`.
pub fn beside(out: &Path) -> PathBuf {
    let mut name = OsString::from(out);
    name.push(".checkpoint");
    PathBuf::from(name)
}

/// The checkpoint that a user names: by its file, or by the model folder it was to become.
///
/// # Errors
/// A usage error when there is neither.
pub fn find(named: &Path) -> Result<PathBuf> {
    let other = beside(named);
    let found = [named, &other].into_iter().find(|path| path.is_file());
    found.map(Path::to_path_buf).ok_or_else(|| {
        Error::Request(format!(
            "there is no checkpoint {} nor {}\n  help: leave --resume out to begin anew, and --checkpoint-every N keeps checkpoints",
            named.display(),
            other.display()
        ))
    })
}

/// Refuses checkpoints of models that keep none.
///
/// # Errors
/// A usage error that names the model.
pub fn check_model(entry: &ModelEntry) -> Result<()> {
    if entry.checkpoints {
        return Ok(());
    }
    Err(Error::Request(format!(
        "the model {:?} keeps no checkpoints and cannot go on from one\n  help: leave --checkpoint-every and --resume out",
        entry.name
    )))
}

/// Writes a checkpoint whole, or leaves the one before.
///
/// # Errors
/// A data error that names the file.
pub fn write(path: &Path, identity: &Identity, state: TrainingState) -> Result<()> {
    let bytes = Checkpoint { identity: identity.clone(), state }.to_bytes()?;
    datasets::write_file(path, &bytes)
}

/// Reads a checkpoint.
///
/// # Errors
/// A data error when the file cannot be read, [`Error::Checkpoint`] when it is damaged; both name
/// the file.
pub fn read(path: &Path) -> Result<Checkpoint> {
    Checkpoint::from_bytes(&files::read(path)?).map_err(|error| named(path, error))
}

/// The state of a checkpoint, if it is of this very training.
///
/// # Errors
/// [`Error::Checkpoint`] that names the file and everything that differs.
pub fn state_for(path: &Path, checkpoint: Checkpoint, asked: &Identity) -> Result<TrainingState> {
    checkpoint.identity.check(asked).map_err(|error| named(path, error))?;
    Ok(checkpoint.state)
}

/// SHA-256 (hex) of a saved model that a training goes on from, for its [`Identity`].
///
/// # Errors
/// [`Error::Artifact`] when it cannot be written as bytes.
pub fn model_hash(artifact: &Artifact) -> Result<String> {
    let (header, tensors) = artifact.to_bytes()?;
    let digest = Sha256::new().chain_update(header).chain_update(tensors).finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn named(path: &Path, error: Error) -> Error {
    match error {
        Error::Checkpoint(problem) => Error::Checkpoint(format!("{}: {problem}", path.display())),
        other => other,
    }
}
