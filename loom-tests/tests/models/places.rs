//! Finds in the source where orderings are used, to compare with what the models reached.

use std::fs;
use std::io;
use std::path::Path;

/// Functions of the facade that take an ordering.
const METHODS: [&str; 10] = [
    "load",
    "store",
    "swap",
    "compare_exchange",
    "compare_exchange_weak",
    "fetch_add",
    "fetch_sub",
    "fetch_and",
    "fetch_or",
    "fetch_xor",
];

/// Where an ordering is used: what the facade calls the place of a site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From the root of the repository.
    pub file: String,
    pub line: usize,
    pub column: usize,
}

/// All places in a file, or in the files below a directory but for those of its `sync`, which is the facade.
///
/// # Errors
/// If the source cannot be read.
pub fn scan(root: &Path, source: &str) -> io::Result<Vec<Place>> {
    let path = root.join(source);
    let mut places = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let name =
                entry?.file_name().into_string().map_err(|name| io::Error::other(format!("{name:?}")))?;
            if name != "sync" {
                places.extend(scan(root, &format!("{source}/{name}"))?);
            }
        }
    } else if source.ends_with(".rs") && !source.ends_with("tests.rs") {
        places.extend(in_file(source, &fs::read_to_string(path)?));
    }
    places.sort();
    Ok(places)
}

/// All places in one file, its test module left out. A call of a helper that is `track_caller` is a place, and
/// what such a helper itself does is none.
pub fn in_file(file: &str, text: &str) -> Vec<Place> {
    let code = code_of(text);
    let code = code.split("#[cfg(all(test").next().unwrap_or_default();
    let helpers = helpers(code);
    let is_in_helper = |at: usize| helpers.iter().any(|helper| helper.body.contains(&at));
    let mut places: Vec<Place> = words(code)
        .filter(|&(at, word)| !is_in_helper(at) && is_use(code, at, word, &helpers))
        .map(|(at, word)| {
            // A call through a path is located at the start of the path.
            let at = if code[..at].ends_with("Self::") { at - "Self::".len() } else { at };
            let start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let line = code[..at].matches('\n').count() + 1;
            debug_assert!(!word.is_empty());
            Place { file: file.to_owned(), line, column: code[start..at].chars().count() + 1 }
        })
        .collect();
    places.dedup();
    places
}

fn is_use(code: &str, at: usize, word: &str, helpers: &[Helper<'_>]) -> bool {
    let before = &code[..at];
    let after = &code[at + word.len()..];
    if helpers.iter().any(|helper| helper.name == word) {
        return (before.ends_with('.') || before.ends_with("Self::")) && after.starts_with(['(', ':']);
    }
    let takes_ordering = || after.starts_with('(') && words(arguments(after)).any(|(_, it)| it == "Ordering");
    (METHODS.contains(&word) && before.ends_with('.') && takes_ordering())
        || (word == "fence" && !before.ends_with(['.', ':']) && takes_ordering())
}

/// A function whose callers are the places.
struct Helper<'a> {
    name: &'a str,
    body: std::ops::Range<usize>,
}

fn helpers(code: &str) -> Vec<Helper<'_>> {
    let mut helpers = Vec::new();
    for (at, _) in code.match_indices("track_caller") {
        let mut following = words(&code[at..]).skip_while(|(_, word)| *word != "fn").skip(1);
        let Some((name_at, name)) = following.next() else { continue };
        let Some(open) = code[at + name_at..].find('{').map(|open| at + name_at + open) else { continue };
        helpers.push(Helper { name, body: open..open + balanced(&code[open..], '{', '}').len() });
    }
    helpers
}

/// What stands in the parentheses with which `code` begins.
fn arguments(code: &str) -> &str {
    balanced(code, '(', ')')
}

/// From the opening character with which `code` begins to the closing one.
fn balanced(code: &str, open: char, close: char) -> &str {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return &code[..=at];
            }
        }
    }
    code
}

/// The identifiers and where they start.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + code[end..].find(is_part)?;
        end = code[start..].find(|character| !is_part(character)).map_or(code.len(), |length| start + length);
        Some((start, &code[start..end]))
    })
}

/// The text with every character of a line comment, a string or a character literal replaced by a blank.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => string_length(rest),
            '\'' => character_length(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().map(|skipped| if skipped == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of the string literal with which `text` begins.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of the character literal with which `text` begins; 0 if that is a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    let Some((_, first)) = characters.next() else { return 0 };
    let Some((second_at, second)) = characters.next() else { return 0 };
    match (first, second) {
        ('\\', _) => text[second_at + second.len_utf8()..]
            .find('\'')
            .map_or(0, |length| second_at + second.len_utf8() + length + 1),
        (_, '\'') => second_at + 1,
        _ => 0,
    }
}
