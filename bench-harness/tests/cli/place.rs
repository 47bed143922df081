//! A folder of its own, and the program in it, watched closely.

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder of its own, and the program in it without the user's tables and without the network.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        name.to_owned()
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meg"));
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command.env_remove("MEG_DATA").env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Runs a line; words are separated by blanks.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a line in a shell that has set limits first.
    #[cfg(unix)]
    pub(crate) fn limited(&self, limits: &str, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limits}; exec {} {line}", env!("CARGO_BIN_EXE_meg")));
        command.current_dir(self.folder.path()).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        self.ends(line, 0).0
    }

    /// Runs a line that ends with this exit code; returns stdout and stderr.
    #[track_caller]
    pub(crate) fn ends(&self, line: &str, code: i32) -> (String, String) {
        let output = self.run(line);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "meg {line}\n{out}\n{err}");
        (out, err)
    }

    /// Runs a line that is refused with this exit code and these parts of a message, and that
    /// leaves the folder as it was.
    #[track_caller]
    pub(crate) fn refuses(&self, line: &str, code: i32, parts: &[&str]) {
        let before = self.names();
        let (_, message) = self.ends(line, code);
        for part in parts {
            assert!(message.contains(part), "meg {line}\n{message}\nshould contain {part:?}");
        }
        assert!(!message.contains("panicked"), "{message}");
        assert_eq!(self.names(), before, "meg {line}: something was left behind");
    }

    /// Starts a line that would go on for hours, interrupts it after a while and returns its
    /// remarks.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn interrupts(&self, line: &str, ready: impl Fn() -> bool) -> String {
        let child = self.command(line).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while !ready() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(signal.success());
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(6), "meg {line}\n{words}");
        words
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The cells of a run, without times and memory.
    pub(crate) fn cells(&self, folder: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(folder).join("cells.jsonl")).unwrap();
        text.lines().map(|line| without_measurements(serde_json::from_str(line).unwrap())).collect()
    }
}

fn without_measurements(mut cell: Value) -> Value {
    let fields = cell.as_object_mut().unwrap();
    for field in ["seconds", "peak_memory_bytes", "peak_memory"] {
        assert!(fields.remove(field).is_some(), "{field} is missing");
    }
    cell
}
