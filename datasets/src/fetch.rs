//! Downloads: checked before they get their name, so that the cache holds no wrong file.

use crate::{
    Address, Packing, SourceFile,
    catalogue::gunzip,
    places::{by_hand, sha256},
    store,
};
use meg_core::{Control, DataError, Error, Event, Observer, Phase, Result};
use std::{
    io::{Cursor, Read},
    path::Path,
    time::Duration,
};

/// Longest wait for a connection, and for the first answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes between two reports of progress.
const CHUNK: usize = 1 << 16;

/// Downloads a file to `path`, from the first of its addresses that gives the right one.
///
/// # Errors
/// A data error that says what each address answered and how to get the file by hand.
pub(crate) fn download(file: &SourceFile, path: &Path, observer: &mut dyn Observer) -> Result<()> {
    let mut problems = Vec::new();
    for address in file.addresses {
        match attempt(file, address, path, observer) {
            Ok(()) => return Ok(()),
            Err(Failure::Stop(error)) => return Err(error),
            Err(Failure::Next(problem)) => problems.push(format!("{}: {problem}", address.url)),
        }
    }
    let why = match problems.is_empty() {
        true => "has no address to be fetched from".to_owned(),
        false => format!("cannot be fetched ({})", problems.join("; ")),
    };
    let folder = path.parent().unwrap_or(path);
    Err(DataError::new(format!("the file is not in any data folder and {why}"))
        .file(file.name)
        .advice(by_hand(file, folder))
        .into())
}

/// Why an attempt failed: whether another address may help.
enum Failure {
    Next(String),
    Stop(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Stop(error)
    }
}

fn attempt(
    file: &SourceFile,
    address: &Address,
    path: &Path,
    observer: &mut dyn Observer,
) -> std::result::Result<(), Failure> {
    let packed = get(address.url, observer)?;
    let bytes = unpack(file, address.packing, packed).map_err(Failure::Next)?;
    let found = sha256(&bytes);
    if found != file.sha256 {
        return Err(Failure::Next(format!(
            "it gives another file ({} bytes with SHA-256 {found})",
            bytes.len()
        )));
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| store::unwritable(path, &error))?;
    store::write_file(path, &bytes)?;
    Ok(())
}

/// The body at an address, with progress in bytes.
fn get(url: &str, observer: &mut dyn Observer) -> std::result::Result<Vec<u8>, Failure> {
    let next = |problem: &dyn std::fmt::Display| Failure::Next(problem.to_string());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .build()
        .into();
    observer.note(&format!("fetching {url}"));
    let mut response = agent.get(url).call().map_err(|error| next(&error))?;
    let total = response.body().content_length();
    observer.event(&Event::Start { phase: Phase::Load, total });
    let mut reader = response.body_mut().as_reader();
    let mut bytes = Vec::new();
    loop {
        let read = reader
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| next(&error))?;
        let done = bytes.len() as u64;
        observer.event(&Event::Step { phase: Phase::Load, done, values: &[] });
        if observer.control() == Control::Abort {
            return Err(Failure::Stop(Error::Interrupted));
        }
        if read == 0 {
            break;
        }
    }
    observer.event(&Event::End { phase: Phase::Load });
    Ok(bytes)
}

fn unpack(
    file: &SourceFile,
    packing: Packing,
    bytes: Vec<u8>,
) -> std::result::Result<Vec<u8>, String> {
    match packing {
        Packing::Plain => Ok(bytes),
        Packing::Gzip => gunzip(file.name, &bytes).map_err(|error| error.to_string()),
        Packing::Zip => member(file.name, bytes),
    }
}

/// The member of a ZIP archive whose path ends with this name.
fn member(name: &str, bytes: Vec<u8>) -> std::result::Result<Vec<u8>, String> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let is_it = |at: &usize| {
        archive
            .name_for_index(*at)
            .is_some_and(|path| path.is_ok_and(|path| path.rsplit('/').next() == Some(name)))
    };
    let at = (0..archive.len()).find(is_it);
    let at = at.ok_or_else(|| format!("the archive has no file {name}"))?;
    let mut member = archive.by_index(at).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    member.read_to_end(&mut out).map_err(|error| error.to_string())?;
    Ok(out)
}
