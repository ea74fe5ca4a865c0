//! A crash in the middle of what a journal is asked for, at every change of the disk.

use super::requests::{Request, lease_again, look};
use crate::harness::disk::{Death, Disk};

/// Crashes at this change. Answers whether the request came that far.
fn crash_at(request: Request, nth: u64, death: Death, seed: u64, (before, after): &(String, String)) -> bool {
    let what = format!("{request:?}, {death:?} at {nth}, seed {seed}");
    let folder = request.folder();
    let path = folder.path();
    let disk = Disk::under(path, seed);
    let mut process = request.prepare(path);
    let epoch = process.epoch();
    disk.halt_at(nth);
    let answer = process.ask(path);
    let struck = disk.struck() > 0;
    let epoch = if answer.is_ok() { process.epoch() } else { epoch };
    disk.halt();
    drop(process);
    disk.crash(death);
    let seen = look(path);
    assert!(seen == *after || (answer.is_err() && seen == *before), "{what}: {answer:?}, then\n{seen}");
    lease_again(path, epoch, &what);
    // What is seen after a crash stays seen.
    disk.halt();
    disk.crash(Death::UnsyncedLost);
    assert_eq!(look(path), seen, "{what}: it was seen, then gone");
    let mut process = request.prepare(path);
    process.ask_again(path).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    drop(process);
    assert_eq!(look(path), *after, "{what}");
    struck
}

#[test]
fn a_crash_at_any_change_leaves_the_journal_as_before_or_as_after() {
    for request in Request::ALL {
        let looks = request.looks();
        for death in Death::ALL {
            let mut nth = 1;
            while crash_at(request, nth, death, nth, &looks) {
                nth += 1;
            }
        }
    }
}

#[test]
fn a_write_may_be_torn_anywhere() {
    for request in [Request::Create, Request::Lease, Request::Intend, Request::Append, Request::Close] {
        let looks = request.looks();
        for seed in 0..25 {
            let mut nth = 1;
            while crash_at(request, nth, Death::TornWrite, seed, &looks) {
                nth += 1;
            }
        }
    }
}
