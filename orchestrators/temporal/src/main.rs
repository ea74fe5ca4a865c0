//! `fhir-import-temporal`: imports in Temporal, from a shell.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    fhir_import::embed::command::<fhir_import_temporal::Temporal>().await
}
