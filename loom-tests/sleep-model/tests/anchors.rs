//! The model's steps are steps of the code: what each names is there.

use sleep_model::{TRANSITIONS, Transition};
use std::path::Path;

/// The text from `fn name` to the next line that closes a block at the indentation of that function.
fn body<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.find(&format!("fn {name}("))?;
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let indentation = text[line..].len() - text[line..].trim_start().len();
    let closing = format!("\n{}}}", &text[line..line + indentation]);
    let end = text[start..].find(&closing)?;
    Some(&text[start..start + end])
}

/// What is wrong with the place that a transition names.
fn missing(transition: &Transition, text: &str) -> Option<String> {
    let Transition { name, file, function, anchor } = transition;
    match body(text, function) {
        None => Some(format!("`{name}`: there is no function `{function}` in {file}")),
        Some(body) if body.contains(anchor) => None,
        Some(_) => Some(format!("`{name}`: `{function}` in {file} does not contain `{anchor}`")),
    }
}

#[test]
fn every_step_of_the_model_is_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package is two deep");
    let look = |transition: &Transition| {
        let text = std::fs::read_to_string(root.join(transition.file));
        missing(transition, &text.unwrap_or_else(|error| panic!("{}: {error}", transition.file)))
    };
    let findings: Vec<_> = TRANSITIONS.iter().filter_map(look).collect();
    assert!(findings.is_empty(), "the code has moved on; change the model with it:\n{}", findings.join("\n"));
}

#[test]
fn a_step_that_is_not_in_the_code_is_found() {
    let text = "impl A {\n    fn park(\n        &self,\n    ) {\n        look();\n    }\n\n    fn push() {\n        wake();\n    }\n}\n";
    let step = |function, anchor| Transition { name: "n", file: "f", function, anchor };
    assert_eq!(missing(&step("park", "look();"), text), None);
    assert_eq!(missing(&step("push", "wake();"), text), None);
    assert!(missing(&step("park", "wake();"), text).is_some_and(|what| what.contains("does not contain")));
    assert!(missing(&step("pop", "wake();"), text).is_some_and(|what| what.contains("no function")));
}
