//! How kick-offs become jobs: what a client can do after an answer that never came depends on nothing else.
//!
//! The draft says nothing of it, so a server to the letter starts a job for every kick-off. The other ways are those
//! of servers that are described in documents but cannot be run here.

#[cfg(test)]
mod tests;

use super::kick_off::Order;
use super::refusal;
use crate::identity::Ids;
use crate::ledger::Entry;
use axum::response::Response;
use hyper::StatusCode;

/// How kick-offs become jobs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::personality) enum Registration {
    /// The caller names each job by an `id` in the body, and a name is good for one.
    CallerKey,
    /// Every kick-off is a new job.
    EveryKickOff,
    /// Every kick-off is a new job, and there is a list of them.
    Listed,
    /// A body whose bytes are those of a known job is that job, running or ended. A cancelled job is not known.
    SameBytes,
}

impl Registration {
    /// The id of the job an order asks for.
    pub(super) fn id(self, ids: &Ids, order: &Order) -> Result<String, String> {
        match self {
            Self::CallerKey => {
                let key = order.id.as_ref().and_then(|id| id.as_str()).filter(|key| is_key(key));
                key.map(str::to_owned).ok_or_else(|| "id must be 1 to 64 characters of A-Z, a-z, 0-9 and -".to_owned())
            }
            Self::EveryKickOff | Self::Listed | Self::SameBytes => Ok(ids.uuid()),
        }
    }

    /// Whether a known job makes a wanted one needless.
    pub(super) fn is_same(self, known: &Entry, wanted: &Entry) -> bool {
        match self {
            Self::CallerKey => known.status_url == wanted.status_url,
            Self::EveryKickOff | Self::Listed => false,
            Self::SameBytes => known.kick_off == wanted.kick_off,
        }
    }

    /// What a kick-off gets whose job there is already.
    pub(super) fn known(self, job: &Entry) -> Response {
        match self {
            Self::CallerKey => refusal(StatusCode::CONFLICT, "duplicate", "There is an import with this id"),
            Self::EveryKickOff | Self::Listed | Self::SameBytes => super::kick_off::accepted(&job.status_url),
        }
    }
}

fn is_key(key: &str) -> bool {
    (1..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
