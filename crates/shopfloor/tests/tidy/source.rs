//! Rust source as the checks see it: comments, the insides of literals and, on request, test code are
//! blanked, so that a word found is a word of the code. Lines and columns stay where they are.

use std::ops::Range;

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    /// The text without comments and the insides of literals.
    pub(crate) code: String,
}

/// An identifier or keyword, and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) start: usize,
}

impl Word<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a str, text: &str) -> Self {
        Self { path, code: blank_comments_and_literals(text) }
    }

    /// The code without the items under `#[cfg(test)]`, `#[cfg(all(test, ..))]` and `#[test]`.
    pub(crate) fn code_without_tests(&self) -> String {
        let mut code = self.code.clone().into_bytes();
        for range in test_items(&self.code) {
            blank(&mut code, range);
        }
        String::from_utf8(code).expect("bytes were replaced by spaces")
    }

    /// The line of a position, counted from 1.
    pub(crate) fn line(&self, position: usize) -> usize {
        1 + self.code.as_bytes()[..position].iter().filter(|byte| **byte == b'\n').count()
    }
}

/// The identifiers and keywords of `code`, in order.
pub(crate) fn words(code: &str) -> impl Iterator<Item = Word<'_>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let bytes = code.as_bytes();
    let mut position = 0;
    std::iter::from_fn(move || {
        while position < bytes.len() && !is_part(bytes[position]) {
            position += 1;
        }
        let start = position;
        while position < bytes.len() && is_part(bytes[position]) {
            position += 1;
        }
        (start < position).then(|| Word { text: &code[start..position], start })
    })
}

fn blank(code: &mut [u8], range: Range<usize>) {
    for byte in &mut code[range] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut position = 0;
    while position < bytes.len() {
        let rest = &bytes[position..];
        let previous_is_word = position > 0 && {
            let previous = bytes[position - 1];
            previous.is_ascii_alphanumeric() || previous == b'_'
        };
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest).filter(|_| !previous_is_word) {
            length
        } else if rest[0] == b'"' {
            string(rest)
        } else if let Some(length) = character(rest) {
            length
        } else {
            position += 1;
            continue;
        };
        blank(&mut code, position..position + length);
        // A literal stays one: `("")` and `(' ')` are not `( )`.
        if !rest.starts_with(b"/") {
            code[position] = b'"';
            code[position + length - 1] = b'"';
        }
        position += length;
    }
    String::from_utf8(code).expect("whole comments and literals were replaced by ASCII")
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut position = 0;
    while position < rest.len() {
        match &rest[position..] {
            [b'/', b'*', ..] => {
                depth += 1;
                position += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                position += 2;
                if depth == 0 {
                    break;
                }
            }
            _ => position += 1,
        }
    }
    position
}

/// `r"..."`, `r#"..."#`, `br"..."` and `cr"..."`.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let prefix = usize::from(matches!(rest[0], b'b' | b'c'));
    if rest.get(prefix) != Some(&b'r') {
        return None;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = prefix + 1 + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    let inside = &rest[open + 1..];
    let end = inside.windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| open + 1 + end + close.len()))
}

fn string(rest: &[u8]) -> usize {
    let mut position = 1;
    while position < rest.len() {
        match rest[position] {
            b'\\' => position += 2,
            b'"' => return position + 1,
            _ => position += 1,
        }
    }
    rest.len()
}

/// `'x'` and `'\n'`, but not the lifetime `'a`.
fn character(rest: &[u8]) -> Option<usize> {
    if rest[0] != b'\'' {
        return None;
    }
    if rest.get(1) == Some(&b'\\') {
        return rest[3..].iter().position(|byte| *byte == b'\'').map(|end| end + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)]);
    let valid = match &text {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&rest[1..1 + error.valid_up_to()]).ok()?,
    };
    let width = valid.chars().next()?.len_utf8();
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// Where the test items of `code` are, attribute included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[") {
        if items.last().is_some_and(|item| item.contains(&start)) {
            continue;
        }
        let Some(end) = closing(code, start + 1) else { continue };
        if is_test_attribute(&code[start..end]) {
            items.push(start..item_end(code, end));
        }
    }
    items
}

fn is_test_attribute(attribute: &str) -> bool {
    let attribute: String = attribute.split_whitespace().collect();
    attribute == "#[test]" || attribute == "#[cfg(test)]" || attribute.starts_with("#[cfg(all(test,")
}

/// The end of the item that starts at `from`: its closing brace, or its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let bytes = code.as_bytes();
    let mut position = from;
    while position < bytes.len() {
        match bytes[position] {
            b';' => return position + 1,
            b'{' => return closing(code, position).unwrap_or(bytes.len()),
            b'(' | b'[' => position = closing(code, position).unwrap_or(bytes.len()),
            _ => position += 1,
        }
    }
    bytes.len()
}

/// The position after the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code.as_bytes()[open..].iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_in_place() {
        let text = "a /* b /* c */ d */ e // f\n\"g\\\"h\" r#\"i\"j\"# 'k' '\\'' 'é' &'l m";
        let source = Source::new("", text);
        assert_eq!(source.code.len(), text.len());
        let found: Vec<_> = words(&source.code).map(|word| word.text).collect();
        assert_eq!(found, ["a", "e", "l", "m"]);
        assert_eq!(source.line(source.code.find('m').expect("it stays")), 2);
    }

    #[test]
    fn items_of_tests_are_blanked_to_their_closing_brace() {
        let text = "fn a() {}\n#[cfg(all(test, not(loom)))]\nmod b { fn c() { d([1; 2]) } }\n#[cfg(test)] use e;\n\
            #[test]\n#[should_panic]\nfn f() { g }\n#[cfg(not(test))] fn h() {}";
        let code = Source::new("", text).code_without_tests();
        let found: Vec<_> = words(&code).map(|word| word.text).collect();
        assert_eq!(found, ["fn", "a", "cfg", "not", "test", "fn", "h"]);
    }
}
