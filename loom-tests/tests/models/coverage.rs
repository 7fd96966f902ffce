//! Holds the models to the orderings in the source: each is reached, or listed with the reason.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::alteration::Site;
use super::listed::Listed;
use super::places::{self, Place};

/// Which orderings the models answer for.
#[derive(Clone, Copy, Debug)]
pub struct Coverage {
    /// A file or a directory, from the root of the repository.
    pub source: &'static str,
    /// The file of exceptions, from the package of the models.
    pub listed: &'static str,
    /// What the report on the mutants is called, in `mutants` of the target directory.
    pub report: &'static str,
}

impl Coverage {
    /// The repository.
    pub fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the repository")
    }

    /// Whether the models answer for this site.
    pub fn has(&self, site: &Site) -> bool {
        let below = site.file.strip_prefix(self.source);
        below
            .is_some_and(|below| below.is_empty() || (below.starts_with('/') && !below.starts_with("/sync/")))
    }

    /// How many of these sites the models answer for.
    pub fn count(&self, sites: &BTreeSet<String>) -> usize {
        sites.iter().filter_map(|site| Site::parse(site)).filter(|site| self.has(site)).count()
    }

    /// The exceptions.
    ///
    /// # Errors
    /// If the file cannot be read or has another form.
    pub fn listed(&self) -> io::Result<Listed> {
        let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.listed);
        Listed::read(&path)
    }

    /// Places in the source that are not among the sites that were reached.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn unreached(&self, reached: &BTreeSet<String>) -> io::Result<Vec<Place>> {
        let reached = self.places_of(reached);
        let mut places = places::scan(Self::root(), self.source)?;
        places.retain(|place| !reached.contains(place));
        Ok(places)
    }

    /// Everything in which source, models and list do not fit together, but for what takes mutants to see.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn faults(&self, reached: &BTreeSet<String>) -> io::Result<Vec<String>> {
        let listed = self.listed()?;
        let mut faults = listed.faults(Self::root())?;
        let unreached = self.unreached(reached)?;
        for Place { file, line, column } in
            unreached.iter().filter(|place| !listed.unreached.iter().any(|entry| entry.is_at(place)))
        {
            faults.push(format!("{file}:{line}:{column} is reached by no model and not in {}", self.listed));
        }
        for entry in listed.unreached.iter().filter(|entry| !unreached.iter().any(|place| entry.is_at(place)))
        {
            faults.push(format!("{}:{} is listed as unreached, but is reached", entry.file, entry.line));
        }
        let places: BTreeSet<Place> = places::scan(Self::root(), self.source)?.into_iter().collect();
        for Place { file, line, column } in self.places_of(reached).difference(&places) {
            faults.push(format!("{file}:{line}:{column} was reached, but the scan of the source misses it"));
        }
        Ok(faults)
    }

    fn places_of(&self, sites: &BTreeSet<String>) -> BTreeSet<Place> {
        let sites = sites.iter().filter_map(|site| Site::parse(site)).filter(|site| self.has(site));
        sites.map(|Site { file, line, column, .. }| Place { file, line, column }).collect()
    }
}
