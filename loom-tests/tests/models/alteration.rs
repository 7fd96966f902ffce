//! What a run is told to do otherwise than the source says, as text on its way to the child.
//!
//! `<site> -> <ordering>` weakens one site, `<site> -> dropped` leaves a fence out, `spurious <function> <n>` lets
//! the n-th call of an execution come back without a reason. The facade says more about each.

use std::fmt;

use protocol_loom::sync::Ordering;
use protocol_loom::sync::probe::{Alteration, SpuriousCall};

/// In place of an ordering: the fence is left out.
const DROPPED: &str = "dropped";

/// One use of an ordering in the source. Its text is the facade's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// From the root of the repository.
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// The function, with `-failure` for the second ordering of a compare-exchange.
    pub operation: String,
    /// As it is written.
    pub ordering: String,
}

impl Site {
    /// Reads what the facade wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, ordering) = text.split_once(' ')?;
        let (operation, ordering) = ordering.split_once(' ')?;
        let (place, column) = place.rsplit_once(':')?;
        let (file, line) = place.rsplit_once(':')?;
        let (file, operation, ordering) = (file.to_owned(), operation.to_owned(), ordering.to_owned());
        Some(Self { file, line: line.parse().ok()?, column: column.parse().ok()?, operation, ordering })
    }

    /// Every weaker ordering that could stand here.
    pub fn mutants(&self) -> Vec<Mutant> {
        let weaker: &[&str] = match (self.operation.as_str(), self.ordering.as_str()) {
            ("fence", "SeqCst") => &[DROPPED, "AcqRel"],
            ("fence", "AcqRel") => &[DROPPED, "Acquire", "Release"],
            ("fence", _) => &[DROPPED],
            (_, "AcqRel") => &["Acquire", "Release", "Relaxed"],
            (_, "Acquire" | "Release") => &["Relaxed"],
            _ => &[],
        };
        weaker.iter().map(|&instead| Mutant { site: self.clone(), instead }).collect()
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, operation, ordering } = self;
        write!(f, "{file}:{line}:{column} {operation} {ordering}")
    }
}

/// One ordering weakened, or one fence left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    pub site: Site,
    pub instead: &'static str,
}

impl Mutant {
    /// What is done, without where.
    pub fn change(&self) -> String {
        format!("{} {} -> {}", self.site.operation, self.site.ordering, self.instead)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.site, self.instead)
    }
}

/// The functions that are made to come back spuriously, and what they are called in an alteration.
pub const SPURIOUS: [(&str, SpuriousCall); 2] =
    [("compare_exchange_weak", SpuriousCall::CompareExchangeWeak), ("wait", SpuriousCall::Wait)];

/// The alteration that makes the n-th call come back spuriously.
pub fn spurious(function: &str, nth: u32) -> String {
    format!("spurious {function} {nth}")
}

/// Reads an alteration.
pub fn parse(text: &str) -> Option<Alteration> {
    if let Some(spurious) = text.strip_prefix("spurious ") {
        let (function, nth) = spurious.split_once(' ')?;
        let (_, call) = SPURIOUS.into_iter().find(|(name, _)| *name == function)?;
        return Some(Alteration::Spurious { call, nth: nth.parse().ok()? });
    }
    let (site, instead) = text.split_once(" -> ")?;
    let instead = match instead {
        DROPPED if Site::parse(site)?.operation == "fence" => None,
        "Relaxed" => Some(Ordering::Relaxed),
        "Acquire" => Some(Ordering::Acquire),
        "Release" => Some(Ordering::Release),
        "AcqRel" => Some(Ordering::AcqRel),
        _ => return None,
    };
    Some(Alteration::Ordering { site: site.to_owned(), instead })
}
