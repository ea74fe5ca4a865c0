//! Many simulations: on all cores, the same seed twice, compiled in and as a component.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use fhir_import::contract::Outcome;
use fhir_import::{Engine, Importer, Network, SharedClock};

use crate::judge::{Broken, judge};
use crate::native::Native;
use crate::world::{Ended, Make, simulate};

/// What so many imports came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Imports.
    pub imports: u64,
    /// Those whose process died, or was refused by its disk, at least once.
    pub with_deaths: u64,
    /// Requests that left the clients.
    pub requests: u64,
    /// How they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// What was not kept.
    pub failures: Vec<Failure>,
}

/// A seed that broke a promise.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub broken: Broken,
}

struct CompiledIn;

impl Make for CompiledIn {
    type Made = Native;

    fn make(&self, network: Network, clock: SharedClock) -> Native {
        Native::new(network, clock)
    }
}

struct AsComponent(Engine);

impl Make for AsComponent {
    type Made = Importer;

    fn make(&self, network: Network, clock: SharedClock) -> Importer {
        Importer::new(self.0.clone(), clock, network)
    }
}

/// Simulates one seed with the decisions compiled in.
#[must_use]
pub fn native(seed: u64) -> Ended {
    block_on(simulate(seed, &CompiledIn))
}

/// Simulates one seed with the decisions as `importer.wasm`.
#[must_use]
pub fn component(seed: u64, engine: &Engine) -> Ended {
    block_on(simulate(seed, &AsComponent(engine.clone())))
}

/// Virtual time needs no timers, but for an import that is asked to stop while its kick-off is on its way.
fn block_on<T>(simulation: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without threads can always be made").block_on(simulation)
}

/// Runs so many seeds, from one on, on all cores, and judges each with what `check` adds. What fails is told at once.
pub fn run(first: u64, count: u64, check: impl Fn(&Ended) -> Result<(), Broken> + Sync) -> Summary {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(first);
    let all = Mutex::new(Summary::default());
    let work = || {
        let mut mine = Summary::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first.saturating_add(count) {
                break;
            }
            let ended = native(seed);
            let judged = judge(&ended).and_then(|()| check(&ended));
            if let Err(broken) = &judged {
                eprintln!(
                    "seed {seed}: {}: {}\nagain: cargo xtask simulate --replay {seed}",
                    broken.promise, broken.how
                );
            }
            mine.add(&ended, judged);
        }
        all.lock().unwrap_or_else(PoisonError::into_inner).merge(mine);
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.failures.sort_by_key(|failure| failure.seed);
    all
}

impl Summary {
    fn add(&mut self, ended: &Ended, judged: Result<(), Broken>) {
        self.imports += 1;
        self.with_deaths += u64::from(ended.lives > 1);
        self.requests += ended.sent.len() as u64;
        *self.outcomes.entry(name(ended.outcome())).or_default() += 1;
        self.failures.extend(judged.err().map(|broken| Failure { seed: ended.scenario.seed, broken }));
    }

    fn merge(&mut self, other: Self) {
        self.imports += other.imports;
        self.with_deaths += other.with_deaths;
        self.requests += other.requests;
        other.outcomes.into_iter().for_each(|(name, count)| *self.outcomes.entry(name).or_default() += count);
        self.failures.extend(other.failures);
    }
}

fn name(outcome: Option<Outcome>) -> String {
    outcome.map_or_else(|| "not over".to_owned(), |outcome| format!("{outcome:?}"))
}
