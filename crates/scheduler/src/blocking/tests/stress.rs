//! Everything at once, with a ledger.

use super::super::{BlockingConfig, BlockingPool, Job};
use super::config;
use shopfloor_protocol::cells::Counter;
use shopfloor_protocol::sync::Mutex;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// xorshift64*: enough to vary what happens.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

#[derive(Default)]
struct Ledger {
    submitted: Counter,
    run: Counter,
    cancelled: Counter,
    returned: Counter,
}

struct Entry {
    ledger: Arc<Ledger>,
    panics: bool,
    /// Submits another one from the thread of the pool.
    then: Option<(Arc<BlockingPool<Entry>>, Box<Entry>)>,
}

impl Job for Entry {
    fn run(mut self) {
        self.ledger.run.add(1);
        if let Some((pool, next)) = self.then.take() {
            submit(&pool, *next);
        }
        assert!(!self.panics, "this job panics on purpose");
    }

    fn cancel(self) {
        self.ledger.cancelled.add(1);
    }
}

fn submit(pool: &BlockingPool<Entry>, entry: Entry) {
    let ledger = Arc::clone(&entry.ledger);
    ledger.submitted.add(1);
    if let Err(refused) = pool.submit(entry) {
        ledger.returned.add(1);
        drop(refused.into_job());
    }
}

fn entry(ledger: &Arc<Ledger>, pool: &Arc<BlockingPool<Entry>>, random: &mut Random) -> Entry {
    let bare = |panics| Entry { ledger: Arc::clone(ledger), panics, then: None };
    let mut entry = bare(random.below(8) == 0);
    entry.then = (random.below(4) == 0).then(|| (Arc::clone(pool), Box::new(bare(false))));
    entry
}

#[test]
fn every_job_is_run_cancelled_or_given_back_exactly_once() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64 | 1);
    println!("seed {seed}");
    for round in 0..12_u64 {
        one_round(seed.wrapping_add(round.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
    }
}

fn one_round(seed: u64) {
    let mut random = Random(seed);
    let keep_alive =
        [Duration::ZERO, Duration::from_micros(20), Duration::from_secs(10)][random.below(3) as usize];
    let config =
        BlockingConfig { keep_alive, ..config(1 + random.below(3) as usize, random.below(8) as usize) };
    let spawns = Mutex::new(Random(seed.rotate_left(17) | 1));
    let pool = Arc::new(BlockingPool::with_spawner(
        config,
        Arc::new(move |builder, main| {
            if spawns.lock().below(4) == 0 {
                return Err(std::io::ErrorKind::WouldBlock.into());
            }
            builder.spawn(main).map(drop)
        }),
    ));
    let ledger = Arc::<Ledger>::default();
    let submitters: Vec<_> = (0..3)
        .map(|index| {
            let (pool, ledger) = (Arc::clone(&pool), Arc::clone(&ledger));
            thread::spawn(move || submit_many(&pool, &ledger, Random((seed ^ (index + 1)) | 1)))
        })
        .collect();
    let shut_early = random.below(2) == 0;
    if shut_early {
        pool.shutdown(Duration::from_micros(random.below(500)));
    }
    submitters.into_iter().for_each(|submitter| submitter.join().expect("no submitter panics"));
    let report = pool.shutdown(Duration::MAX);
    assert_eq!((report.threads_detached, report.jobs_running), (0, 0), "seed {seed}");

    let counts = pool.counts();
    assert_eq!((counts.threads, counts.idle, counts.busy, counts.queued), (0, 0, 0, 0), "seed {seed}");
    let settled = ledger.run.get() + ledger.cancelled.get() + ledger.returned.get();
    assert_eq!(ledger.submitted.get(), settled, "seed {seed}");
    assert_eq!(Arc::strong_count(&ledger), 1, "seed {seed}: a job was not dropped");
}

fn submit_many(pool: &Arc<BlockingPool<Entry>>, ledger: &Arc<Ledger>, mut random: Random) {
    for _ in 0..200 {
        submit(pool, entry(ledger, pool, &mut random));
    }
}
