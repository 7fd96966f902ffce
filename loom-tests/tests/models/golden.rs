//! The recorded number of executions of each model and way.
//!
//! loom is deterministic, so a count changes only when the protocol, the model or loom changes. A count
//! that drops unasked means that an interleaving is no longer explored.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Counts by model and way.
#[derive(Debug, Default)]
pub struct Golden(BTreeMap<(String, String), u64>);

impl Golden {
    /// Reads the file; an absent one is empty.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is not `model way executions` or contradicts another.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut golden = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut fields = line.split_whitespace();
            let entry = (|| Some((fields.next()?, fields.next()?, fields.next()?.parse().ok()?)))();
            let Some((model, way, executions)) = entry.filter(|_| fields.next().is_none()) else {
                return Err(io::Error::other(format!("{}: not a count: {line:?}", path.display())));
            };
            if golden.set(model, way, executions).is_some_and(|other| other != executions) {
                return Err(io::Error::other(format!("{}: two counts for {model} {way}", path.display())));
            }
        }
        Ok(golden)
    }

    /// Writes the file, one sorted line per entry.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = String::from(
            "# model, way of exploring it, executions. Regenerate with\n\
             # LOOM_TESTS_BLESS=1 cargo test -p loom-tests --test models\n",
        );
        for ((model, way), executions) in &self.0 {
            writeln!(text, "{model} {way} {executions}").expect("a String takes everything");
        }
        fs::write(path, text)
    }

    /// The recorded count.
    pub fn get(&self, model: &str, way: &str) -> Option<u64> {
        self.0.get(&(model.to_owned(), way.to_owned())).copied()
    }

    /// All executions.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Records a count and returns the one it replaces.
    pub fn set(&mut self, model: &str, way: &str, executions: u64) -> Option<u64> {
        self.0.insert((model.to_owned(), way.to_owned()), executions)
    }

    /// Removes the entries of models that are not among `names`, and returns these models.
    pub fn retain(&mut self, names: &[&str]) -> Vec<String> {
        let mut gone: Vec<String> = Vec::new();
        self.0.retain(|(model, _), _| {
            let keep = names.contains(&model.as_str());
            if !keep && gone.last() != Some(model) {
                gone.push(model.clone());
            }
            keep
        });
        gone
    }
}
