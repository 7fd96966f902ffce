//! Names: of public types, of types and modules in general, of tests.

use std::collections::BTreeMap;

use crate::source::{Source, Word, closing, words};
use crate::tree::Finding;

/// Sources whose public types share one namespace. The alternatives of the sync facade are left out: each
/// build sees one of them.
pub(crate) fn is_library(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/") && !path.starts_with("crates/protocol/src/sync/")
}

/// The names that several public types may share, each with its reason, from lines `Name: reason`.
pub(crate) fn shared_names(list: &str) -> BTreeMap<&str, &str> {
    let entries = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut shared = BTreeMap::new();
    for (name, reason) in entries.map(|line| line.split_once(": ").unwrap_or((line, ""))) {
        assert!(shared.insert(name, reason).is_none(), "shared_names.txt has `{name}` twice");
    }
    shared
}

/// Public types of one name in several places, and entries of the list without use or reason.
pub(crate) fn double_names(sources: &[Source<'_>], shared: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let mut places: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for source in sources {
        let code = source.code_without_tests();
        for (name, position) in public_types(&code) {
            places.entry(name.to_owned()).or_default().push((source.path, source.line(position)));
        }
    }
    places.retain(|_, places| places.len() > 1);
    let mut findings = Vec::new();
    for (name, places) in &places {
        if shared.contains_key(name.as_str()) {
            continue;
        }
        for (path, line) in places {
            findings.push(Finding::new(
                path,
                *line,
                format!("`{name}` is the name of {} public types", places.len()),
            ));
        }
    }
    for (index, (name, reason)) in shared.iter().enumerate() {
        if !places.contains_key(*name) {
            findings.push(Finding::new("shared_names.txt", index + 1, format!("`{name}` is not shared")));
        }
        if reason.is_empty() {
            findings.push(Finding::new("shared_names.txt", index + 1, format!("`{name}` has no reason")));
        }
    }
    findings
}

/// `pub struct Name` and its kin, without `pub(crate)` and narrower.
fn public_types(code: &str) -> Vec<(&str, usize)> {
    let words: Vec<Word<'_>> = words(code).collect();
    let mut types = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if word.text != "pub" || code[word.end()..].trim_start().starts_with('(') {
            continue;
        }
        let mut rest = words[index + 1..].iter().skip_while(|word| matches!(word.text, "unsafe" | "auto"));
        if let (Some(kind), Some(name)) = (rest.next(), rest.next())
            && is_type_keyword(kind.text)
        {
            types.push((name.text, name.start));
        }
    }
    types
}

fn is_type_keyword(word: &str) -> bool {
    matches!(word, "struct" | "enum" | "union" | "trait" | "type")
}

/// Types and modules whose name would fit anything.
pub(crate) fn empty_names(source: &Source<'_>) -> Vec<Finding> {
    let words: Vec<Word<'_>> = words(&source.code).collect();
    words
        .windows(2)
        .filter(|pair| match pair[0].text {
            "struct" | "enum" | "union" | "trait" => {
                matches!(pair[1].text, "Core" | "Data")
                    || pair[1].text.ends_with("Inner")
                    || pair[1].text.ends_with("Manager")
            }
            "mod" => matches!(pair[1].text, "util" | "utils"),
            _ => false,
        })
        .map(|pair| {
            let what = format!("`{}` says nothing: name what it is for", pair[1].text);
            Finding::new(source.path, source.line(pair[1].start), what)
        })
        .collect()
}

/// The functions under `#[test]`, `#[shopfloor::test(..)]` and their like, with their positions. One whose
/// name is made by a macro is left out.
pub(crate) fn tests<'a>(source: &'a Source<'_>) -> Vec<(&'a str, usize)> {
    let code = source.code.as_str();
    let attributes = code.match_indices("#[").filter_map(|(start, _)| {
        let end = closing(code, start + 1)?;
        is_test_attribute(&code[start..end]).then_some(end)
    });
    attributes.filter_map(|end| function_name(code, end)).map(|word| (word.text, word.start)).collect()
}

fn is_test_attribute(attribute: &str) -> bool {
    let path = attribute.trim_start_matches("#[").split(['(', ']']).next().unwrap_or_default().trim();
    path.rsplit("::").next() == Some("test")
}

/// The name of the function that starts at `from`, behind further attributes and qualifiers.
fn function_name(code: &str, from: usize) -> Option<Word<'_>> {
    let mut position = from;
    loop {
        let rest = code[position..].trim_start();
        position = code.len() - rest.len();
        if rest.starts_with("#[") {
            position = closing(code, position + 1)?;
        } else if rest.starts_with('(') {
            // Of `pub(crate)`.
            position = closing(code, position)?;
        } else {
            let word = words(rest).next().filter(|word| word.start == 0)?;
            position += word.text.len();
            match word.text {
                "pub" | "async" | "unsafe" => {}
                "fn" => {
                    let name = words(&code[position..]).next()?;
                    let name = Word { start: position + name.start, ..name };
                    return (!code[..name.start].ends_with('$')).then_some(name);
                }
                _ => return None,
            }
        }
    }
}

/// Tests whose name is no sentence about a property.
pub(crate) fn short_test_names(source: &Source<'_>) -> Vec<Finding> {
    tests(source)
        .into_iter()
        .filter(|(name, _)| name.split('_').count() < 3 || name.starts_with("test_"))
        .map(|(name, position)| {
            Finding::new(
                source.path,
                source.line(position),
                format!("the test `{name}` does not say what it shows"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: Vec<Finding>) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn two_public_types_of_one_name_are_found() {
        let one = Source::new("a.rs", "pub struct Handle;\npub(crate) struct Clock;\npub enum Once {}");
        let two = Source::new(
            "b.rs",
            "pub struct Clock;\n\npub unsafe trait Handle {}\n#[cfg(test)] pub struct Once;",
        );
        let found = double_names(&[one, two], &BTreeMap::new());
        assert_eq!(
            found.iter().map(|it| (it.path.as_str(), it.line)).collect::<Vec<_>>(),
            [("a.rs", 1), ("b.rs", 3)]
        );
    }

    #[test]
    fn a_shared_name_needs_a_reason_and_two_uses() {
        let sources = [Source::new("a.rs", "pub struct A;"), Source::new("b.rs", "pub struct A;")];
        let list = |text| double_names(&sources, &shared_names(text));
        assert_eq!(list("# comment\n\nA: for a reason"), []);
        assert_eq!(list("A").len(), 1);
        assert_eq!(list("A: for a reason\nB: unused").len(), 1);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        let bad = "struct Inner;\nenum TaskInner {}\nstruct Core<T>(T);\ntrait Data {}\nmod util {}\nstruct PoolManager;";
        assert_eq!(lines(empty_names(&Source::new("", bad))), [1, 2, 3, 4, 5, 6]);
        let good = "struct Score; mod utilisation {} fn core() {} struct CoreCount; // struct Inner;";
        assert_eq!(empty_names(&Source::new("", good)), []);
    }

    #[test]
    fn short_names_of_tests_are_found() {
        let bad = "#[test]\nfn works() {}\n#[tokio::test(flavor = \"x\")]\nasync fn it_works() {}\n\
            #[test]\nfn test_that_it_works() {}";
        assert_eq!(lines(short_test_names(&Source::new("", bad))), [2, 4, 6]);
        let good = "#[test] #[should_panic] fn one_is_odd() {} fn two() {} #[test] fn $name() {} #[cfg(test)] fn x() {}\n\
            quote! { #[core::test] } } fn y() {}";
        assert_eq!(short_test_names(&Source::new("", good)), []);
    }
}
