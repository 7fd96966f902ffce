//! What documents say is tested, against the tests there are.
//!
//! A document names a test in backticks in one of three places: a table column headed `test`, `tests`,
//! `model`, `models`, `checked by` or `held by`; a section headed `Checked by`; or behind the words "held by"
//! or "checked by" in running text. A name is a test function or a model, with or without the modules in front
//! of it; `module::*` means all models of a module, and that there are some; a path means the tests of that file.

use crate::documents::prose;
use crate::names;
use crate::source::Source;
use crate::tree::{Finding, Tree};

const COLUMNS: [&str; 6] = ["test", "tests", "model", "models", "checked by", "held by"];

/// Every test function and every model of the repository.
#[derive(Debug, Default)]
pub(crate) struct KnownTests {
    functions: Vec<KnownTest>,
    models: Vec<String>,
    /// Files that hold tests.
    files: Vec<String>,
}

#[derive(Debug)]
struct KnownTest {
    path: String,
    name: String,
}

impl KnownTests {
    pub(crate) fn of(tree: &Tree) -> Self {
        let mut known = Self::default();
        for file in tree.with_extension("rs") {
            known.add(&file.path, &file.text);
        }
        known.files.dedup();
        known
    }

    fn add(&mut self, path: &str, text: &str) {
        for (name, _) in names::tests(&Source::new(path, text)) {
            self.functions.push(KnownTest { path: path.to_owned(), name: name.to_owned() });
            self.files.push(path.to_owned());
        }
        if path.starts_with("loom-tests/tests/") {
            let names = text.split("name: \"").skip(1).filter_map(|rest| rest.split('"').next());
            self.models.extend(names.map(str::to_owned));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.functions.len() + self.models.len()
    }

    fn has(&self, claim: &str) -> bool {
        if let Some(module) = claim.strip_suffix("*") {
            return self.models.iter().any(|model| model.starts_with(module));
        }
        if claim.ends_with(".rs") {
            return self.files.iter().any(|file| file == claim);
        }
        let (modules, name) = claim.rsplit_once("::").unwrap_or(("", claim));
        self.models.iter().any(|model| model == claim || model.ends_with(&format!("::{claim}")))
            || self.functions.iter().any(|test| test.name == name && is_in(&test.path, modules))
    }
}

/// Whether every module of `modules` is a directory, a file or a `mod tests` of `path`.
fn is_in(path: &str, modules: &str) -> bool {
    let path = path.trim_end_matches(".rs");
    modules.split("::").filter(|module| !module.is_empty() && *module != "tests").all(|module| {
        path.split('/').any(|part| part == module || part.strip_prefix("shopfloor-") == Some(module))
    })
}

/// Names of tests in `text` that no test has.
pub(crate) fn unknown(known: &KnownTests, path: &str, text: &str) -> Vec<Finding> {
    claims(text)
        .into_iter()
        .filter(|(_, claim)| !known.has(claim))
        .map(|(line, claim)| Finding::new(path, line, format!("there is no test `{claim}`")))
        .collect()
}

/// The text of `//!` and `///` comments, with other lines empty, so that line numbers hold.
pub(crate) fn doc_comments(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        let comment = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"));
        comment.map_or("", |comment| comment.strip_prefix(' ').unwrap_or(comment))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn claims(text: &str) -> Vec<(usize, &str)> {
    let mut claims = Vec::new();
    let mut columns: Vec<usize> = Vec::new();
    let mut in_section = false;
    let mut previous: Option<&str> = None;
    for (number, line) in prose(text) {
        if line.starts_with('#') {
            in_section = line.trim_start_matches('#').trim() == "Checked by";
        } else if line.is_empty() {
            columns.clear();
            in_section &= previous.is_some_and(|line| line.starts_with('#'));
        } else if line.starts_with("|---") || line.starts_with("| ---") {
            columns = test_columns(previous.unwrap_or_default());
        } else if line.starts_with('|') {
            let cells: Vec<&str> = line.split('|').skip(1).collect();
            for cell in columns.iter().filter_map(|column| cells.get(*column)) {
                claims.extend(quoted(cell).map(|name| (number, name)));
            }
        } else if in_section {
            claims.extend(quoted(line).filter(|name| is_name(name)).map(|name| (number, name)));
        } else {
            for words in ["held by ", "checked by "] {
                for (start, _) in line.to_ascii_lowercase().match_indices(words) {
                    claims.extend(quoted_list(&line[start + words.len()..]).map(|name| (number, name)));
                }
            }
        }
        previous = Some(line);
    }
    claims
}

/// Which columns of a table name tests, by its header.
fn test_columns(header: &str) -> Vec<usize> {
    let titles = header.split('|').skip(1).map(|title| title.trim().to_lowercase());
    titles
        .enumerate()
        .filter(|(_, title)| COLUMNS.contains(&title.as_str()))
        .map(|(column, _)| column)
        .collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The backticked names at the start of `text`, separated by commas and "and".
fn quoted_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start =
            rest.trim_start_matches([' ', ',']).trim_start_matches("and ").trim_start_matches("the models ");
        let (name, tail) = start.strip_prefix('`')?.split_once('`')?;
        rest = tail;
        Some(name)
    })
}

/// Whether it could be the name of a test: sections also quote code.
fn is_name(text: &str) -> bool {
    text.contains(['_', ':'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:*".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownTests {
        let mut known = KnownTests::default();
        known.add(
            "crates/protocol/src/parker.rs",
            "#[cfg(test)] mod tests { #[test] fn a_token_is_kept() {} }",
        );
        known.add("loom-tests/tests/models/idle.rs", "Model { name: \"idle::no_wake_is_lost\", x }");
        known
    }

    fn lines(text: &str) -> Vec<usize> {
        unknown(&known(), "a.md", text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn tests_that_exist_are_found_under_every_spelling() {
        let text = "| rule | test |\n|---|---|\n| a | `a_token_is_kept`, `parker::a_token_is_kept` |\n\
            | b | `idle::no_wake_is_lost` `no_wake_is_lost` `idle::*` `protocol::parker::tests::a_token_is_kept` |\n\
            | c | `crates/protocol/src/parker.rs` |";
        assert_eq!(lines(text), [0_usize; 0]);
    }

    #[test]
    fn a_table_that_names_no_test_is_found() {
        let text = "| Rule | Checked by | note |\n|---|---|---|\n| a | `none_of_them` | `code` |\n| b | `idle::a_token_is_kept` | |\n\
            | c | `parker::*` `crates/none.rs` | |\n\n| x | y |\n|---|---|\n| `none` | `none` |";
        assert_eq!(lines(text), [3, 4, 5, 5]);
    }

    #[test]
    fn a_section_or_a_sentence_that_names_no_test_is_found() {
        let text = "## Checked by\nThe models `parker::*`; `Parker` and `fn(x)`.\n\n# Other\n`not_a_claim`\n\
            Held by `a_token_is_kept`, `no_such_test` and `no_other_test`, as `code_says`.";
        assert_eq!(lines(text), [2, 6, 6]);
    }

    #[test]
    fn doc_comments_keep_their_line_numbers() {
        let text = "fn a() {}\n//! # Checked by\n//! `no_such_test`\n/// b\n// c";
        assert_eq!(doc_comments(text), "\n# Checked by\n`no_such_test`\nb\n");
        assert_eq!(lines(&doc_comments(text)), [3]);
    }
}
