//! Which operation fails, and how SQLite is told.

use std::ffi::c_int;

use rusqlite::ffi;

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not answer.
    Io,
    /// It has no space left.
    Full,
}

/// For how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// One operation.
    Once,
    /// That operation and all that follow.
    FromThenOn,
}

/// What SQLite asks of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Open,
    Create,
    Delete,
    Access,
    Read,
    Write,
    Truncate,
    Sync,
    Size,
    Lock,
    ShmMap,
    ShmLock,
}

impl Operation {
    fn changes(self) -> bool {
        matches!(self, Self::Create | Self::Delete | Self::Write | Self::Truncate | Self::Sync)
    }

    fn can_have(self, fault: Fault) -> bool {
        fault == Fault::Io || matches!(self, Self::Create | Self::Write | Self::ShmMap)
    }

    /// The codes are those that the unix VFS gives.
    fn code(self, fault: Fault) -> c_int {
        match self {
            Self::Write if fault == Fault::Full => ffi::SQLITE_FULL,
            Self::ShmMap if fault == Fault::Full => ffi::SQLITE_IOERR_SHMSIZE,
            Self::Open | Self::Create => ffi::SQLITE_CANTOPEN,
            Self::Delete => ffi::SQLITE_IOERR_DELETE,
            Self::Access => ffi::SQLITE_IOERR_ACCESS,
            Self::Read => ffi::SQLITE_IOERR_READ,
            Self::Write => ffi::SQLITE_IOERR_WRITE,
            Self::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            Self::Sync => ffi::SQLITE_IOERR_FSYNC,
            Self::Size => ffi::SQLITE_IOERR_FSTAT,
            Self::Lock => ffi::SQLITE_IOERR_LOCK,
            Self::ShmMap => ffi::SQLITE_IOERR_SHMMAP,
            Self::ShmLock => ffi::SQLITE_IOERR_SHMLOCK,
        }
    }
}

/// Why an operation does not happen, and the code for SQLite.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// The process is dead: nothing is done.
    Dead(c_int),
    /// The disk fails: half of it may be done.
    Broken(c_int),
}

/// When operations fail.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) operations: u64,
    pub(super) changes: u64,
    pub(super) struck: u64,
    fault: Option<Planned>,
    /// The number of the first change that does not happen.
    halt: Option<u64>,
}

#[derive(Debug)]
struct Planned {
    /// How many that could fail go well before.
    good: u64,
    fault: Fault,
    lasts: Lasts,
}

impl Plan {
    pub(super) fn fail_at(&mut self, nth: u64, fault: Fault, lasts: Lasts) {
        self.fault = Some(Planned { good: nth.saturating_sub(1), fault, lasts });
    }

    pub(super) fn halt_at(&mut self, nth: u64) {
        self.halt = Some(self.changes + nth);
    }

    pub(super) fn mend(&mut self) {
        (self.fault, self.halt, self.struck) = (None, None, 0);
    }

    /// Whether the disk is dead: releases are passed on, but nothing may be deleted by them.
    pub(super) fn is_halted(&self) -> bool {
        self.halt.is_some_and(|halt| self.changes >= halt)
    }

    /// Counts an operation and says whether it happens.
    pub(super) fn admit(&mut self, operation: Operation) -> Result<(), Refusal> {
        self.operations += 1;
        self.changes += u64::from(operation.changes());
        if self.is_halted() {
            self.struck += 1;
            return Err(Refusal::Dead(operation.code(Fault::Io)));
        }
        let Some(fault) = self.strike(operation) else { return Ok(()) };
        self.struck += 1;
        Err(Refusal::Broken(operation.code(fault)))
    }

    fn strike(&mut self, operation: Operation) -> Option<Fault> {
        let planned = self.fault.as_mut().filter(|planned| operation.can_have(planned.fault))?;
        if planned.good > 0 {
            planned.good -= 1;
            return None;
        }
        let fault = planned.fault;
        if planned.lasts == Lasts::Once {
            self.fault = None;
        }
        Some(fault)
    }
}
