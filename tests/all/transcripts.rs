//! `--record`: all exchanges, and nothing of whom they speak.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fhir_import_sandbox::{Config, Personality, Sandbox, Script};
use serde_json::json;

use crate::harness::cli::{Desk, ran};
use crate::harness::files::FileHost;
use crate::harness::servers;

const TOKEN: &str = "CANARY-bearer-token";

async fn sandbox(personality: Personality, script: serde_json::Value) -> Sandbox {
    let script: Script = serde_json::from_value(script).unwrap();
    Sandbox::start(Config { personality, port: 0, script }).await.unwrap()
}

/// The only transcript below `record` of the desk.
fn transcript(desk: &Desk) -> (PathBuf, String) {
    let imports: Vec<_> = std::fs::read_dir(desk.path("record")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(imports.len(), 1, "{imports:?}");
    let path = imports[0].join("transcript.http");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The blocks are numbered, and each has an end.
fn exchanges(text: &str) -> usize {
    let numbers: Vec<usize> =
        text.lines().filter_map(|line| line.strip_prefix("### ")?.split(' ').next()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "{text}");
    let ends = text.lines().filter(|line| line.starts_with("HTTP ") || line.starts_with("FAILED ")).count();
    assert_eq!(ends, numbers.len(), "{text}");
    numbers.len()
}

fn patients() -> String {
    (0..4).fold(String::new(), |lines, n| {
        let name = json!([{ "family": format!("CANARY-family-{n}"), "text": "CANARY" }]);
        let patient = json!({ "resourceType": "Patient", "id": format!("CANARY-{n}"), "name": name });
        lines + &format!("{patient}\n")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_complete_and_tells_nobodys_name() {
    for personality in servers::FIRST {
        let script = json!({ "require_bearer": TOKEN, "reject_ids": ["CANARY-1"], "retry_after": "1" });
        let server = sandbox(personality, script).await;
        let desk = Desk::new();
        let file = desk.write("Patient.ndjson", &patients());
        let mut command = desk.command(["run", "--server", &server.base_url(), "--dialect", personality.name()]);
        command.args(["--record", "record", "--poll-max", "1s", file.to_str().unwrap()]);
        let told = ran(&command.env("FHIR_IMPORT_BEARER", TOKEN).output().unwrap());
        assert!(told.stderr.contains("Transcript: record/"), "{told:?}");

        let (path, text) = transcript(&desk);
        assert!(!text.contains("CANARY"), "{text}");
        for hidden in ["127.0.0.1", "localhost", &server.base_url()] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        assert_eq!(exchanges(&text), server.log().len(), "{text}");
        assert!(text.contains("http://server.example.org/fhir/$import"), "{text}");
        assert!(text.contains("\"resourceType\":\"Patient\""), "samples are read back: {text}");
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_goes_on_with_the_transcript_of_its_import() {
    let faults = json!([{ "on": "kick-off", "action": "accept-then-drop" }]);
    let server = sandbox(Personality::Hapi, json!({ "faults": faults, "retry_after": "1" })).await;
    let desk = Desk::new();
    // They stay there while none of our processes runs.
    let files = FileHost::start();
    let input = format!("Patient={}", files.add("Patient", &patients()));
    let run = ["run", "--server", &server.base_url(), "--dialect", "hapi", "--record", "record", &input];
    assert_eq!(desk.run(run).code, 11);
    let (_, before) = transcript(&desk);
    assert!(before.lines().any(|line| line.starts_with("FAILED ") && line.contains(" while ")), "{before}");

    let job = desk.only_job();
    let adopted = server.job_urls().pop().unwrap();
    desk.run(["resolve", &job, "--adopt", &adopted]);
    let waited = desk.run(["wait", &job, "--record", "record"]);
    assert_eq!(waited.code, 0, "{waited:?}");
    let (_, after) = transcript(&desk);
    assert!(after.starts_with(&before));
    assert_eq!(exchanges(&after), server.log().len(), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn detection_is_written_down_and_a_folder_that_cannot_be_is_told() {
    let server = sandbox(Personality::Hapi, json!({})).await;
    let desk = Desk::new();
    assert_eq!(desk.run(["detect", &server.base_url(), "--record", "record"]).code, 0);
    let (_, text) = transcript(&desk);
    assert_eq!(exchanges(&text), server.log().len());
    assert!(
        text.contains("GET http://server.example.org/fhir/metadata") && text.contains("CapabilityStatement"),
        "{text}"
    );
    desk.write("taken", "a file");
    let told = desk.run(["detect", &server.base_url(), "--record", "taken"]);
    assert!(told.code == 2 && told.stderr.contains("no transcript can be written to taken"), "{told:?}");
}
