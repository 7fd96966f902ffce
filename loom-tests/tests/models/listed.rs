//! The list of orderings whose weakening no model can show, and of those that no model reaches.
//!
//! ```toml
//! [[equivalent]]
//! at = "crates/protocol/src/shutdown.rs:81"
//! text = "self.phase.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).is_ok()"
//! change = "compare_exchange AcqRel -> Acquire"
//! reason = """
//! Why the program is the same with the weaker one, and why the stronger one stays.
//! """
//! ```
//! `[[unreached]]` has no `change`. An entry whose text does not stand at its line is an error: who changes the
//! code near it looks at the argument again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::alteration::Mutant;
use super::places::Place;

/// The entries of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub equivalent: Vec<Entry>,
    pub unreached: Vec<Entry>,
}

/// One line of source, and what is said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub file: String,
    pub line: usize,
    pub text: String,
    /// Of an equivalent: as [`Mutant::change`] writes it.
    pub change: String,
    pub reason: String,
}

impl Entry {
    /// Whether this mutant is meant.
    pub fn is(&self, mutant: &Mutant) -> bool {
        self.file == mutant.site.file && self.line == mutant.site.line && self.change == mutant.change()
    }

    /// Whether this place is meant.
    pub fn is_at(&self, place: &Place) -> bool {
        self.file == place.file && self.line == place.line
    }

    /// What is wrong with it, given the source that it names.
    pub fn fault(&self, source: &str) -> Option<String> {
        let stands = |line: &str| line.trim() == self.text;
        let place = format!("{}:{}", self.file, self.line);
        if self.reason.trim().len() < 80 {
            return Some(format!("{place}: the reason is no argument: {:?}", self.reason.trim()));
        }
        if source.lines().nth(self.line.wrapping_sub(1)).is_some_and(stands) {
            return None;
        }
        let now = match source.lines().position(stands) {
            Some(index) => format!("it stands at line {} now", index + 1),
            None => "it stands nowhere in the file".to_owned(),
        };
        Some(format!("{place} does not read `{}`: {now}; look at the argument again", self.text))
    }
}

impl Listed {
    /// Reads the file; an absent one lists nothing.
    ///
    /// # Errors
    /// If it cannot be read or has another form.
    pub fn read(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => {
                Self::parse(&text).map_err(|fault| io::Error::other(format!("{}: {fault}", path.display())))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Reads the entries.
    ///
    /// # Errors
    /// The line that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut listed = Self::default();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).peekable();
        while let Some(header) = lines.next() {
            let (entries, keys): (_, &[&str]) = match header {
                "" => continue,
                "[[equivalent]]" => (&mut listed.equivalent, &["at", "change", "reason", "text"]),
                "[[unreached]]" => (&mut listed.unreached, &["at", "reason", "text"]),
                _ => return Err(format!("not the start of an entry: {header:?}")),
            };
            let mut values = BTreeMap::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("[[")) {
                if line.is_empty() {
                    continue;
                }
                let not_a_value = || format!("not `key = \"value\"`: {line:?}");
                let (key, value) = line.split_once(" = ").ok_or_else(not_a_value)?;
                let value = if value == "\"\"\"" {
                    let paragraph: Vec<&str> = lines.by_ref().take_while(|line| *line != "\"\"\"").collect();
                    paragraph.join(" ")
                } else {
                    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                    quoted.ok_or_else(not_a_value)?.replace("\\\"", "\"").replace("\\\\", "\\")
                };
                values.insert(key, value);
            }
            if !values.keys().eq(keys) {
                return Err(format!("an entry has {:?}, not {keys:?}", values.keys()));
            }
            let mut take = |key| values.remove(key).unwrap_or_default();
            let at = take("at");
            let place = at.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
            let (file, line) = place.ok_or_else(|| format!("not `file:line`: {at:?}"))?;
            entries.push(Entry {
                file: file.to_owned(),
                line,
                text: take("text"),
                change: take("change"),
                reason: take("reason"),
            });
        }
        Ok(listed)
    }

    /// What is wrong with the entries, given the sources below `root`.
    ///
    /// # Errors
    /// If a source cannot be read.
    pub fn faults(&self, root: &Path) -> io::Result<Vec<String>> {
        let mut faults = Vec::new();
        for entry in self.equivalent.iter().chain(&self.unreached) {
            match fs::read_to_string(root.join(&entry.file)) {
                Ok(source) => faults.extend(entry.fault(&source)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    faults.push(format!("{}: there is no such file", entry.file));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(faults)
    }
}
