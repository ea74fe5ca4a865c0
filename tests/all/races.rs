//! Processes that race for the same imports, while their holders are killed and stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use fhir_import::journal::{ImportId, Journal, NewImport, NextKind, SameInputs, SqliteJournal, StoredTransition};
use tempfile::TempDir;

use crate::harness::disk::Random;

const ROUNDS: u128 = 1000;
const RACERS: usize = 8;
const LIMIT: Duration = Duration::from_secs(900);

/// The racers, and how they are disturbed.
struct Race {
    folder: TempDir,
    journal: SqliteJournal,
    racers: Vec<Child>,
    round: u128,
    random: Random,
    killed: usize,
    stopped: usize,
    unlocked: usize,
}

fn import(round: u128) -> ImportId {
    ImportId::from_bytes(round.to_be_bytes())
}

fn new(round: u128) -> NewImport {
    let first = StoredTransition {
        checkpoint: "0 0 0".to_owned(),
        next_kind: NextKind::Submit,
        next: "{}".to_owned(),
        outcome: None,
        events: Vec::new(),
        at_ms: 1,
    };
    NewImport {
        id: import(round),
        key: None,
        inputs_digest: round.to_string(),
        server: "https://fhir.example.org/fhir".to_owned(),
        created_ms: 1,
        plan: "{}".to_owned(),
        host: "{}".to_owned(),
        first,
        same_inputs: SameInputs::Allow,
    }
}

impl Race {
    fn start(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let journal = SqliteJournal::open(&folder.path().join("state")).unwrap();
        (0..ROUNDS).for_each(|round| journal.create(&new(round)).unwrap());
        fs::write(folder.path().join("seen"), "").unwrap();
        let random = Random::new(seed);
        let mut race =
            Self { folder, journal, racers: Vec::new(), round: 0, random, killed: 0, stopped: 0, unlocked: 0 };
        race.racers = (0..RACERS).map(|_| race.spawn()).collect();
        race
    }

    fn spawn(&self) -> Child {
        let mut racer = Command::new(env!("CARGO_BIN_EXE_racer"));
        racer.arg(self.folder.path().join("state")).arg(self.folder.path().join("seen"));
        racer.arg(self.round.to_string()).arg(ROUNDS.to_string()).stdin(Stdio::null());
        racer.spawn().unwrap()
    }

    /// Disturbs the racers until all imports are over.
    fn run(&mut self) {
        let until = Instant::now() + LIMIT;
        while self.round < ROUNDS {
            assert!(Instant::now() < until, "round {} did not end", self.round);
            let pause = self.random.below(3000) as u64;
            std::thread::sleep(Duration::from_micros(pause));
            let victim = self.victim();
            if self.random.below(3) == 0 {
                self.kill(victim);
            } else {
                self.stop(victim);
            }
            while self.round < ROUNDS && self.is_over(self.round) {
                self.round += 1;
            }
        }
        for racer in &mut self.racers {
            assert!(racer.wait().unwrap().success(), "a racer broke a rule");
        }
    }

    fn is_over(&self, round: u128) -> bool {
        self.journal.load(&import(round)).unwrap().latest.next_kind == NextKind::Done
    }

    fn lock_file(&self) -> PathBuf {
        self.folder.path().join(format!("state/locks/{}.lock", import(self.round)))
    }

    /// Mostly the last holder of the import that is raced for.
    fn victim(&mut self) -> usize {
        let mark: serde_json::Value = fs::read_to_string(self.lock_file())
            .ok()
            .and_then(|mark| serde_json::from_str(&mark).ok())
            .unwrap_or_default();
        let holder = self.racers.iter().position(|racer| mark["holder"]["pid"] == racer.id());
        holder.filter(|_| self.random.below(4) > 0).unwrap_or_else(|| self.random.below(RACERS))
    }

    fn kill(&mut self, victim: usize) {
        self.racers[victim].kill().unwrap();
        let ended = self.racers[victim].wait().unwrap();
        assert_ne!(ended.code(), Some(101), "a racer broke a rule");
        self.racers[victim] = self.spawn();
        self.killed += 1;
    }

    /// Stops a racer for some time; sometimes its lock is taken from it meanwhile, as a network file system may.
    fn stop(&mut self, victim: usize) {
        self.signal(victim, "STOP");
        if self.random.below(3) == 0 {
            self.unlocked += usize::from(fs::remove_file(self.lock_file()).is_ok());
        }
        let stopped = self.random.below(12) as u64;
        std::thread::sleep(Duration::from_millis(stopped));
        self.signal(victim, "CONT");
        self.stopped += 1;
    }

    /// It is our child and nobody waited for it, so the number is its own.
    fn signal(&self, victim: usize, signal: &str) {
        let command = format!("kill -{signal} {}", self.racers[victim].id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    fn check(&self) {
        let seen = fs::read_to_string(self.folder.path().join("seen")).unwrap();
        let lines: Vec<Vec<&str>> = seen.lines().map(|line| line.split(' ').collect()).collect();
        one_of_a_kind(&lines, "posted", |line| (line[1], line[2]), "kick-offs of one intent");
        one_of_a_kind(&lines, "leased", |line| (line[1], line[3]), "writers of one epoch");
        one_of_a_kind(&lines, "stored", |line| (line[1], line[2]), "transitions of one generation");
        for round in 0..ROUNDS {
            let history = self.journal.history(&import(round)).unwrap();
            let epochs: Vec<u64> =
                history.iter().map(|past| past.checkpoint.split(' ').nth(1).unwrap().parse().unwrap()).collect();
            assert!(epochs.is_sorted(), "round {round}: written under an older epoch: {epochs:?}");
            assert_eq!(history.last().unwrap().next_kind, NextKind::Done);
        }
        let count = |what: &str| lines.iter().filter(|line| line[0] == what).count();
        let (killed, stopped, unlocked, fenced) = (self.killed, self.stopped, self.unlocked, count("fenced"));
        println!("{killed} killed, {stopped} stopped, {unlocked} lost their lock, {fenced} fenced");
        println!("{} leases, {} kick-offs", count("leased"), count("posted"));
        assert!(killed > 50 && stopped > 50 && fenced > 0, "the race was not disturbed");
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        for racer in &mut self.racers {
            racer.kill().ok();
            racer.wait().ok();
        }
    }
}

fn one_of_a_kind<'a, K: Ord + std::fmt::Debug>(
    lines: &'a [Vec<&'a str>],
    what: &str,
    key: impl Fn(&'a [&'a str]) -> K,
    name: &str,
) {
    let mut by_key: BTreeMap<K, Vec<&[&str]>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line[0] == what) {
        by_key.entry(key(line)).or_default().push(line);
    }
    for (key, same) in by_key {
        assert_eq!(same.len(), 1, "{name}, {key:?}: {same:?}");
    }
}

#[test]
fn eight_processes_that_are_killed_and_stopped_never_send_one_kick_off_twice() {
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut race = Race::start(seed);
    race.run();
    race.check();
}
