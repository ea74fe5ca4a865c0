//! The examples run as they stand.

use std::process::Command;

use fhir_import_sandbox::{Config, Personality, Sandbox, Script};

use crate::harness::cli::{program, ran};
use crate::harness::rig::synthea;

#[tokio::test(flavor = "multi_thread")]
async fn the_embedding_example_imports_the_sample() {
    let config = Config {
        personality: Personality::Hapi,
        port: 0,
        script: Script { retry_after: Some("1".to_owned()), ..Script::default() },
    };
    let server = Sandbox::start(config).await.unwrap();
    let mut command = Command::new(program("embed"));
    let state = tempfile::TempDir::new().unwrap();
    command.args([server.base_url().as_str(), synthea().to_str().unwrap(), state.path().to_str().unwrap()]);
    let ran = ran(&command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!((server.stored(), server.jobs()), (937, 1));
}
