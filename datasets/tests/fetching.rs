//! Lookup and downloads, against a server in this process.

use datasets::{Address, Entry, Format, Packing, Places, Separator, Source, SourceFile, Split};
use flate2::{Compression, write::GzEncoder};
use meg_core::{Control, Error, Event, Observer, Phase, Seed, Silent};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{Cursor, Read, Write},
    net::TcpListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tempfile::TempDir;

const CSV: &str = "x,class\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n7,a\n8,b\n9,a\n10,b\n";
const SCHEMA: &str = "[[columns]]\nname = \"x\"\nkind = \"number\"\ndecimals = 0\n\n[[columns]]\nname = \"class\"\nkind = \"category\"\nlevels = [\"a\", \"b\"]\nrole = \"target\"\n";

/// Serves the same body for every path that does not end with `missing`; counts the requests.
fn serve(body: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            counter.fetch_add(1, Ordering::SeqCst);
            let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap().to_owned();
            let (status, body) = if path.ends_with("missing") {
                ("404 Not Found", &[][..])
            } else {
                ("200 OK", &body[..])
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // The client may hang up before the end.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    (address, requests)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// An entry of one file with the content [`CSV`], at these addresses.
fn entry(addresses: &[(String, Packing)]) -> Entry {
    let addresses: Vec<Address> = addresses
        .iter()
        .map(|(url, packing)| Address { url: leak(url.clone()), packing: *packing })
        .collect();
    let digest = Sha256::digest(CSV);
    let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let file = SourceFile {
        name: "small.csv",
        folder: "small",
        bytes: CSV.len() as u64,
        sha256: leak(sha256),
        skip_lines: 0,
        addresses: Box::leak(addresses.into_boxed_slice()),
    };
    let format = Format {
        separator: Separator::Comma,
        columns: &[],
        missing: &[],
        drop: &[],
        label: None,
        gzip: false,
    };
    Entry {
        name: "small",
        about: "a test",
        licence: "none",
        citation: "none",
        group: None,
        files: Box::leak(vec![file].into_boxed_slice()),
        source: Source::Table { format, schema: SCHEMA },
        target: Some("class"),
        split: Split::Stratified { holdout: 0.2 },
    }
}

fn places(cache: &TempDir) -> Places {
    Places { folders: Vec::new(), cache: cache.path().to_owned(), download: true }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in [("csv/other.csv", &b"no"[..]), ("csv/small.csv", bytes)] {
        archive.start_file(name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// What is in a folder and the folders in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

#[derive(Default)]
struct Log {
    total: Option<u64>,
    done: u64,
    ended: bool,
    stop: bool,
}

impl Observer for Log {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { phase: Phase::Load, total } => self.total = *total,
            Event::Step { phase: Phase::Load, done, .. } => self.done = *done,
            Event::End { phase: Phase::Load } => self.ended = true,
            _ => {}
        }
    }

    fn control(&mut self) -> Control {
        if self.stop { Control::Abort } else { Control::Continue }
    }
}

#[test]
fn every_packing_is_fetched_once_and_then_found_in_the_cache() {
    for (packing, body) in [
        (Packing::Plain, CSV.as_bytes().to_vec()),
        (Packing::Gzip, gzip(CSV.as_bytes())),
        (Packing::Zip, archive(CSV.as_bytes())),
    ] {
        let size = body.len() as u64;
        let (address, requests) = serve(body);
        let cache = tempfile::tempdir().unwrap();
        let entry = entry(&[(format!("{address}/small"), packing)]);
        assert_eq!(entry.missing(&places(&cache)).len(), 1);
        let mut log = Log::default();
        let dataset = entry.load(&places(&cache), Seed(1), &mut log).unwrap();
        assert_eq!((dataset.train.rows(), dataset.holdout.rows()), (8, 2));
        assert_eq!((log.total, log.done, log.ended), (Some(size), size, true));
        entry.load(&places(&cache), Seed(1), &mut Silent).unwrap();
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        assert!(entry.missing(&places(&cache)).is_empty());
        assert_eq!(files(cache.path()), ["small.csv"]);
    }
}

#[test]
fn a_wrong_file_does_not_reach_the_cache_and_the_next_address_is_tried() {
    let (wrong, _) = serve(b"x,class\n1,a\n".to_vec());
    let (right, _) = serve(CSV.into());
    let plain = |url: String| (url, Packing::Plain);
    let cache = tempfile::tempdir().unwrap();
    let urls = [plain(format!("{wrong}/a")), plain(format!("{wrong}/missing"))];
    let message = entry(&urls).fetch(&places(&cache), &mut Silent).unwrap_err().to_string();
    for part in ["small.csv", "another file", "404", &wrong, "SHA-256", "put it into"] {
        assert!(message.contains(part), "{message} should contain {part}");
    }
    assert!(files(cache.path()).is_empty());
    let urls = [plain(format!("{wrong}/a")), plain(format!("{right}/a"))];
    let paths = entry(&urls).fetch(&places(&cache), &mut Silent).unwrap();
    assert_eq!(fs::read_to_string(&paths[0]).unwrap(), CSV);
}

#[test]
fn a_broken_archive_and_one_without_the_file_are_told() {
    for (packing, part) in [(Packing::Zip, "archive"), (Packing::Gzip, "gzip")] {
        let (address, _) = serve(b"PK neither the one nor the other".to_vec());
        let cache = tempfile::tempdir().unwrap();
        let entry = entry(&[(address, packing)]);
        let message = entry.fetch(&places(&cache), &mut Silent).unwrap_err().to_string();
        assert!(message.to_lowercase().contains(part), "{message}");
    }
}

#[test]
fn an_abort_leaves_nothing() {
    let (address, _) = serve(CSV.into());
    let cache = tempfile::tempdir().unwrap();
    let entry = entry(&[(address, Packing::Plain)]);
    let mut log = Log { stop: true, ..Log::default() };
    let error = entry.fetch(&places(&cache), &mut log).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    assert!(files(cache.path()).is_empty());
}

#[test]
fn offline_the_way_to_get_the_file_is_told() {
    let cache = tempfile::tempdir().unwrap();
    let entry = entry(&[("http://127.0.0.1:1/small.csv".into(), Packing::Plain)]);
    let offline = Places { download: false, ..places(&cache) };
    for places in [offline, places(&cache)] {
        let message = entry.load(&places, Seed(1), &mut Silent).unwrap_err().to_string();
        let folder = cache.path().join("small").display().to_string();
        for part in [
            "small.csv",
            "http://127.0.0.1:1/small.csv",
            entry.files[0].sha256,
            &folder,
            "MEG_DATA",
        ] {
            assert!(message.contains(part), "{message} should contain {part}");
        }
    }
}

#[test]
fn a_file_without_an_address_is_told_without_empty_parts() {
    let cache = tempfile::tempdir().unwrap();
    let offline = Places { download: false, ..places(&cache) };
    for places in [offline, places(&cache)] {
        let message = entry(&[]).load(&places, Seed(1), &mut Silent).unwrap_err().to_string();
        for part in ["find small.csv (", ") and put it into", "MEG_DATA"] {
            assert!(message.contains(part), "{message} should contain {part}");
        }
        for part in ["()", "from  and"] {
            assert!(!message.contains(part), "{message} should not contain {part}");
        }
    }
}

#[test]
fn a_folder_comes_before_the_cache_and_a_wrong_file_in_it_is_an_error() {
    let (cache, first, second) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let entry = entry(&[]);
    let places = Places {
        folders: vec![first.path().to_owned(), second.path().to_owned()],
        cache: cache.path().to_owned(),
        download: false,
    };
    // Both layouts serve: with the folder of the catalogue, and without.
    fs::write(second.path().join("small.csv"), CSV).unwrap();
    assert_eq!(entry.fetch(&places, &mut Silent).unwrap(), [second.path().join("small.csv")]);
    let nested = first.path().join("small");
    fs::create_dir(&nested).unwrap();
    fs::write(nested.join("small.csv"), CSV).unwrap();
    assert_eq!(entry.fetch(&places, &mut Silent).unwrap(), [nested.join("small.csv")]);
    fs::write(nested.join("small.csv"), "x,class\n1,a\n").unwrap();
    let message = entry.load(&places, Seed(1), &mut Silent).unwrap_err().to_string();
    for part in ["small.csv", "not the one of the catalogue", entry.files[0].sha256] {
        assert!(message.contains(part), "{message} should contain {part}");
    }
    // It can be had, it is only wrong.
    assert!(entry.provide(&places, &mut Silent).is_ok());
}

#[test]
fn an_entry_that_is_split_by_its_files_needs_two() {
    let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let entry = Entry { split: Split::Published, ..entry(&[]) };
    fs::write(folder.path().join("small.csv"), CSV).unwrap();
    let places = Places { folders: vec![folder.path().to_owned()], ..places(&cache) };
    let message = entry.load(&places, Seed(1), &mut Silent).unwrap_err().to_string();
    assert!(message.contains("one file only"), "{message}");
}
