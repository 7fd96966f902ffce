//! Random programs of tasks against what one who reads each program from top to bottom may expect of it.
//!
//! A program is a tree: a task spawns children and awaits, aborts, suspends, resumes, times out and detaches them. The
//! reference follows one parent at a time and keeps of each child what the parent has done to it, in order; from that
//! follows which outcomes are allowed. On a current-thread runtime more follows, since nothing runs while
//! the parent does. A failing program is made smaller by proptest before it is shown.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use shopfloor::runtime::{Builder, Runtime};
use shopfloor::task::{JoinError, JoinHandle, yield_now};
use shopfloor::time::{sleep, timeout};
use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::Mutex;

/// A task: what it does, and its output.
#[derive(Clone, Debug)]
struct Body {
    output: u8,
    steps: Vec<Step>,
}

/// A number names one of the children that the task has a handle of, modulo how many these are.
#[derive(Clone, Debug)]
enum Step {
    Yield,
    Nap,
    Spawn(Body),
    Await(usize),
    Timeout(usize),
    Abort(usize),
    Suspend(usize),
    Resume(usize),
    Detach(usize),
}

fn leaf() -> impl Strategy<Value = Step> {
    let child = || 0..4_usize;
    prop_oneof![
        3 => Just(Step::Yield),
        1 => Just(Step::Nap),
        3 => child().prop_map(Step::Await),
        2 => child().prop_map(Step::Timeout),
        2 => child().prop_map(Step::Abort),
        3 => child().prop_map(Step::Suspend),
        3 => child().prop_map(Step::Resume),
        1 => child().prop_map(Step::Detach),
    ]
}

fn body(steps: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Body> {
    (any::<u8>(), steps).prop_map(|(output, steps)| Body { output, steps })
}

fn program() -> impl Strategy<Value = Body> {
    let step = leaf().prop_recursive(3, 40, 10, |step| {
        let spawn = body(prop::collection::vec(step, 0..6)).prop_map(Step::Spawn);
        prop_oneof![3 => spawn, 2 => leaf()]
    });
    body(prop::collection::vec(step, 0..14))
}

/// What all tasks of one run share.
#[derive(Debug, Default)]
struct World {
    /// Nothing runs beside the task that runs.
    is_single: bool,
    /// More than zero once the runtime may be ending: that cancels every task that is left.
    ends: Counter,
    /// Futures that were made, and dropped.
    made: Counter,
    dropped: Counter,
    surprises: Mutex<Vec<String>>,
}

impl World {
    fn expect(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.surprises.lock().push(what());
        }
    }
}

/// Lives in a future, from its making on.
struct Presence(Arc<World>);

impl Presence {
    fn new(world: &Arc<World>) -> Self {
        world.made.add(1);
        Self(Arc::clone(world))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.dropped.add(1);
    }
}

/// A child, and what its parent knows of it.
struct Child {
    handle: JoinHandle<u8>,
    output: u8,
    /// Steps that it has begun.
    progress: Arc<Counter>,
    is_aborted: bool,
    is_suspended: bool,
    /// The parent has given way since the child was there and not suspended.
    may_have_begun: bool,
    /// It was done when it was aborted, or could not have begun: the one outcome that is left.
    settled: Option<Outcome>,
    /// Its progress, where nothing but a resume may change that.
    frozen: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Output,
    Cancelled,
}

impl Child {
    fn spawn(body: Body, world: &Arc<World>) -> Self {
        let (output, progress) = (body.output, Arc::new(Counter::new()));
        let handle = shopfloor::spawn(run(body, Arc::clone(world), Arc::clone(&progress)));
        Self {
            handle,
            output,
            progress,
            is_aborted: false,
            is_suspended: false,
            may_have_begun: false,
            settled: None,
            frozen: None,
        }
    }

    fn abort(&mut self, world: &World) {
        self.look(world);
        if !self.is_aborted {
            self.is_aborted = true;
            if self.handle.is_finished() {
                self.settled = Some(Outcome::Output);
            } else if world.is_single && !self.may_have_begun {
                self.settled = Some(Outcome::Cancelled);
            }
        }
        self.is_suspended = false;
        self.frozen = None;
        self.handle.abort();
    }

    fn suspend(&mut self, world: &World) {
        self.handle.suspend();
        if !self.is_aborted && !self.is_suspended {
            self.is_suspended = true;
            self.frozen = world.is_single.then(|| self.progress.get());
        }
    }

    fn resume(&mut self, world: &World) {
        self.look(world);
        self.is_suspended = false;
        self.frozen = None;
        self.handle.resume();
    }

    /// A suspended task stands still.
    fn look(&self, world: &World) {
        if let Some(progress) = self.frozen {
            world.expect(self.progress.get() == progress, || "a suspended task went on".to_owned());
        }
    }

    fn parent_gave_way(&mut self, world: &World) {
        self.look(world);
        self.may_have_begun |= !self.is_suspended;
    }

