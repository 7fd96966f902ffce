//! The part of libtest's command line that makes sense here, `--mutants`, `--fresh` and `--first-failure`.

/// Options of libtest that take a value, and that mean nothing to models.
const IGNORED_WITH_VALUE: [&str; 6] =
    ["--color", "--logfile", "--shuffle-seed", "-Z", "--bench", "--test-time"];

/// What to run and how to print it.
#[derive(Debug, Default)]
pub struct Arguments {
    filters: Vec<String>,
    skips: Vec<String>,
    exact: bool,
    /// Print the names instead of running.
    pub list: bool,
    /// Print names only, for a program.
    pub terse: bool,
    /// Only what is marked as ignored, which no model is.
    pub only_ignored: bool,
    /// Only with loads that read the newest store.
    pub fresh: bool,
    /// Weaken the orderings one by one instead: all, or those whose text contains the value of `--site`.
    pub mutants: bool,
    sites: Vec<String>,
    /// Run until the first model fails, the cheapest ones first.
    pub first_failure: bool,
    /// Child processes at a time, if given.
    pub threads: Option<usize>,
}

impl Arguments {
    /// Reads a command line without the program's name. Unknown options are skipped, so that what is meant
    /// for libtest in `cargo test -- OPTIONS` does not fail here.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut parsed = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (option, mut value) = match argument.split_once('=') {
                Some((option, value)) if option.starts_with('-') => (option, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            match option {
                "--list" => parsed.list = true,
                "--exact" => parsed.exact = true,
                "--ignored" => parsed.only_ignored = true,
                "--fresh" => parsed.fresh = true,
                "--mutants" => parsed.mutants = true,
                "--first-failure" => parsed.first_failure = true,
                "--site" => parsed.sites.extend(value.or_else(|| arguments.next())),
                "--skip" => parsed.skips.extend(value.or_else(|| arguments.next())),
                "--format" => {
                    value = value.or_else(|| arguments.next());
                    parsed.terse = value.as_deref() == Some("terse");
                }
                "--test-threads" => {
                    value = value.or_else(|| arguments.next());
                    parsed.threads = value.and_then(|count| count.parse().ok()).filter(|&count| count > 0);
                }
                _ if IGNORED_WITH_VALUE.contains(&option) && value.is_none() => {
                    arguments.next();
                }
                _ if option.starts_with('-') => {}
                _ => parsed.filters.push(argument),
            }
        }
        parsed
    }

    /// Whether the model of this name is to be run.
    pub fn selects(&self, name: &str) -> bool {
        let matches = |pattern: &String| if self.exact { name == pattern } else { name.contains(pattern) };
        !self.only_ignored
            && (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skips.iter().any(matches)
    }

    /// Whether the orderings of this site are to be weakened.
    pub fn selects_site(&self, site: &str) -> bool {
        self.sites.is_empty() || self.sites.iter().any(|part| site.contains(part))
    }

    /// Whether every site is to be weakened, with every model.
    pub fn selects_all_sites(&self) -> bool {
        self.sites.is_empty() && self.selects_all()
    }

    /// Whether every model is to be run.
    pub fn selects_all(&self) -> bool {
        !self.only_ignored && self.filters.is_empty() && self.skips.is_empty()
    }
}
