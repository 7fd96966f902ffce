//! Which rows a run has: what was asked for, else a default for each kind of traffic.
use super::case::{Case, Placement, Traffic};

/// What was asked for, as far as it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) traffic: Option<Vec<Traffic>>,
    pub(super) placements: Option<Vec<Placement>>,
    pub(super) connections: Option<Vec<usize>>,
    pub(super) sizes: Option<Vec<usize>>,
    pub(super) work_us: Option<Vec<u64>>,
    pub(super) workers: Option<Vec<usize>>,
    pub(super) loads: Option<Vec<u32>>,
    pub(super) idle: Option<usize>,
}

/// Idle connections beside the busy ones.
const IDLE: usize = 8000;

/// A block of rows: every combination of the values in its lists.
struct Block {
    traffic: Traffic,
    placements: Vec<Placement>,
    connections: Vec<usize>,
    sizes: Vec<usize>,
    work_us: Vec<u64>,
    workers: Vec<usize>,
    loads: Vec<u32>,
}

impl Block {
    /// What a kind of traffic does if nothing else is asked for.
    fn of(traffic: Traffic) -> Self {
        let (connections, sizes, work_us) = match traffic {
            Traffic::PingPong => (vec![1, 64, 1000], vec![64], vec![0]),
            Traffic::Streaming => (vec![8], vec![64, 4096, 65_536], vec![0]),
            Traffic::Idle => (vec![8], vec![64], vec![0]),
            Traffic::Mixed | Traffic::Storm => (vec![64], vec![64], vec![0]),
            Traffic::Held => (vec![64], vec![64], vec![20, 200]),
            Traffic::Http => (vec![64, 1000], vec![64], vec![0]),
        };
        let loads = if traffic == Traffic::Held { vec![50, 80] } else { vec![0] };
        Self {
            traffic,
            placements: vec![Placement::None],
            connections,
            sizes,
            work_us,
            workers: vec![2],
            loads,
        }
    }

    fn heeding(mut self, wishes: &Wishes) -> Self {
        fn heed<T: Clone>(wish: Option<&Vec<T>>, value: &mut Vec<T>) {
            if let Some(wish) = wish {
                value.clone_from(wish);
            }
        }
        heed(wishes.placements.as_ref(), &mut self.placements);
        heed(wishes.connections.as_ref(), &mut self.connections);
        heed(wishes.sizes.as_ref(), &mut self.sizes);
        heed(wishes.work_us.as_ref(), &mut self.work_us);
        heed(wishes.workers.as_ref(), &mut self.workers);
        if self.traffic == Traffic::Held {
            heed(wishes.loads.as_ref(), &mut self.loads);
        }
        self
    }

    fn cases(&self, idle: usize) -> Vec<Case> {
        let mut cases = Vec::new();
        for &placement in &self.placements {
            for &workers in &self.workers {
                for &work_us in &self.work_us {
                    for &size in &self.sizes {
                        for &connections in &self.connections {
                            cases.extend(self.loads.iter().map(|&load_percent| Case {
                                traffic: self.traffic,
                                placement,
                                connections,
                                idle: if self.traffic == Traffic::Idle { idle } else { 0 },
                                size,
                                work_us,
                                workers: placement.workers(workers),
                                load_percent,
                            }));
                        }
                    }
                }
            }
        }
        cases
    }
}

/// The rows of a run, each once.
pub(super) fn cases(wishes: &Wishes, is_full: bool) -> Vec<Case> {
    let blocks = if is_full { full() } else { vec![Block::of(Traffic::PingPong)] };
    let blocks = match &wishes.traffic {
        // Of what was asked for by name there is always the default.
        Some(traffic) => {
            let named = traffic.iter().map(|&traffic| Block::of(traffic));
            let more = blocks.into_iter().filter(|block| is_full && traffic.contains(&block.traffic));
            named.chain(more).collect()
        }
        None => blocks,
    };
    let mut cases = Vec::new();
    for block in blocks {
        for case in block.heeding(wishes).cases(wishes.idle.unwrap_or(IDLE)) {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
    }
    cases
}

fn full() -> Vec<Block> {
    let ping_pong = || Block::of(Traffic::PingPong);
    vec![
        Block { placements: Placement::ALL.to_vec(), connections: vec![1, 8, 64, 1000, 8000], ..ping_pong() },
        Block { connections: vec![64], sizes: vec![4096, 65_536], ..ping_pong() },
        Block { connections: vec![64], work_us: vec![20, 200], workers: vec![2, 1], ..ping_pong() },
        Block::of(Traffic::Streaming),
        Block::of(Traffic::Idle),
        Block::of(Traffic::Mixed),
        Block::of(Traffic::Storm),
        Block::of(Traffic::Held),
        Block::of(Traffic::Http),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Case, Placement, Traffic, Wishes, cases};

    #[test]
    fn without_wishes_there_are_three_rows() {
        let cases = cases(&Wishes::default(), false);
        let connections: Vec<usize> = cases.iter().map(|case| case.connections).collect();
        assert_eq!(connections, [1, 64, 1000]);
        assert!(cases.iter().all(|case| case.traffic == Traffic::PingPong && case.size == 64));
    }

    #[test]
    fn full_has_every_kind_of_traffic_and_no_row_twice() {
        let cases = cases(&Wishes::default(), true);
        for traffic in [
            Traffic::PingPong,
            Traffic::Streaming,
            Traffic::Idle,
            Traffic::Mixed,
            Traffic::Storm,
            Traffic::Held,
            Traffic::Http,
        ] {
            assert!(cases.iter().any(|case| case.traffic == traffic), "{traffic:?}");
        }
        for placement in Placement::ALL {
            for connections in [1, 8, 64, 1000, 8000] {
                let is_row = |case: &&Case| case.placement == placement && case.connections == connections;
                assert!(cases.iter().any(|case| is_row(&case)), "{placement:?} {connections}");
            }
        }
        let distinct: std::collections::HashSet<&Case> = cases.iter().collect();
        assert_eq!(distinct.len(), cases.len());
    }

    #[test]
    fn wishes_are_combined_with_each_other() {
        let wishes = Wishes {
            traffic: Some(vec![Traffic::Held, Traffic::Idle]),
            sizes: Some(vec![64, 4096]),
            work_us: Some(vec![20]),
            loads: Some(vec![50, 80]),
            idle: Some(100),
            ..Wishes::default()
        };
        let cases = cases(&wishes, false);
        let held = cases.iter().filter(|case| case.traffic == Traffic::Held);
        assert_eq!(held.count(), 4);
        // A rate means nothing to the others, nor do idle connections.
        let idle: Vec<(u32, usize)> = cases
            .iter()
            .filter(|case| case.traffic == Traffic::Idle)
            .map(|case| (case.load_percent, case.idle))
            .collect();
        assert_eq!(idle, [(0, 100), (0, 100)]);
        assert!(cases.iter().all(|case| case.traffic == Traffic::Idle || case.idle == 0));
    }

    #[test]
    fn a_pinned_server_is_one_row_whatever_the_workers() {
        let wishes = Wishes {
            connections: Some(vec![64]),
            placements: Some(vec![Placement::Split]),
            workers: Some(vec![1, 2]),
            ..Wishes::default()
        };
        assert_eq!(cases(&wishes, false).len(), 1);
    }
}
