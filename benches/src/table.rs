//! One table, rendered for a terminal and for Markdown.

/// A titled table of text cells. The first column is left-aligned, the others to the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Printed above the table.
    pub title: String,
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Cells(Vec<String>),
    /// A row that failed: its name and one sentence across the other columns.
    Sentence(String, String),
}

impl Table {
    /// An empty table with these column heads.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If the row does not have one cell per column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "one cell per column");
        self.rows.push(Row::Cells(cells));
    }

    /// Adds a row that has a sentence instead of figures.
    pub fn sentence(&mut self, name: impl Into<String>, sentence: impl Into<String>) {
        self.rows.push(Row::Sentence(name.into(), sentence.into()));
    }

    /// The table in fixed-width text, title first.
    pub fn text(&self) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| width(column)).collect();
        for row in &self.rows {
            match row {
                Row::Cells(cells) => {
                    for (widest, cell) in widths.iter_mut().zip(cells) {
                        *widest = (*widest).max(width(cell));
                    }
                }
                Row::Sentence(name, _) => widths[0] = widths[0].max(width(name)),
            }
        }
        let rule: usize = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
        let mut text = format!("{}\n{}\n{}\n", self.title, line(&self.columns, &widths), "─".repeat(rule));
        for row in &self.rows {
            match row {
                Row::Cells(cells) => text.push_str(&line(cells, &widths)),
                Row::Sentence(name, sentence) => {
                    text.push_str(&format!("{}  {sentence}", pad(name, widths[0], true)))
                }
            }
            text.push('\n');
        }
        text
    }

    /// The table in GitHub's Markdown, title as a heading.
    pub fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n| {} |\n|", self.title, self.columns.join(" | "));
        for index in 0..self.columns.len() {
            text.push_str(if index == 0 { " --- |" } else { " ---: |" });
        }
        text.push('\n');
        for row in &self.rows {
            let mut cells = match row {
                Row::Cells(cells) => cells.clone(),
                Row::Sentence(name, sentence) => vec![name.clone(), sentence.clone()],
            };
            cells.resize(self.columns.len(), String::new());
            // A bar or a line break inside a cell would end it.
            let cells: Vec<String> =
                cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }
}

/// Columns on screen: every character used here is one column wide.
fn width(text: &str) -> usize {
    text.chars().count()
}

fn pad(text: &str, to: usize, left: bool) -> String {
    let space = " ".repeat(to.saturating_sub(width(text)));
    if left { format!("{text}{space}") } else { format!("{space}{text}") }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(index, (cell, &to))| pad(cell, to, index == 0));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::Table;

    fn example() -> Table {
        let mut table = Table::new("64 connections", &["contestant", "µs"]);
        table.row(vec!["threads".into(), "12.0 (11.0–13.0)".into()]);
        table.row(vec!["tokio".into(), "7.30".into()]);
        table.sentence("smol", "failed: killed | by\nsignal 9");
        table
    }

    #[test]
    fn text_aligns_columns_by_characters_not_bytes() {
        let text = example().text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "64 connections");
        assert_eq!(lines[1], "contestant                µs");
        assert_eq!(lines[2].chars().count(), "contestant                µs".chars().count());
        assert_eq!(lines[3], "threads     12.0 (11.0–13.0)");
        assert_eq!(lines[4], "tokio                   7.30");
    }

    #[test]
    fn markdown_has_as_many_cells_in_each_row_as_columns() {
        let markdown = example().markdown();
        let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 5);
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 3, "{row}");
        }
    }

    #[test]
    #[should_panic(expected = "one cell per column")]
    fn row_of_the_wrong_length_is_refused() {
        example().row(vec!["only one".into()]);
    }
}
