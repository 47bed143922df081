//! A folder of its own, and the program in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

pub(crate) struct Place(TempDir);

impl Place {
    /// A folder that holds these files: name and text.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, text)| place.file(name, text));
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meg"));
        command.current_dir(self.0.path()).args(line.split_whitespace()).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "meg {line}\n{message}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn refuses(&self, line: &str, code: i32, parts: &[&str]) {
        let before = fs::read_dir(self.0.path()).unwrap().count();
        let output = self.run(line);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "meg {line}\n{message}");
        for part in parts {
            assert!(message.contains(part), "{message}\nshould contain {part:?}");
        }
        assert_eq!(fs::read_dir(self.0.path()).unwrap().count(), before, "something was written");
    }
}
