//! The table of figures is read and written row by row.

#![allow(dead_code, unreachable_pub, reason = "a module of the runner")]

#[path = "models/figures.rs"]
mod figures;

use figures::Figures;

const DOCUMENT: &str = "| models | 1 | outside |\n<!-- figures -->\n| figure | value | command |\n|---|---|---|\n\
    | models | 7 | `just models` |\n| killed | 3 of 3 | `just mutants` |\n<!-- end of figures -->\n| late | 1 | x |\n";

fn document() -> Figures {
    Figures::parse(DOCUMENT.to_owned()).expect("it has a table")
}

#[test]
fn a_figure_is_found_in_its_row_and_nowhere_else() {
    assert_eq!(document().value("models"), Some("7"));
    assert_eq!(document().value("killed"), Some("3 of 3"));
    assert_eq!(document().value("late"), None);
    assert_eq!(document().value("model"), None);
}

#[test]
fn a_value_that_is_set_changes_its_row_alone() {
    let mut figures = document();
    assert!(figures.set("killed", "14 of 14"));
    assert_eq!(figures.text(), DOCUMENT.replace("3 of 3", "14 of 14"));
    assert!(!figures.set("late", "2"));
}

#[test]
fn a_figure_of_which_the_document_says_something_else_is_a_fault() {
    assert!(document().faults(&[("models", "7".to_owned())]).is_empty());
    let faults = document().faults(&[("models", "8".to_owned()), ("late", "1".to_owned())]);
    assert_eq!(faults.len(), 2);
    assert!(faults[0].contains("8") && faults[0].contains("says 7"), "{faults:?}");
    assert!(faults[1].contains("no such row"), "{faults:?}");
}

#[test]
fn a_document_without_marks_has_no_table() {
    assert!(Figures::parse("| models | 7 | x |".to_owned()).is_none());
    assert!(Figures::parse("<!-- figures -->\n| models | 7 | x |".to_owned()).is_none());
}
