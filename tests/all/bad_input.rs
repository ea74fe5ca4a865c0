//! Bad input: a clear sentence that says whose move it is, its own exit code, nothing half done.

use std::io::{Read, Write};
use std::net::TcpListener;

use fhir_import_sandbox::{Config, Personality, Sandbox, Script};
use serde_json::json;

use crate::harness::cli::{Desk, Ran, until};

const PATIENT: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n";

fn script(json: serde_json::Value) -> Script {
    serde_json::from_value(json).unwrap()
}

async fn sandbox(personality: Personality, script: Script) -> Sandbox {
    Sandbox::start(Config { personality, port: 0, script }).await.unwrap()
}

/// Runs a good file into a server.
fn run(desk: &Desk, server: &str, more: &[&str]) -> Ran {
    let file = desk.write("data/Patient.ndjson", PATIENT);
    let mut args = vec!["run", "--server", server, "--poll-max", "1s"];
    args.extend(more);
    args.push(file.to_str().unwrap());
    desk.run(args)
}

#[track_caller]
fn says(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.said());
    for word in words {
        assert!(ran.said().contains(word), "{word:?} is not said:\n{}", ran.said());
    }
    assert!(!ran.said().contains("panicked"), "{}", ran.said());
}

#[test]
fn a_url_that_is_none_is_a_usage_error() {
    for url in
        ["ftp://example.org/fhir", "not a url", "http://user:secret@example.org/fhir", "http://example.org/fhir?x=1"]
    {
        let ran = run(&Desk::new(), url, &[]);
        says(&ran, 2, &[]);
        assert!(!ran.said().contains("secret@"), "{}", ran.said());
    }
}

#[test]
fn an_unknown_host_is_unreachable_and_named() {
    let ran = run(&Desk::new(), "http://no-such-host.invalid/fhir", &["--serve", "127.0.0.1:0"]);
    says(&ran, 13, &["no-such-host.invalid", "nothing was sent"]);
}

