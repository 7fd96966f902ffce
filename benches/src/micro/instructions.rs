//! Instructions per operation, counted by callgrind: the same on a busy machine as on a quiet one.
//!
//! A row is repeated so many times and twice as many times, each in a process of its own with one worker; the
//! difference is what the repetitions cost, without start, first touch of memory, and end.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::options::{MeasureArguments, Plan};
use super::run::{measure, measure_under};
use super::workloads;
use crate::stats::figure;
use crate::table::Table;

/// Operations that make the difference: enough that what happens now and then, such as a look at the driver, shows
/// with its share.
const OPERATIONS: u64 = 20_000;
/// callgrind runs a program some fifty times slower.
const LIFE: Duration = Duration::from_secs(600);
/// Steps of work per microsecond: tasks that would work do not, and what is counted is the runtime's part.
pub(super) const STEPS_PER_US: u64 = 0;

/// Counts instructions, and keeps callgrind's profiles in a directory.
#[derive(Debug)]
pub struct InstructionCounter {
    profiles: PathBuf,
    operations: u64,
}

impl InstructionCounter {
    /// A counter, if there is a valgrind to count with. A test counts a fraction of the operations.
    ///
    /// # Errors
    /// If valgrind does not run, or the directory cannot be made; the error says what to do.
    pub fn new(profiles: &Path, shrink: u64) -> Result<Self, String> {
        let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            return Err(String::from("counting instructions needs valgrind: apt-get install valgrind"));
        }
        std::fs::create_dir_all(profiles).map_err(|error| format!("{}: {error}", profiles.display()))?;
        Ok(Self { profiles: profiles.to_owned(), operations: OPERATIONS / shrink })
    }

    /// Instructions of the whole process per operation of `row` on `contestant`.
    ///
    /// # Errors
    /// If a run fails.
    pub fn per_operation(&self, contestant: &str, row: &str) -> Result<f64, String> {
        let arguments = |batches| MeasureArguments {
            contestant: contestant.to_owned(),
            row: row.to_owned(),
            workers: 1,
            time_ms: 0,
            batches: Some(batches),
            steps_per_us: STEPS_PER_US,
            shrink: 1,
        };
        let in_a_batch = measure(&arguments(1))?.operations;
        let batches = self.operations.div_ceil(in_a_batch).max(1);
        let (few, few_operations) = self.count(&arguments(batches))?;
        let (many, many_operations) = self.count(&arguments(2 * batches))?;
        let operations = many_operations.checked_sub(few_operations).filter(|&operations| operations > 0);
        let operations = operations.ok_or_else(|| format!("{row}: twice the batches do no more"))?;
        Ok((many as f64 - few as f64) / operations as f64)
    }

    /// Instructions of one process, and its operations.
    fn count(&self, arguments: &MeasureArguments) -> Result<(u64, u64), String> {
        let profile = self.profiles.join(format!("{}-{}.out", arguments.row, arguments.contestant));
        let callgrind = [
            String::from("valgrind"),
            String::from("--tool=callgrind"),
            String::from("--quiet"),
            format!("--callgrind-out-file={}", profile.display()),
        ];
        let measurement = measure_under(&callgrind, arguments, LIFE)?;
        let text = std::fs::read_to_string(&profile);
        let text = text.map_err(|error| format!("{}: {error}", profile.display()))?;
        let instructions = total(&text).ok_or_else(|| format!("{} has no total", profile.display()))?;
        Ok((instructions, measurement.operations))
    }
}

/// The total of a callgrind profile, which has one event: instructions.
fn total(profile: &str) -> Option<u64> {
    profile.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

/// Counts the rows of `plan` and returns the table, and the errors.
///
/// # Errors
/// If nothing can be counted on this machine.
pub fn report(plan: &Plan, profiles: &Path) -> Result<(String, Vec<String>), String> {
    let counter = InstructionCounter::new(profiles, plan.shrink)?;
    let first = &plan.contestants[0];
    let ratio = format!("{first} / this");
    let mut table =
        Table::new("Instructions per operation, 1 worker", &["row", "contestant", "instructions", &ratio]);
    let mut failures = Vec::new();
    for row in plan.rows.iter().filter_map(|name| workloads::row(name)) {
        let mut ours = None;
        for contestant in plan.contestants.iter().filter(|name| row.on(name).is_some()) {
            match counter.per_operation(contestant, row.name) {
                Ok(count) => {
                    let ratio = ours.map_or_else(|| String::from("–"), |ours: f64| figure(ours / count));
                    table.row(vec![row.name.to_owned(), contestant.clone(), figure(count), ratio]);
                    if contestant == first {
                        ours = Some(count);
                    }
                }
                Err(error) => {
                    table.sentence(row.name, format!("{contestant} FAILED: {error}"));
                    failures.push(error);
                }
            }
        }
    }
    let mut text = table.text();
    text.push_str(&format!(
        "\nProfiles, for callgrind_annotate: {}/ROW-CONTESTANT.out\n",
        profiles.display()
    ));
    Ok((text, failures))
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_of_a_profile_is_found() {
        let profile = "# callgrind format\nevents: Ir\nsummary: 7\n\nfn=(1) main\n3 12\n\ntotals: 12345\n";
        assert_eq!(total(profile), Some(12345));
        assert_eq!(total("events: Ir\n"), None);
    }
}
