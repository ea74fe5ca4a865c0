//! The import itself: raw upserts, without validation.

use super::Edition;
use super::kick_off::Order;
use crate::fetch::Unread;
use crate::job::Ending;
use crate::ledger::Worked;
use crate::loading::{BadLine, File, Loaded, Manner, Untyped, load};
use crate::script::Script;
use crate::server::Server;
use hyper::StatusCode;
use std::sync::Arc;
use std::time::SystemTime;

/// Resources need an id and no type. What happens to a file with a bad line is not documented: here it fails at that
/// line, and what came before is kept.
const MANNER: Manner = Manner { bad_line: BadLine::EndsItsFile, untyped: Untyped::IsOfItsFile };

/// How a job ended.
pub(super) struct End {
    pub(super) loaded: Loaded,
    pub(super) ended: SystemTime,
    edition: Edition,
}

/// Version 1 has no word for failure; version 2 has.
impl Ending for End {
    fn worked(&self) -> Worked {
        match self.edition {
            Edition::V2 if self.first_failure().is_some() => Worked::Failed(self.loaded.tally),
            Edition::V1 | Edition::V2 => Worked::Done(self.loaded.tally),
        }
    }
}

impl End {
    /// The end of a job without inputs.
    pub(super) fn of_nothing(edition: Edition, ended: SystemTime) -> Self {
        Self { loaded: Loaded::default(), ended, edition }
    }

    pub(super) fn first_failure(&self) -> Option<&File> {
        self.loaded.files.iter().find(|file| !file.is_whole())
    }
}

pub(super) async fn run(server: Arc<Server>, script: Arc<Script>, edition: Edition, order: Order) -> End {
    let loaded = load(&server, &script, MANNER, order.files()).await;
    End { loaded, ended: server.now(), edition }
}

/// What is wrong with a file. The form `403: Forbidden` is documented, the others are not.
pub(super) fn error(file: &File) -> Option<String> {
    if let Some(unread) = &file.unread {
        return Some(unreadable(unread));
    }
    let problem = file.problems.first()?;
    Some(format!("line {}: {}", problem.line, problem.cause))
}

fn unreadable(unread: &Unread) -> String {
    match unread {
        Unread::Refused(status) => {
            let reason = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            format!("{status}: {}", reason.unwrap_or_default())
        }
        Unread::Unreachable(address) => format!("{address}: Connection refused"),
        Unread::Broken(error) => error.clone(),
        Unread::Unsupported => "Unsupported protocol".to_owned(),
    }
}
