//! A fault in the middle of what a journal is asked for, at every operation of the disk.

use std::path::Path;

use fhir_import::journal::{JournalError, Result};

use super::requests::{Process, Request, lease_again, look};
use crate::harness::disk::{Death, Disk, Fault, Lasts};

/// What happens after the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The power is cut.
    PowerCut,
    /// The process is killed, another one tries again, and then the power is cut.
    KillAndTryAgain,
    /// The same process tries again, and then the power is cut.
    TryAgain,
}

struct Trial {
    request: Request,
    fault: Fault,
    lasts: Lasts,
    nth: u64,
    then: Then,
}

impl Trial {
    /// Answers whether the fault struck.
    fn run(&self, before: &str, after: &str) -> bool {
        let folder = self.request.folder();
        let path = folder.path();
        let disk = Disk::under(path, self.nth);
        let mut process = self.request.prepare(path);
        disk.fail_at(self.nth, self.fault, self.lasts);
        let answer = process.ask(path);
        let struck = disk.struck() > 0;
        disk.mend();
        self.check_answer(&answer);
        if let Some(seen) = process.look() {
            self.check_look(&seen, before, after, &answer);
        }
        let epoch = process.epoch();
        match self.then {
            Then::PowerCut => {
                crash(&disk, process, Death::UnsyncedLost);
                self.check_look(&look(path), before, after, &answer);
            }
            Then::KillAndTryAgain => {
                crash(&disk, process, Death::Killed);
                self.check_look(&look(path), before, after, &answer);
                self.try_again(&disk, self.request.prepare(path), path, after);
            }
            Then::TryAgain => self.try_again(&disk, process, path, after),
        }
        lease_again(path, epoch, self);
        struck
    }

    fn try_again(&self, disk: &Disk, mut process: Process, path: &Path, after: &str) {
        process.ask_again(path).unwrap_or_else(|error| panic!("{self}: {error:?}"));
        crash(disk, process, Death::UnsyncedLost);
        assert_eq!(look(path), after, "{self}: what was stored in the end");
    }

    fn check_answer(&self, answer: &Result<()>) {
        if let Err(error) = answer {
            assert!(matches!(error, JournalError::Store { .. }), "{self}: {error:?}");
            let said = error.to_string();
            assert!(said.contains("mend the disk or its permissions, then go on with the same import"), "{said}");
        }
    }

    fn check_look(&self, seen: &str, before: &str, after: &str, answer: &Result<()>) {
        assert!(seen == after || (answer.is_err() && seen == before), "{self}: {answer:?}, then\n{seen}");
    }
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { request, fault, lasts, nth, then } = self;
        write!(f, "{request:?}, {fault:?} at {nth}, {lasts:?}, then {then:?}")
    }
}

fn crash(disk: &Disk, process: Process, death: Death) {
    disk.halt();
    drop(process);
    disk.crash(death);
}

/// Tries every operation of the disk until the fault comes too late to strike.
fn every_operation(request: Request) {
    let (before, after) = request.looks();
    for fault in [Fault::Io, Fault::Full] {
        for lasts in [Lasts::Once, Lasts::FromThenOn] {
            for then in [Then::PowerCut, Then::KillAndTryAgain, Then::TryAgain] {
                let mut nth = 1;
                while (Trial { request, fault, lasts, nth, then }).run(&before, &after) {
                    nth += 1;
                }
                assert!(nth > 3 || fault == Fault::Full, "{request:?}: only {nth} operations");
            }
        }
    }
}

#[test]
fn a_fault_while_a_journal_is_made_leaves_none_or_a_whole_one() {
    every_operation(Request::Begin);
}

#[test]
fn a_fault_while_a_journal_is_opened_and_an_import_stored_leaves_it_out_or_whole() {
    every_operation(Request::Create);
}

#[test]
fn a_fault_while_reading_changes_nothing() {
    [Request::Load, Request::List, Request::History].into_iter().for_each(every_operation);
}

#[test]
fn a_fault_while_leasing_never_gives_an_epoch_twice() {
    every_operation(Request::Lease);
}

#[test]
fn a_fault_while_an_intent_is_stored_leaves_it_out_or_durable() {
    every_operation(Request::Intend);
}

#[test]
fn a_fault_while_a_transition_is_stored_leaves_it_out_or_durable() {
    [Request::Append, Request::AppendHost].into_iter().for_each(every_operation);
}

#[test]
fn a_fault_while_a_journal_is_closed_loses_nothing() {
    every_operation(Request::Close);
}
