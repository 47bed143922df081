//! Files of real tables, for the tests that read them.

/// The text of a file in one of the folders of `MEG_DATA` (a list as in `PATH`); says that the test
/// is skipped where none has it.
pub(crate) fn read(path: &str) -> Option<String> {
    let folders = std::env::var_os("MEG_DATA").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(path));
    let Some(file) = found.into_iter().find(|file| file.is_file()) else {
        eprintln!("skipped: no folder of MEG_DATA has {path}");
        return None;
    };
    Some(std::fs::read_to_string(file).unwrap())
}
