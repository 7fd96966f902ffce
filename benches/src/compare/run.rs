//! The order of all measurements: rounds outermost, contestants innermost, so that neighbours in a table ran within
//! seconds of each other.
use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::case::{Case, Traffic};
use super::measure::{self, Conditions};
use super::options::{Contest, Plan};
use super::record::{Report, ServerRecord, TaskRecord};
use super::servers::{SERVERS, Server, server};
use super::tasks::{Measure, TASKERS, Tasker};
use super::work;
use crate::machine::Machine;
use crate::stats::Summary;
use crate::syscalls::SyscallCounter;

/// Who says what a machine can do in ping-pong, if present; else the first contestant does.
const REFERENCE: &str = "tokio";
/// Windows in which it does so; the middle one counts.
const REFERENCE_ROUNDS: usize = 3;

/// Measures everything in `plan`. Failures are part of the report.
///
/// # Errors
/// If nothing can be measured at all.
pub fn run(mut plan: Plan) -> Result<Report, String> {
    let open_files =
        crate::os::raise_open_files().map_err(|error| format!("limit of open files: {error}"))?;
    if plan.syscalls {
        // Better no run than one full of the same failure.
        SyscallCounter::start()?;
    }
    let left_out = prepare(&mut plan);
    let servers = server_steps(&plan);
    let tasks = task_steps(&plan);
    if servers.is_empty() && tasks.is_empty() {
        let why: Vec<String> = left_out.iter().map(|(name, why)| format!("; {name}: {why}")).collect();
        let why = why.concat();
        return Err(format!("nothing to measure: these contestants do not take part in these tables{why}"));
    }
    let bar = progress(servers.len() + tasks.len());
    let mut scales = Scales { open_files, steps: HashMap::new(), rates: HashMap::new() };
    let mut report =
        Report { machine: Machine::look(), plan, left_out, servers: Vec::new(), tasks: Vec::new() };
    for step in servers {
        let ServerStep { server, case, round } = step;
        bar.set_message(format!(
            "round {round}: {}, {}, {}",
            server.name,
            case.title(),
            case.placement.name()
        ));
        let rate = scales.rate(&report.plan, &case);
        let outcome = rate.clone().and_then(|rate| {
            let conditions = scales.conditions(case, rate);
            measure::server(server, &report.plan, &conditions)
        });
        report.servers.push(ServerRecord {
            case,
            rate: rate.ok().filter(|_| case.traffic == Traffic::Held),
            contestant: server.name.to_owned(),
            round,
            outcome: outcome.into(),
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

/// Gets the contestants ready; takes out those that cannot take part, and says why.
fn prepare(plan: &mut Plan) -> Vec<(String, String)> {
    let mut left_out = Vec::new();
    if plan.tables.contains(&Contest::Servers) {
        plan.contestants.retain(|name| match server(name).map_or(Ok(()), |server| (server.prepare)()) {
            Ok(()) => true,
            Err(why) => {
                left_out.push((name.clone(), why));
                false
            }
        });
    }
    left_out
}

/// What is found out once and then holds for all contestants.
struct Scales {
    open_files: u64,
    /// Steps of work by µs.
    steps: HashMap<u64, u64>,
    /// What the reference does in ping-pong, requests/s.
    rates: HashMap<Case, Result<f64, String>>,
}

impl Scales {
    fn conditions(&mut self, case: Case, rate: f64) -> Conditions {
        let steps = || work::steps_for(Duration::from_micros(case.work_us));
        let work_steps = *self.steps.entry(case.work_us).or_insert_with(steps);
        Conditions { case, rate, work_steps, open_files: self.open_files }
    }

    /// The rate at which `case` is to be held; 0 if it is not.
    fn rate(&mut self, plan: &Plan, case: &Case) -> Result<f64, String> {
        if case.traffic != Traffic::Held {
            return Ok(0.0);
        }
        let flat_out = case.flat_out();
        if !self.rates.contains_key(&flat_out) {
            let rate = self.measure_reference(plan, flat_out);
            self.rates.insert(flat_out, rate);
        }
        let rate = self.rates[&flat_out].clone()?;
        Ok(rate * f64::from(case.load_percent) / 100.0)
    }

    fn measure_reference(&mut self, plan: &Plan, flat_out: Case) -> Result<f64, String> {
        let named = |name: &str| plan.contestants.iter().any(|contestant| contestant == name);
        let first = SERVERS.iter().find(|server| named(server.name));
        let reference = server(REFERENCE).filter(|server| named(server.name)).or(first);
        let reference = reference.ok_or("there is nobody to say what a full load is")?;
        let conditions = self.conditions(flat_out, 0.0);
        let round = || measure::server(reference, plan, &conditions).map(|figures| figures.requests_per_s);
        let rounds: Result<Vec<f64>, String> = (0..REFERENCE_ROUNDS).map(|_| round()).collect();
        let summary = rounds.map_err(|error| format!("full load of {}: {error}", reference.name))?;
        Ok(Summary::of(summary).expect("there are some rounds").median)
    }
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
    case: Case,
    round: u32,
}

fn server_steps(plan: &Plan) -> Vec<ServerStep> {
    let mut steps = Vec::new();
    if !plan.tables.contains(&Contest::Servers) {
        return steps;
    }
    for round in 1..=plan.rounds {
        for &case in &plan.cases {
            let able = |server: &&Server| {
                plan.contestants.iter().any(|name| name == server.name)
                    && server.cores_min <= case.placement.workers(usize::MAX)
                    && (case.traffic != Traffic::Http || server.http.is_some())
            };
            let servers: Vec<&'static Server> = SERVERS.iter().filter(able).collect();
            let step = |server| ServerStep { server, case, round };
            steps.extend(rotated(servers, round).into_iter().map(step));
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

/// Another contestant begins in each round, and every second round goes backwards, so that nobody always follows the same one.
pub(crate) fn rotated<T>(mut contestants: Vec<T>, round: u32) -> Vec<T> {
    if round.is_multiple_of(2) {
        contestants.reverse();
    }
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
    use crate::compare::case::{Placement, Traffic};
    use crate::compare::options::Options;
    use crate::compare::servers::Presence;
    use crate::compare::tasks::Measure;

    fn by_default() -> usize {
        super::SERVERS.iter().filter(|server| server.presence == Presence::Quick).count()
    }

    #[test]
    fn every_round_measures_every_contestant_under_every_condition() {
        let plan = Options { rounds: Some(3), ..Options::default() }.plan().unwrap();
        let steps = server_steps(&plan);
        let distinct: HashSet<_> =
            steps.iter().map(|step| (step.server.name, step.case, step.round)).collect();
        assert_eq!(distinct.len(), steps.len());
        assert_eq!(steps.len(), by_default() * plan.cases.len() * 3);
    }

    #[test]
    fn contestants_of_one_round_run_side_by_side() {
        let plan = Options::default().plan().unwrap();
        let steps = server_steps(&plan);
        for group in steps.chunks(by_default()) {
            let conditions: HashSet<_> = group.iter().map(|step| (step.case, step.round)).collect();
            assert_eq!(conditions.len(), 1);
        }
    }

    #[test]
    fn two_loops_do_not_run_on_one_core() {
        let plan = Options { pin: Some(vec![Placement::Split]), ..Options::default() }.plan().unwrap();
        assert!(server_steps(&plan).iter().all(|step| step.server.name != "epoll-2"));
    }

    #[test]
    fn only_who_speaks_http_is_asked_to() {
        let options = Options { traffic: Some(vec![Traffic::Http]), full: true, ..Options::default() };
        let names: HashSet<&str> =
            server_steps(&options.plan().unwrap()).iter().map(|step| step.server.name).collect();
        assert_eq!(names, HashSet::from(["shopfloor", "tokio", "go"]));
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
    fn all_begin_as_often_as_others_and_follow_each_other_both_ways() {
        let orders = [1, 2, 3, 4, 5, 6].map(|round| rotated(vec![1, 2, 3], round));
        assert_eq!(orders, [[1, 2, 3], [2, 1, 3], [3, 1, 2], [3, 2, 1], [2, 3, 1], [1, 3, 2]].map(Vec::from));
        assert!(rotated(Vec::<u32>::new(), 2).is_empty());
    }
}
