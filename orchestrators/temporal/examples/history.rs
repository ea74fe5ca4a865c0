//! Prints the history of an import as `tests/replay.rs` reads it. Temporal is where the `TEMPORAL_*` variables say.
//!
//!     cargo run --release --package fhir-import-temporal --example history -- ID > tests/histories/NAME.json

use std::error::Error;

use fhir_import_temporal::Import;
use serde_json::Value;
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{Client, ClientOptions, Connection, WorkflowFetchHistoryOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let id = std::env::args().nth(1).ok_or("Usage: history ID")?;
    let (connection, client) = ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())?;
    let client = Client::new(Connection::connect(connection).await?, client)?;
    let handle = client.get_workflow_handle::<Import>(format!("fhir-import-{id}"));
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let mut history: Value = serde_json::from_slice(&history.to_json().await?)?;
    scrub(&mut history);
    println!("{history}");
    Ok(())
}

/// Leaves out what is not there, and what names a process of a machine: `PID@HOST`.
fn scrub(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('@') => "worker".clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(scrub),
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(scrub);
        }
        _ => {}
    }
}
