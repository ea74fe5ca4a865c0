//! What comes of an import to each server. The reasons are in its dialect, the evidence in its practice server.

use fhir_import::contract::Outcome::{self, Failed, FinishedWithErrors, VerificationFailed};
use fhir_import_sandbox::Personality;

/// A server.
pub(super) struct Row {
    pub(super) server: Personality,
    /// What it says that it imported of three good resources.
    pub(super) imported: Option<u64>,
    /// What comes of three resources of which one is rejected,
    pub(super) rejected: Ends,
    /// and whether it says why.
    pub(super) classes: bool,
    /// What comes of files that it cannot fetch. `None`: it fetches none.
    pub(super) unfetched: Option<Ends>,
    /// How a job is cancelled.
    pub(super) cancel: Cancel,
    /// What follows from a lost answer to a kick-off.
    pub(super) lost: Lost,
    /// Kick-offs of an import of two files.
    pub(super) kick_offs: usize,
}

/// How an import ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    pub(super) outcome: Outcome,
    pub(super) imported: Option<u64>,
    pub(super) rejected: Option<u64>,
}

/// How a job is cancelled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cancel {
    Deletes,
    /// Others may have the same job.
    DeletesByForce,
    /// It is not, and a person is told so.
    No(&'static str),
}

/// What follows from a lost answer to a kick-off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Lost {
    /// A person looks at the server.
    AskedOf,
    /// The server gives the same job for the same kick-off.
    SentAgain,
    /// The job stands in a list.
    Found,
}

impl Row {
    /// Whether the server is asked how its job stands.
    pub(super) fn is_asked(&self) -> bool {
        !matches!(self.server, Personality::Onfhir | Personality::Sazare)
    }
}

const fn ends(outcome: Outcome, imported: Option<u64>, rejected: Option<u64>) -> Ends {
    Ends { outcome, imported, rejected }
}

/// A server that follows the SMART draft, as far as it says nothing else.
const fn row(server: Personality) -> Row {
    Row {
        server,
        imported: Some(3),
        rejected: ends(FinishedWithErrors, Some(2), Some(1)),
        classes: true,
        unfetched: Some(ends(Failed, None, None)),
        cancel: Cancel::Deletes,
        lost: Lost::AskedOf,
        kick_offs: 1,
    }
}

const UNCOUNTED: Ends = ends(FinishedWithErrors, None, Some(1));
/// A file counts as one, and more than two resources are missing.
const UNREAD: Ends = ends(VerificationFailed, None, Some(2));
const FAILED: Ends = ends(Failed, None, None);

pub(super) const TABLE: [Row; 18] = [
    Row {
        imported: Some(3),
        rejected: UNCOUNTED,
        unfetched: Some(UNREAD),
        cancel: Cancel::No("Aidbox documents no request"),
        ..row(Personality::Aidbox)
    },
    Row {
        imported: None,
        rejected: UNCOUNTED,
        unfetched: Some(UNREAD),
        cancel: Cancel::No("Aidbox documents no request"),
        lost: Lost::SentAgain,
        ..row(Personality::AidboxV2)
    },
    Row {
        imported: None,
        rejected: UNCOUNTED,
        unfetched: Some(UNREAD),
        lost: Lost::SentAgain,
        ..row(Personality::BulkSubmit)
    },
    Row {
        imported: None,
        rejected: UNCOUNTED,
        unfetched: Some(UNREAD),
        cancel: Cancel::No("no request that cancels a submission"),
        lost: Lost::SentAgain,
        ..row(Personality::BulkSubmitArgonaut)
    },
    Row { classes: false, lost: Lost::Found, ..row(Personality::Google) },
    Row {
        rejected: ends(Failed, Some(2), Some(1)),
        cancel: Cancel::No("HAPI FHIR has no request"),
        ..row(Personality::Hapi)
    },
    Row {
        classes: false,
        cancel: Cancel::No("HealthLake has no request"),
        lost: Lost::SentAgain,
        ..row(Personality::Healthlake)
    },
    Row { classes: false, ..row(Personality::Ibm) },
    Row { cancel: Cancel::DeletesByForce, lost: Lost::SentAgain, ..row(Personality::Microsoft) },
    Row { cancel: Cancel::No("OctoFHIR answers a DELETE"), ..row(Personality::Octofhir) },
    Row {
        imported: None,
        rejected: ends(VerificationFailed, None, None),
        classes: false,
        unfetched: Some(ends(VerificationFailed, None, None)),
        ..row(Personality::Onfhir)
    },
    Row {
        imported: None,
        rejected: FAILED,
        cancel: Cancel::DeletesByForce,
        lost: Lost::SentAgain,
        ..row(Personality::Pathling)
    },
    Row {
        imported: None,
        rejected: FAILED,
        cancel: Cancel::No("Pathling 7 has no request"),
        ..row(Personality::Pathling7)
    },
    Row { unfetched: None, lost: Lost::SentAgain, kick_offs: 2, ..row(Personality::Sazare) },
    Row { unfetched: Some(ends(VerificationFailed, Some(0), Some(2))), ..row(Personality::SmartManifest) },
    Row { imported: None, rejected: UNCOUNTED, unfetched: Some(UNREAD), ..row(Personality::SmartPnp) },
    Row {
        rejected: ends(Failed, Some(2), Some(1)),
        cancel: Cancel::No("Smile CDR has no request"),
        ..row(Personality::Smile)
    },
    Row {
        imported: None,
        rejected: FAILED,
        cancel: Cancel::No("another one replaces it"),
        ..row(Personality::UdsPlus)
    },
];
