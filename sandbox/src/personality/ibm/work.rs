//! The batch job behind `$import`, and the rows about its files.

use crate::intake::{References, Tally};
use crate::job::Ending;
use crate::ledger::Worked;
use crate::load::{self, Blank, Input, Manners, Reach, Repeated};
use crate::moment;
use crate::script::Script;
use crate::server::Server;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;

/// How a job ended.
pub(super) struct End {
    pub(super) state: Final,
    tally: Tally,
}

pub(super) enum Final {
    /// The rows about its files.
    Completed(Value),
    /// A file was not there.
    Failed,
}

impl Ending for End {
    fn worked(&self) -> Worked {
        match self.state {
            Final::Completed(_) => Worked::Done(self.tally),
            Final::Failed => Worked::Failed(self.tally),
        }
    }
}

impl End {
    pub(super) fn nothing(created: SystemTime) -> Self {
        Self { state: Final::Completed(result(created, &[])), tally: Tally::default() }
    }
}

/// Files are partitions of their own: trouble with one keeps nothing of the others out.
pub(super) async fn run(server: Arc<Server>, script: Arc<Script>, inputs: Vec<Input>, created: SystemTime) -> End {
    let manners = Manners {
        references: References::Unchecked,
        blank: Blank::Nothing,
        repeated: Repeated::Newer,
        bad_line: Reach::Itself,
        unread: load::itself,
        check: load::anything,
    };
    let load = load::run(&server, &script, inputs, &manners).await;
    let files = load.files.iter().enumerate();
    let rows: Vec<_> =
        files.map(|(at, file)| row(&file.input.source.url, file.claimed(at, &script), file.bad.len())).collect();
    let unread = load.files.iter().any(|file| file.unread.is_some());
    let state = if unread { Final::Failed } else { Final::Completed(result(created, &rows)) };
    End { state, tally: load.tally }
}

/// What is said of a file: how many of its resources came in, and how many did not. Outcomes would lie beside it in the
/// storage, if they were switched on: all that is told is their names.
fn row(url: &str, stored: u64, failed: usize) -> [Value; 2] {
    let name = url.rsplit('/').next().unwrap_or(url);
    let row = |which: &str, count: Value| json!({"type": "OperationOutcome", "url": format!("{name}_oo_{which}.ndjson"), "count": count});
    [row("success", stored.into()), row("errors", failed.into())]
}

/// A row about errors is there even when there are none.
fn result(created: SystemTime, rows: &[[Value; 2]]) -> Value {
    let side = |at: usize| rows.iter().map(|row| row[at].clone()).collect::<Vec<_>>();
    json!({"transactionTime": moment::instant(created), "request": "$import", "requiresAccessToken": false,
        "output": side(0), "error": side(1)})
}
