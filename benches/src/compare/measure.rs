//! One measurement: starts the processes, lets them talk, and makes figures of what they say.
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use super::case::{Case, Traffic};
use super::options::Plan;
use super::record::ServerFigures;
use super::servers::Server;
use super::session::{FromLoad, FromServer, GO, LoadFigures, SAMPLE, Sample, TOTALS};
use super::tasks::{Measure, TaskFigures, Tasker};
use crate::helper::Helper;

/// How long a server may take to listen, to answer a question, and to see the end of its connections.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long all connections together may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(60);
/// How long one measurement of tasks may take beyond its set time.
const TASKS_MAX: Duration = Duration::from_secs(180);
/// How long switching or spawning is timed, at most; a shorter window of the plan shortens it as well.
const TASKS_TIME_MAX: Duration = Duration::from_millis(400);

/// Conditions of one measurement of a server.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// What the clients do, and where.
    pub case: Case,
    /// Messages per second of held traffic.
    pub rate: f64,
    /// Work per request, in steps.
    pub work_steps: u64,
    /// Files that a process may open.
    pub open_files: u64,
}

/// Measures one server once.
///
/// # Errors
/// If any part of it fails; the error names the part.
pub fn server(server: &Server, plan: &Plan, conditions: &Conditions) -> Result<ServerFigures, String> {
    // Beside its connections a process has an epoll or two, pipes and the standard streams.
    let files = conditions.case.open_at_once() as u64 + 64;
    if files > conditions.open_files {
        return Err(format!("needs {files} open files, the hard limit is {}", conditions.open_files));
    }
    let life = plan.warm_up() + plan.window() + CONNECT_MAX + 6 * ANSWER_MAX;
    let mut contestant = start_server(server, plan, conditions, life)?;
    let FromServer::Ready { port } = contestant.hear(ANSWER_MAX)? else {
        return Err(format!("{}: talks before it listens", server.name));
    };
    let mut load = start_load(port, plan, conditions, life)?;
    let (begin, end, figures) = match converse(&mut contestant, &mut load, plan) {
        Ok(heard) => heard,
        // A dead server shows as a broken connection of its client: its own end says more.
        Err(error) => return Err(contestant.post_mortem().unwrap_or(error)),
    };
    load.finish()?;
    check_books(&mut contestant, &figures)?;
    contestant.finish()?;
    let cores = thread::available_parallelism().map_or(usize::MAX, NonZero::get);
    let cores = conditions.case.placement.workers(cores);
    ServerFigures::new(&figures, &begin, &end, conditions.case.connections, cores)
}

fn start_server(
    server: &Server,
    plan: &Plan,
    conditions: &Conditions,
    life: Duration,
) -> Result<Helper, String> {
    let case = &conditions.case;
    let mut arguments = vec![
        String::from("serve"),
        server.name.to_owned(),
        format!("--workers={}", case.workers),
        format!("--work-steps={}", conditions.work_steps),
        format!("--size={}", case.size),
    ];
    arguments.extend((case.traffic == Traffic::Http).then(|| String::from("--http")));
    arguments.extend(case.placement.server_core().map(|core| format!("--core={core}")));
    arguments.extend(plan.syscalls.then(|| String::from("--syscalls")));
    Helper::start(format!("server {}", server.name), &arguments, life)
}

fn start_load(port: u16, plan: &Plan, conditions: &Conditions, life: Duration) -> Result<Helper, String> {
    let case = &conditions.case;
    let mut arguments = vec![
        String::from("load"),
        port.to_string(),
        format!("--traffic={}", case.traffic.name()),
        format!("--connections={}", case.connections),
        format!("--idle={}", case.idle),
        format!("--size={}", case.size),
        format!("--rate={}", conditions.rate),
        format!("--warm-up-ms={}", plan.warm_up().as_millis()),
        format!("--window-ms={}", plan.window().as_millis()),
    ];
    arguments.extend(case.placement.client_core().map(|core| format!("--core={core}")));
    Helper::start("client", &arguments, life)
}

/// From the connections to the last reply; samples the server at both ends of the window.
fn converse(
    contestant: &mut Helper,
    load: &mut Helper,
    plan: &Plan,
) -> Result<(Sample, Sample, LoadFigures), String> {
    let out_of_turn = |word: FromLoad| Err(format!("client: out of turn: {word:?}"));
    match load.hear(CONNECT_MAX)? {
        FromLoad::Connected => load.tell(GO)?,
        word => return out_of_turn(word),
    }
    let begin = match load.hear(plan.warm_up() + ANSWER_MAX)? {
        FromLoad::WindowBegins => sample(contestant)?,
        word => return out_of_turn(word),
    };
    let end = match load.hear(plan.window() + ANSWER_MAX)? {
        FromLoad::WindowEnds => sample(contestant)?,
        word => return out_of_turn(word),
    };
    match load.hear(2 * ANSWER_MAX)? {
        FromLoad::Done(figures) => Ok((begin, end, figures)),
        word => out_of_turn(word),
    }
}

fn sample(contestant: &mut Helper) -> Result<Sample, String> {
    contestant.tell(SAMPLE)?;
    match contestant.hear(ANSWER_MAX)? {
        FromServer::Sample(sample) => Ok(sample),
        word => Err(format!("server: asked for a sample, says {word:?}")),
    }
}

/// The server must have seen exactly what the client did: as many connections, as many requests, no error.
fn check_books(contestant: &mut Helper, load: &LoadFigures) -> Result<(), String> {
    let until = Instant::now() + ANSWER_MAX;
    let connections = load.connections_made;
    loop {
        contestant.tell(TOTALS)?;
        let FromServer::Totals(totals) = contestant.hear(ANSWER_MAX)? else {
            return Err(String::from("server: asked for its totals, says something else"));
        };
        if totals.closed == connections {
            if let Some(error) = &totals.first_error {
                return Err(format!("server: {} connections failed; {error}", totals.errors));
            }
            if totals.requests != load.requests_total {
                let (server, client) = (totals.requests, load.requests_total);
                return Err(format!("server answered {server} requests, client counts {client}"));
            }
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("server has finished {} of {connections} connections", totals.closed));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Measures one contestant of the task table once.
///
/// # Errors
/// If the process fails.
pub fn tasks(tasker: &Tasker, measure: Measure, plan: &Plan) -> Result<TaskFigures, String> {
    let count = if tasker.contestant == "threads" { plan.threads_max } else { plan.tasks_max };
    let mut arguments = vec![
        String::from("tasks"),
        tasker.contestant.to_owned(),
        measure.name().to_owned(),
        format!("--count={count}"),
        format!("--time-ms={}", plan.window().min(TASKS_TIME_MAX).as_millis()),
    ];
    if tasker.is_pinned {
        arguments.push(String::from("--core=0"));
    }
    let name = format!("{} {}", measure.name(), tasker.name);
    let mut child = Helper::start(name, &arguments, TASKS_MAX)?;
    let figures = child.hear(TASKS_MAX)?;
    child.finish()?;
    Ok(figures)
}
