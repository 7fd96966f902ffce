//! What no text of the repository contains, whatever its kind.

use crate::tree::Finding;

/// The longest source file: beyond this it holds more than one concept.
const LINES_MAX: usize = 600;

/// Marks of work in progress, found as whole words.
const LEFTOVER_WORDS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Code that stands for code, and tests that do not run.
const LEFTOVER_CODE: [&str; 4] = ["todo!", "unimplemented!", "dbg!(", "#[ignore"];

/// Places on the machine of whoever wrote the text.
const MACHINE_PATHS: [&str; 3] = ["/work/", "/root/", "/home/"];

/// Words for what surrounds the work on the repository, in lower case: a reader has the repository alone.
const SURROUNDINGS: [&str; 10] = [
    "issue tracker",
    "our tracker",
    "the tracker",
    "this session",
    "worktree",
    "subagent",
    "sub-agent",
    "language model",
    "chatgpt",
    "claude",
];

pub(crate) fn leftovers(path: &str, text: &str) -> Vec<Finding> {
    each_line(path, text, |line| {
        LEFTOVER_WORDS
            .into_iter()
            .find(|word| contains_word(line, word))
            .or_else(|| LEFTOVER_CODE.into_iter().find(|code| line.contains(code)))
            .map(|found| format!("`{found}` is left over"))
    })
}

pub(crate) fn outside_world(path: &str, text: &str) -> Vec<Finding> {
    each_line(path, text, |line| {
        let lower = line.to_lowercase();
        MACHINE_PATHS
            .into_iter()
            .find(|machine_path| line.contains(machine_path))
            .or_else(|| SURROUNDINGS.into_iter().find(|word| lower.contains(word)))
            .map(|found| format!("`{found}` means nothing to a reader"))
    })
}

pub(crate) fn length(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    let what = format!("{lines} lines, more than {LINES_MAX}: split it by concept");
    if lines > LINES_MAX { vec![Finding::new(path, LINES_MAX + 1, what)] } else { Vec::new() }
}

fn each_line(path: &str, text: &str, check: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| check(line).map(|what| Finding::new(path, index + 1, what)))
        .collect()
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        !line[..start].ends_with(is_part) && !line[start + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(check: fn(&str, &str) -> Vec<Finding>, text: &str) -> Vec<usize> {
        check("sample", text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn leftovers_are_found_as_words() {
        let bad =
            "// TODO later\n// FIXME: wrong\nXXX\ntodo!()\nunimplemented!()\ndbg!(it)\n#[ignore = \"slow\"]";
        assert_eq!(lines(leftovers, bad), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(lines(leftovers, "XXXXXX TODOS todo = \"deny\" dbg_macro"), [0_usize; 0]);
    }

    #[test]
    fn machine_paths_and_surroundings_are_found() {
        let bad = "see /work/shared\nin /root/.cargo\n/home/me\nIn this Session\na worktree";
        assert_eq!(lines(outside_world, bad), [1, 2, 3, 4, 5]);
        assert_eq!(lines(outside_world, "a TLS session; framework/x; tokio #3190"), [0_usize; 0]);
    }

    #[test]
    fn a_file_of_more_lines_than_allowed_is_found() {
        assert_eq!(lines(length, &"x\n".repeat(LINES_MAX)), [0_usize; 0]);
        assert_eq!(lines(length, &"x\n".repeat(LINES_MAX + 1)), [LINES_MAX + 1]);
    }
}
