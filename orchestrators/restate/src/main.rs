//! The command of the adapter: see README.md beside it.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    fhir_import::embed::command::<fhir_import_restate::Restate>().await
}