    fn joined(&self, joined: Result<u8, JoinError>, world: &World) {
        let outcome = match joined {
            Ok(output) => {
                world.expect(output == self.output, || format!("{output} instead of {}", self.output));
                Outcome::Output
            }
            Err(error) => {
                world.expect(error.is_cancelled(), || format!("nobody panics: {error}"));
                let is_told = self.is_aborted || world.ends.get() > 0;
                world.expect(is_told, || "cancelled, and nobody aborted it".to_owned());
                Outcome::Cancelled
            }
        };
        let is_allowed = self.settled.is_none_or(|settled| settled == outcome || world.ends.get() > 0);
        world
            .expect(is_allowed, || format!("{outcome:?}, where nothing else than {:?} can be", self.settled));
        let has_begun = !world.is_single || self.may_have_begun || outcome == Outcome::Cancelled;
        world.expect(has_begun, || "the output of a task that never had its turn".to_owned());
    }
}

/// A task, made and not yet begun.
fn run(body: Body, world: Arc<World>, progress: Arc<Counter>) -> Pin<Box<dyn Future<Output = u8> + Send>> {
    let presence = Presence::new(&world);
    Box::pin(async move {
        let _presence = presence;
        let mut children: Vec<Child> = Vec::new();
        for step in body.steps {
            progress.add(1);
            let gave_way = follow(step, &mut children, &world).await;
            if gave_way {
                children.iter_mut().for_each(|child| child.parent_gave_way(&world));
            }
        }
        progress.add(1);
        body.output
    })
}

/// One step; says whether the task may have given way in it.
async fn follow(step: Step, children: &mut Vec<Child>, world: &Arc<World>) -> bool {
    let count = children.len();
    let nth = |which: usize| which.checked_rem(count);
    match step {
        Step::Yield => yield_now().await,
        Step::Nap => sleep(Duration::from_micros(50)).await,
        Step::Spawn(body) => {
            children.push(Child::spawn(body, world));
            return false;
        }
        Step::Await(which) => {
            let Some(index) = nth(which) else { return false };
            let mut child = children.remove(index);
            // A suspended task would be waited for for ever.
            child.resume(world);
            children.iter_mut().for_each(|other| other.look(world));
            let joined = (&mut child.handle).await;
            child.may_have_begun = true;
            child.joined(joined, world);
        }
        Step::Timeout(which) => {
            let Some(index) = nth(which) else { return false };
            let child = &mut children[index];
            let was_finished = child.handle.is_finished();
            let waited = timeout(Duration::from_micros(100), &mut child.handle).await;
            child.parent_gave_way(world);
            match waited {
                Ok(joined) => {
                    let child = children.remove(index);
                    child.joined(joined, world);
                }
                Err(_) => world.expect(!was_finished, || "no output of a task that was done".to_owned()),
            }
        }
        Step::Abort(which) => return on(children, nth(which), |child| child.abort(world)),
        Step::Suspend(which) => return on(children, nth(which), |child| child.suspend(world)),
        Step::Resume(which) => return on(children, nth(which), |child| child.resume(world)),
        Step::Detach(which) => {
            if let Some(index) = nth(which) {
                drop(children.remove(index));
            }
            return false;
        }
    }
    true
}

/// Does something to a child that takes no time.
fn on(children: &mut [Child], index: Option<usize>, act: impl FnOnce(&mut Child)) -> bool {
    if let Some(index) = index {
        act(&mut children[index]);
    }
    false
}

/// Far beyond what any program takes: a hang is a failure that can be made smaller.
const HANG: Duration = Duration::from_secs(10);

fn play(program: Body, runtime: Runtime, is_single: bool) -> Arc<World> {
    let world = Arc::new(World { is_single, ..World::default() });
    let output = program.output;
    let root = runtime.block_on(async {
        let root = shopfloor::spawn(run(program, Arc::clone(&world), Arc::new(Counter::new())));
        timeout(HANG, root).await
    });
    world.expect(root.is_ok(), || "it hangs".to_owned());
    let root = root.ok().and_then(Result::ok);
    world.expect(root == Some(output), || format!("{root:?} instead of {output}"));
    // Tasks that were detached may still run, and see what the end of the runtime does to their children.
    world.ends.add(1);
    drop(runtime);
    world
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        max_shrink_time: 60_000,
        // The seed in the file would bring back the program, and not the order in which its tasks ran.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_program_of_tasks_has_an_outcome_that_its_text_allows(program in program()) {
        let runtimes = [
            (Builder::new_current_thread().build(), true),
            (Builder::new_multi_thread().worker_threads(1).build(), false),
            (Builder::new_multi_thread().worker_threads(3).build(), false),
        ];
        for (runtime, is_single) in runtimes {
            let world = play(program.clone(), runtime.expect("threads start"), is_single);
            let surprises = world.surprises.lock().clone();
            prop_assert!(surprises.is_empty(), "single-threaded: {}; {:?}", is_single, surprises);
            prop_assert_eq!(world.made.get(), world.dropped.get(), "futures made and dropped");
        }
    }
}
