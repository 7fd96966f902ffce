//! The order of all measurements: rounds outermost, contestants innermost, so that neighbours in a table ran within
//! seconds of each other.
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::measure::{self, Conditions};
use super::options::{Contest, Plan};
use super::record::{Report, ServerRecord, TaskRecord};
use super::servers::{SERVERS, Server};
use super::tasks::{Measure, TASKERS, Tasker};
use super::work;
use crate::machine::Machine;
use crate::syscalls::SyscallCounter;

/// Measures everything in `plan`. Failures are part of the report.
///
/// # Errors
/// If nothing can be measured at all.
pub fn run(plan: Plan) -> Result<Report, String> {
    let open_files =
        crate::os::raise_open_files().map_err(|error| format!("limit of open files: {error}"))?;
    if plan.syscalls {
        // Better no run than one full of the same failure.
        SyscallCounter::start()?;
    }
    let servers = server_steps(&plan);
    let tasks = task_steps(&plan);
    if servers.is_empty() && tasks.is_empty() {
        return Err(String::from("nothing to measure: these contestants do not take part in these tables"));
    }
    let bar = progress(servers.len() + tasks.len());
    let work_steps = work::steps_for(Duration::from_micros(plan.work_us));
    let mut report = Report { machine: Machine::look(), plan, servers: Vec::new(), tasks: Vec::new() };
    for step in servers {
        let ServerStep { server, placement, connections, round } = step;
        bar.set_message(format!(
            "round {round}: {}, {connections} connections, {}",
            server.name,
            placement.name()
        ));
        let conditions = Conditions { placement, connections, work_steps, open_files };
        let outcome = measure::server(server, &report.plan, &conditions).into();
        report.servers.push(ServerRecord {
            placement,
            workers: placement.workers(report.plan.workers),
            connections,
            contestant: server.name.to_owned(),
            round,
            outcome,
        });
        bar.inc(1);
    }
    for TaskStep { tasker, measure, round } in tasks {
        bar.set_message(format!("round {round}: {}, {}", tasker.name, measure.name()));
        let outcome = measure::tasks(tasker, measure, &report.plan).into();
        report.tasks.push(TaskRecord { measure, contestant: tasker.name.to_owned(), round, outcome });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(report)
}

/// On standard error, and only if that is a terminal.
pub(crate) fn progress(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} (left {eta}) {msg}");
    bar.set_style(style.expect("the template is a constant"));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

struct ServerStep {
    server: &'static Server,
    placement: super::options::Placement,
    connections: usize,
    round: u32,
}

fn server_steps(plan: &Plan) -> Vec<ServerStep> {
    let mut steps = Vec::new();
    if !plan.tables.contains(&Contest::Servers) {
        return steps;
    }
    for round in 1..=plan.rounds {
        for &placement in &plan.placements {
            for &connections in &plan.connections {
                let able = |server: &&Server| {
                    plan.contestants.iter().any(|name| name == server.name)
                        && server.cores_min <= placement.workers(usize::MAX)
                };
                let servers: Vec<&'static Server> = SERVERS.iter().filter(able).collect();
                let step = |server| ServerStep { server, placement, connections, round };
                steps.extend(rotated(servers, round).into_iter().map(step));
            }
        }
    }
    steps
}

struct TaskStep {
    tasker: &'static Tasker,
    measure: Measure,
    round: u32,
}

fn task_steps(plan: &Plan) -> Vec<TaskStep> {
    let mut steps = Vec::new();
    if !plan.tables.contains(&Contest::Tasks) {
        return steps;
    }
    for round in 1..=plan.rounds {
        for measure in [Measure::Switch, Measure::Spawn, Measure::Memory] {
            if measure == Measure::Memory && round > plan.memory_rounds {
                continue;
            }
            let takes_part = |tasker: &&Tasker| {
                plan.contestants.iter().any(|name| name == tasker.contestant)
                    && tasker.measures.contains(&measure)
            };
            let taskers: Vec<&'static Tasker> = TASKERS.iter().filter(takes_part).collect();
            steps.extend(rotated(taskers, round).into_iter().map(|tasker| TaskStep {
                tasker,
                measure,
                round,
            }));
        }
    }
    steps
}

/// Another contestant begins in each round, so that nobody always follows the same one.
pub(crate) fn rotated<T>(mut contestants: Vec<T>, round: u32) -> Vec<T> {
    if !contestants.is_empty() {
        let by = (round as usize - 1) % contestants.len();
        contestants.rotate_left(by);
    }
    contestants
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{rotated, server_steps, task_steps};
    use crate::compare::options::{Options, Placement};
    use crate::compare::tasks::Measure;

    fn by_default() -> usize {
        super::SERVERS.iter().filter(|server| server.by_default).count()
    }

    #[test]
    fn every_round_measures_every_contestant_under_every_condition() {
        let plan = Options { rounds: Some(3), ..Options::default() }.plan().unwrap();
        let steps = server_steps(&plan);
        let distinct: HashSet<_> =
            steps.iter().map(|step| (step.server.name, step.connections, step.round)).collect();
        assert_eq!(distinct.len(), steps.len());
        assert_eq!(steps.len(), by_default() * plan.connections.len() * 3);
    }

    #[test]
    fn contestants_of_one_round_run_side_by_side() {
        let plan = Options::default().plan().unwrap();
        let steps = server_steps(&plan);
        for group in steps.chunks(by_default()) {
            let conditions: HashSet<_> = group.iter().map(|step| (step.connections, step.round)).collect();
            assert_eq!(conditions.len(), 1);
        }
    }

    #[test]
    fn two_loops_do_not_run_on_one_core() {
        let plan = Options { pin: Some(vec![Placement::Split]), ..Options::default() }.plan().unwrap();
        assert!(server_steps(&plan).iter().all(|step| step.server.name != "epoll-2"));
    }

    #[test]
    fn memory_is_measured_less_often() {
        let plan = Options::default().plan().unwrap();
        let count = |measure| {
            task_steps(&plan)
                .iter()
                .filter(|step| step.measure == measure && step.tasker.name == "tokio")
                .count()
        };
        assert_eq!((count(Measure::Switch), count(Measure::Memory)), (3, 1));
    }

    #[test]
    fn another_contestant_begins_each_round() {
        assert_eq!(rotated(vec![1, 2, 3], 1), [1, 2, 3]);
        assert_eq!(rotated(vec![1, 2, 3], 2), [2, 3, 1]);
        assert_eq!(rotated(vec![1, 2, 3], 4), [1, 2, 3]);
        assert!(rotated(Vec::<u32>::new(), 2).is_empty());
    }
}
