//! The table of figures in the documents: rows of figure, value and command between two marks.

use std::path::Path;
use std::{fs, io};

const START: &str = "<!-- figures -->";
const END: &str = "<!-- end of figures -->";

/// A document with such a table.
#[derive(Debug)]
pub struct Figures(String);

impl Figures {
    /// Reads the document.
    ///
    /// # Errors
    /// If it cannot be read or has no table.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        Self::parse(text).ok_or_else(|| io::Error::other(format!("{}: no table of figures", path.display())))
    }

    /// The document with this text; `None` if it lacks a mark.
    pub fn parse(text: String) -> Option<Self> {
        let start = text.find(START)?;
        text[start..].contains(END).then_some(Self(text))
    }

    /// The document.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value that stands in the row of `figure`.
    pub fn value(&self, figure: &str) -> Option<&str> {
        let (at, length) = self.place(figure)?;
        Some(&self.0[at..at + length])
    }

    /// Writes `value` into the row of `figure`; false if there is no such row.
    #[must_use]
    pub fn set(&mut self, figure: &str, value: &str) -> bool {
        let Some((at, length)) = self.place(figure) else { return false };
        self.0.replace_range(at..at + length, value);
        true
    }

    /// Those of `figures` of which the document says something else.
    pub fn faults(&self, figures: &[(&str, String)]) -> Vec<String> {
        let differs = |(figure, value): &&(&str, String)| self.value(figure) != Some(value);
        let say = |(figure, value): &(&str, String)| match self.value(figure) {
            Some(other) => format!("{figure}: {value}, and the table of figures says {other}"),
            None => format!("{figure}: {value}, and the table of figures has no such row"),
        };
        figures.iter().filter(differs).map(say).collect()
    }

    /// Where the value of `figure` stands, and how long it is.
    fn place(&self, figure: &str) -> Option<(usize, usize)> {
        let start = self.0.find(START)?;
        let end = start + self.0[start..].find(END)?;
        let row = format!("\n| {figure} | ");
        let at = start + self.0[start..end].find(&row)? + row.len();
        Some((at, self.0[at..end].find(" |")?))
    }
}
