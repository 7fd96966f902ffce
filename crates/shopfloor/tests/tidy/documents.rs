//! The shape of Markdown documents and where their links lead.

use crate::tree::{Finding, Tree};

/// A document has one title, in its first line.
pub(crate) fn titles(path: &str, text: &str) -> Vec<Finding> {
    let titles: Vec<_> = prose(text).into_iter().filter(|(_, line)| line.starts_with("# ")).collect();
    let starts_with_title = text.starts_with("# ");
    match titles[..] {
        [_] if starts_with_title => Vec::new(),
        [_] => vec![Finding::new(path, 1, "the title is not in the first line")],
        [] => vec![Finding::new(path, 1, "the document has no title")],
        [_, ref surplus @ ..] => {
            surplus.iter().map(|(line, _)| Finding::new(path, *line, "a second title")).collect()
        }
    }
}

/// Links within the repository whose file or heading does not exist.
pub(crate) fn links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in prose(text) {
        for target in targets(&without_code(line)) {
            if let Some(what) = broken(tree, path, text, target) {
                findings.push(Finding::new(path, number, what));
            }
        }
    }
    findings
}

/// The lines outside code fences, counted from 1.
pub(crate) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The line with what stands in backticks blanked, except in the text of a link.
fn without_code(line: &str) -> String {
    line.split('`').enumerate().map(|(index, part)| if index % 2 == 0 { part } else { "" }).collect()
}

/// The targets of `[text](target)`.
fn targets(line: &str) -> Vec<&str> {
    line.match_indices("](")
        .filter_map(|(start, _)| {
            let rest = &line[start + 2..];
            rest.find(')').map(|end| &rest[..end])
        })
        .collect()
}

fn broken(tree: &Tree, path: &str, text: &str, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (target, None),
    };
    let resolved = resolve(path, file);
    let target_text = match &resolved {
        _ if file.is_empty() => Some(text),
        Some(resolved) => {
            let found = tree.files.iter().find(|it| it.path == *resolved);
            if found.is_none() && !tree.root.join(resolved).exists() {
                return Some(format!("`{file}` does not exist"));
            }
            found.map(|it| it.text.as_str())
        }
        None => return Some(format!("`{file}` is outside the repository")),
    };
    match (heading, target_text) {
        (Some(heading), Some(text)) if !slugs(text).contains(&heading.to_owned()) => {
            Some(format!("`{target}` names no heading"))
        }
        _ => None,
    }
}

/// `target` as seen from the document `path`, from the root of the repository; `None` above the root.
fn resolve(path: &str, target: &str) -> Option<String> {
    let mut segments: Vec<&str> = path.split('/').collect();
    segments.pop();
    for segment in target.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
        if segment == ".." {
            segments.pop()?;
        } else {
            segments.push(segment);
        }
    }
    Some(segments.join("/"))
}

/// The anchors that hosts of Markdown make of the headings.
fn slugs(text: &str) -> Vec<String> {
    prose(text)
        .into_iter()
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
                .map(|letter| if letter == ' ' { '-' } else { letter })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::tree::TextFile;

    #[test]
    fn a_document_without_its_one_title_is_found() {
        assert_eq!(titles("a.md", "# One\n\n## Two\n```\n# comment\n```\n"), []);
        assert_eq!(titles("a.md", "## Two\n").len(), 1);
        assert_eq!(titles("a.md", "text\n# One\n").len(), 1);
        assert_eq!(titles("a.md", "# One\n\n# Two\n")[0].line, 3);
    }

    #[test]
    fn links_to_nowhere_are_found() {
        let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
        let files =
            vec![file("docs/A.md", "# A\n\n## The `hard` race, twice\n"), file("crates/a/lib.rs", "")];
        let tree = Tree { root: PathBuf::from("nowhere"), files };
        let lines = |text: &str| links(&tree, "docs/B.md", text).iter().map(|it| it.line).collect::<Vec<_>>();
        let good = "# B\n[a](A.md) [b](A.md#the-hard-race-twice) [`c`](../crates/a/lib.rs)\n\
            [d](https://example.org) [e](#b) `[f](none.md)`\n```\n[g](none.md)\n```\n";
        assert_eq!(lines(good), [0_usize; 0]);
        let bad = "# B\n[a](C.md)\n[b](A.md#none)\n[c](#none)\n[d](../../x)\n[`e`](crates/a/lib.rs)";
        assert_eq!(lines(bad), [2, 3, 4, 5, 6]);
    }
}