#[test]
fn a_refused_connection_is_unreachable() {
    // Bound but not listening: nobody else gets the port, and a connection to it is refused.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = held.local_addr().unwrap().port();
    says(&run(&Desk::new(), &format!("http://127.0.0.1:{free}/fhir"), &[]), 13, &["refused", "nothing was sent"]);
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    let key = rcgen::generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
    let desk = Desk::new();
    let ca = desk.write("ca.pem", &key.cert.pem());
    let port = crate::harness::tls::serve(&key);
    let ran = run(&desk, &format!("https://localhost:{port}/fhir"), &["--ca", ca.to_str().unwrap()]);
    says(&ran, 13, &["certificate", "localhost"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_pause_with_their_own_code() {
    let server = sandbox(Personality::Hapi, script(json!({ "require_bearer": "right" }))).await;
    says(&run(&Desk::new(), &server.base_url(), &[]), 17, &["credentials"]);
    assert_eq!(server.jobs(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_is_not_a_fhir_server() {
    let page = json!({ "status": 200, "content_type": "text/html", "body": "<html>Welcome</html>" });
    let fault = json!({ "faults": [{ "on": "metadata", "action": { "answer": page } }] });
    let server = sandbox(Personality::Hapi, script(fault)).await;
    says(&run(&Desk::new(), &server.base_url(), &[]), 16, &["CapabilityStatement", "base URL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_path_is_told_from_a_fhir_server() {
    let server = sandbox(Personality::Hapi, Script::default()).await;
    let wrong = server.base_url().replace("/fhir", "/fihr");
    says(&run(&Desk::new(), &wrong, &[]), 16, &["404", "base URL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_import_is_unsupported() {
    let server = sandbox(Personality::SmartManifest, script(json!({ "metadata_without_import": true }))).await;
    says(&run(&Desk::new(), &server.base_url(), &[]), 4, &["import", "--dialect"]);
    assert_eq!(server.kick_offs(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_what_they_should_be_are_never_sent() {
    let server = sandbox(Personality::Hapi, Script::default()).await;
    let observation = "{\"resourceType\":\"Observation\",\"id\":\"o1\"}\n";
    let cases = [
        ("empty", "Patient.ndjson", "", "no resource"),
        (
            "malformed",
            "Patient.ndjson",
            "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\n",
            "Patient.ndjson:2",
        ),
        ("other type", "Patient.ndjson", observation, "Patient.ndjson:1"),
        ("no object", "Patient.ndjson", "[1]\n", "Patient.ndjson:1"),
        ("not UTF-8", "Patient.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"a\",\"x\":\"\u{fffd}\"}\n", ""),
    ];
    for (what, name, text, place) in cases {
        let desk = Desk::new();
        let file = desk.write(name, text);
        if what == "not UTF-8" {
            std::fs::write(&file, b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}\n").unwrap();
        }
        let ran = desk.run(["run", "--server", &server.base_url(), file.to_str().unwrap()]);
        says(&ran, 3, &[place]);
        if what != "empty" {
            says(&desk.run(["check", file.to_str().unwrap()]), 3, &[place]);
        }
    }
    assert_eq!(server.kick_offs(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameters_file_beside_the_data_is_left_out_and_said() {
    let server = sandbox(Personality::Hapi, Script::default()).await;
    let desk = Desk::new();
    desk.write("data/Patient.ndjson", PATIENT);
    let folder = desk.write("data/parameters.json", "{\"resourceType\":\"Parameters\"}").parent().unwrap().to_owned();
    let ran = desk.run(["run", "--server", &server.base_url(), "--poll-max", "1s", folder.to_str().unwrap()]);
    says(&ran, 0, &["parameters.json"]);
    assert_eq!(server.stored(), 1);
    let named = folder.join("parameters.json");
    says(&desk.run(["check", named.to_str().unwrap()]), 2, &["parameters.json", "NDJSON"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let desk = Desk::new();
    says(&desk.run(["check", "nowhere.ndjson"]), 2, &["nowhere.ndjson"]);
    std::fs::create_dir(desk.path("hollow")).unwrap();
    says(&desk.run(["check", "hollow"]), 2, &["hollow"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanishes_or_changes_ends_the_import_as_input_changed() {
    let slow = json!({ "faults": [{ "on": "metadata", "action": { "answer": { "status": 503, "headers": { "Retry-After": "5" } } }, "nth": 1 }] });
    for vanish in [true, false] {
        let server = sandbox(Personality::Hapi, script(slow.clone())).await;
        let desk = Desk::new();
        let file = desk.write("Patient.ndjson", PATIENT);
        let child = desk.start(["run", "--server", &server.base_url(), "--poll-max", "1s", file.to_str().unwrap()]);
        until(|| !server.log().is_empty()).await;
        if vanish {
            std::fs::remove_file(&file).unwrap();
        } else {
            std::fs::write(&file, PATIENT.repeat(2)).unwrap();
        }
        let ran = crate::harness::cli::ran(&child.wait_with_output().unwrap());
        says(&ran, 14, &["Patient.ndjson"]);
        assert_eq!(server.kick_offs(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_locked_damaged_or_foreign_is_refused_with_the_way_out() {
    let server = sandbox(Personality::Hapi, script(json!({ "polls_until_done": 1000 }))).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENT);
    let mut child = desk.start(["run", "--server", &server.base_url(), "--poll-max", "1s", file.to_str().unwrap()]);
    until(|| server.polls() > 0).await;
    let job = desk.only_job();
    says(&desk.run(["wait", &job]), 12, &[&child.id().to_string()]);
    child.kill().unwrap();
    child.wait().unwrap();

    let store = desk.path("state/journal.sqlite");
    let mut bytes = std::fs::read(&store).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(desk.path(&format!("state/journal.sqlite{suffix}")));
    }
    bytes[100..].fill(0x5a);
    std::fs::write(&store, &bytes).unwrap();
    says(&desk.run(["jobs"]), 12, &["journal.sqlite"]);
    assert_eq!(std::fs::read(&store).unwrap(), bytes, "a damaged journal is not rewritten");

    std::fs::write(&store, "this is a text").unwrap();
    says(&desk.run(["jobs"]), 12, &["journal.sqlite"]);
}

#[test]
fn a_spelling_mistake_in_a_dialect_file_is_named_with_its_line() {
    let desk = Desk::new();
    let dialect =
        desk.write("ours.toml", "extends = \"hapi\"\nname = \"ours\"\n[kick-off]\nprefre = \"respond-async\"\n");
    let ran = run(&desk, "http://127.0.0.1:9/fhir", &["--dialect", dialect.to_str().unwrap()]);
    says(&ran, 2, &["ours.toml", "4", "prefre"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_named_dialect_lacks_is_said_before_the_check_and_without_an_import() {
    let server = sandbox(Personality::Healthlake, Script::default()).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", "not looked at yet\n");
    let words = ["--dialect", "healthlake", "--set", "role-arm=x", file.to_str().unwrap()];
    let ran = desk.run(["run", "--server", &server.base_url()].into_iter().chain(words));
    let said = [
        "does not fetch http URLs",
        "no value for role-arm",
        "did you mean `role-arn`?",
        "--set datastore-id=VALUE",
        "--set kms-key=VALUE",
    ];
    says(&ran, 3, &said);
    assert!(!ran.said().contains("Checked"), "{}", ran.said());
    assert_eq!(desk.run(["jobs"]).stdout, "no imports\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_missing_ends_a_run_with_a_key_and_does_not_take_the_key() {
    let server = sandbox(Personality::BulkSubmit, script(json!({ "retry_after": "1" }))).await;
    let desk = Desk::new();
    let named = ["--dialect", "bulk-submit", "--key", "nightly"];
    says(&run(&desk, &server.base_url(), &named), 2, &["--set submitter=VALUE"]);
    let with: Vec<&str> = named.into_iter().chain(["--set", "submitter=registry"]).collect();
    says(&run(&desk, &server.base_url(), &with), 0, &[]);
}

#[test]
fn a_folder_for_transcripts_that_cannot_be_made_is_said_before_the_files_are_checked() {
    let ran = run(&Desk::new(), "http://127.0.0.1:9/fhir", &["--record", "/proc/x"]);
    says(&ran, 2, &["/proc/x"]);
    assert!(!ran.said().contains("Checked"), "{}", ran.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_for_credentials_says_which_one_was_given_and_how_to_give_another() {
    let server = sandbox(Personality::Hapi, script(json!({ "require_bearer": "right" }))).await;
    let desk = Desk::new();
    let none = run(&desk, &server.base_url(), &["--json"]);
    says(
        &none,
        17,
        &["was given no credential", "FHIR_IMPORT_BEARER", "--bearer-file", "--basic-file", "--aws-region"],
    );
    let next = none.json()["next_command"].as_str().unwrap().to_owned();
    assert!(next.contains("wait ") && next.contains(" --bearer-file FILE"), "{next}");
    let token = desk.write("token", "wrong\n").display().to_string();
    let job = desk.only_job();
    let wrong = desk.run(["wait", &job, "--bearer-file", &token]);
    says(&wrong, 17, &["was given a bearer token", "--bearer-file"]);
    desk.write("token", "right\n");
    assert_eq!(desk.run(["wait", &job, "--bearer-file", &token]).code, 0);
}

#[test]
fn a_dialect_file_of_nearly_that_name_is_offered_and_a_folder_is_no_dialect() {
    let desk = Desk::new();
    desk.write("ours.toml", "extends = \"hapi\"\n");
    says(&desk.run(["dialects", "our.toml"]), 2, &["did you mean `ours.toml`?"]);
    std::fs::create_dir(desk.path("d")).unwrap();
    says(&desk.run(["dialects", "d"]), 2, &["d is a folder"]);
    says(&desk.run(["dialects", "hapi.tml"]), 2, &["did you mean `hapi`?"]);
}

#[test]
fn a_server_by_a_name_that_no_file_has_is_said_so() {
    let desk = Desk::new();
    says(&run(&desk, "nightly", &[]), 2, &["fhir-import.toml"]);
    desk.write("fhir-import.toml", "[serverz.nightly]\nurl = \"http://127.0.0.1:9/fhir\"\n");
    says(&run(&desk, "nightly", &[]), 2, &["fhir-import.toml:1", "did you mean `servers`?"]);
}

/// A peer that takes everything and says nothing sensible.
#[test]
fn an_answer_that_is_no_http_is_not_success() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(8) {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        }
    });
    says(&run(&Desk::new(), &format!("http://127.0.0.1:{port}/fhir"), &[]), 13, &[]);
}
