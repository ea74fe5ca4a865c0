//! Imports that run go on under the workflow of this version: the histories in `histories/`, which earlier ones wrote, are
//! replayed. README.md says how one is added.

use std::fs;
use std::path::Path;

use fhir_import_temporal::Import;
use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions,
};

/// Name and text of each.
fn histories() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let paths = fs::read_dir(folder).expect("a folder of this package").map(|entry| entry.expect("a file").path());
    paths.map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("a history"))).collect()
}

async fn replay(history: &str) -> Result<(), WorkflowReplayError> {
    let options = WorkflowReplayerOptions::new().register_workflow::<Import>().expect("it is registered once").build();
    let history = WorkflowHistory::from_json(history.as_bytes()).expect("a history in JSON");
    WorkflowReplayer::new(options)?.replay_workflow(history).await
}

#[tokio::test]
async fn imports_that_earlier_versions_began_go_on() {
    let histories = histories();
    assert!(histories.len() >= 3, "{} histories", histories.len());
    for (name, history) in histories {
        replay(&history).await.unwrap_or_else(|error| {
            panic!("{name}: {error}: imports that run would break; put the change behind `ctx.patched`")
        });
    }
}

#[tokio::test]
async fn a_workflow_that_calls_something_else_is_noticed() {
    for (name, history) in histories() {
        let other = history.replace("\"submit\"", "\"step\"");
        assert_ne!(other, history, "{name} has a kick-off");
        let error = replay(&other).await.expect_err("it calls something else");
        let is_noticed = matches!(error, WorkflowReplayError::Replay(WorkflowReplayFailure::Nondeterminism { .. }));
        assert!(is_noticed, "{name}: {error}");
    }
}
