//! The files of the repository, and what a check says about one.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// From the root of the repository, with `/` on every platform.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The text files of the repository.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<TextFile>,
}

/// Directories that hold no source: what was built, and the history.
const NOT_SOURCE: [&str; 2] = ["target", ".git"];

/// Written by cargo, not by us.
const GENERATED: [&str; 1] = ["Cargo.lock"];

impl Tree {
    /// Reads the repository in which this test was compiled.
    pub(crate) fn read() -> Self {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/shopfloor is two deep");
        let mut tree = Self { root: root.to_owned(), files: Vec::new() };
        tree.read_directory(root, "");
        tree.files.sort_by(|left, right| left.path.cmp(&right.path));
        tree
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) {
        for entry in fs::read_dir(directory).expect("the directory was just listed") {
            let entry = entry.expect("the directory is read to its end");
            let name = entry.file_name().into_string().expect("names are UTF-8");
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_dir() && !NOT_SOURCE.contains(&name.as_str()) {
                self.read_directory(&entry.path(), &format!("{path}/"));
            }
            if kind.is_file() && !GENERATED.contains(&name.as_str()) {
                // What is not UTF-8 is no text; images and the `.git` file of a worktree need no check.
                if let Ok(text) = fs::read_to_string(entry.path())
                    && name != ".git"
                {
                    self.files.push(TextFile { path, text });
                }
            }
        }
    }

    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = &TextFile> {
        self.files
            .iter()
            .filter(move |file| file.path.rsplit_once('.').is_some_and(|(_, found)| found == extension))
    }

    /// The manifests of the workspace's packages.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
    }

    /// A file that has to be there.
    pub(crate) fn file(&self, path: &str) -> &TextFile {
        match self.files.iter().find(|file| file.path == path) {
            Some(file) => file,
            None => panic!("{path} is not in the repository"),
        }
    }
}
