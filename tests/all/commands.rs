//! The commands beside `run`, and going on after a kill. What the server saw decides.

use fhir_import_sandbox::{Config, Personality, Sandbox, Script};
use serde_json::json;

use crate::harness::cli::{Desk, ran, until};
use crate::harness::files::FileHost;
use crate::harness::rig::synthea;
use crate::harness::servers::FIRST;

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";

async fn sandbox(personality: Personality, script: serde_json::Value) -> Sandbox {
    let script: Script = serde_json::from_value(script).unwrap();
    Sandbox::start(Config { personality, port: 0, script }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_waited_for_without_a_second_kick_off() {
    for personality in FIRST {
        let server = sandbox(personality, json!({ "polls_until_done": 4, "retry_after": "1" })).await;
        let desk = Desk::new();
        let data = synthea();
        let args = [
            "run",
            "--server",
            &server.base_url(),
            "--dialect",
            personality.name(),
            "--poll-max",
            "1s",
            data.to_str().unwrap(),
        ];
        let mut child = desk.start(args);
        until(|| server.polls() > 0).await;
        let job = desk.only_job();
        child.kill().unwrap();
        child.wait().unwrap();

        let waited = desk.run(["wait", &job, "--json"]);
        assert_eq!(waited.code, 0, "{waited:?}");
        let report = waited.json();
        assert_eq!((&report["outcome"], &report["verdict"]), (&json!("succeeded"), &json!("verified")), "{report}");
        assert_eq!((server.kick_offs(), server.jobs(), server.stored()), (1, 1, 937), "{personality}");

        let again = desk.run(["wait", &job, "--json"]);
        assert_eq!(
            (again.code, again.json()["outcome"].clone()),
            (0, json!("succeeded")),
            "waiting for what is over answers it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn detect_names_the_dialect_and_the_evidence() {
    let server = sandbox(Personality::Hapi, json!({})).await;
    let ran = Desk::new().run(["detect", &server.base_url(), "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = ran.json();
    assert_eq!((&found["detection"]["dialect"], &found["detection"]["confidence"]), (&json!("hapi"), &json!("high")));
    assert!(found["detection"]["evidence"].to_string().contains("import-poll-status"), "{found}");
    assert!(server.log().iter().all(|seen| seen.method == "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sure_is_named_in_the_next_command() {
    for (personality, name) in [(Personality::Microsoft, "microsoft"), (Personality::Healthlake, "healthlake")] {
        let server = sandbox(personality, json!({})).await;
        let desk = Desk::new();
        let named = format!("--dialect {name} PATH");
        let ran = desk.run(["detect", &server.base_url()]);
        assert!(ran.code == 0 && ran.stdout.contains(&named), "{ran:?}");
        let file = desk.write("Patient.ndjson", PATIENTS);
        let ran = desk.run(["run", "--server", &server.base_url(), file.to_str().unwrap(), "--json"]);
        let next = ran.json()["next_command"].to_string();
        assert!(ran.code == 4 && next.contains("run --server") && next.contains(&named), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_imports_fits_the_screen() {
    let server = sandbox(Personality::Hapi, json!({ "retry_after": "1" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let long = format!("{}/{}", server.base_url(), "a-long-path/".repeat(12));
    for url in [server.base_url(), long] {
        desk.run(["run", "--server", &url, "--poll-max", "1s", file.to_str().unwrap()]);
    }
    let jobs = ran(&desk.command(["jobs"]).env("COLUMNS", "80").output().unwrap());
    assert!(jobs.stdout.contains("answer-not-understood") && jobs.stdout.contains('…'), "{jobs:?}");
    assert!(jobs.stdout.lines().all(|line| line.chars().count() <= 80), "{}", jobs.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_beside_a_process_that_drives_says_to_end_that_one_first() {
    let server = sandbox(Personality::SmartManifest, json!({ "polls_until_done": 1000, "retry_after": "1" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let words = ["run", "--server", &server.base_url(), "--dialect", "smart-manifest", file.to_str().unwrap()];
    let mut child = desk.start(words);
    until(|| server.polls() > 0).await;
    let job = desk.only_job();
    let beside = desk.run(["cancel", &job, "--json"]);
    assert!(beside.code == 12 && beside.said().contains("end that process (Ctrl-C), then cancel"), "{beside:?}");
    assert!(beside.json()["next_command"].as_str().unwrap().contains("cancel"), "{beside:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_cancel_is_said_to_be_one_once() {
    let server = sandbox(Personality::Hapi, json!({ "polls_until_done": 1000, "retry_after": "1" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let mut child = desk.start(["run", "--server", &server.base_url(), "--poll-max", "1s", file.to_str().unwrap()]);
    until(|| server.polls() > 0).await;
    let job = desk.only_job();
    child.kill().unwrap();
    child.wait().unwrap();
    let not = desk.run(["cancel", &job]);
    assert_eq!((not.code, not.said().matches("offers no way to cancel").count()), (4, 1), "{not:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_jobs_report_and_errors_read_the_journal_without_the_server() {
    let server = sandbox(Personality::SmartManifest, json!({ "retry_after": "1", "reject_ids": ["p2"] })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let ran = desk.run([
        "run",
        "--server",
        &server.base_url(),
        "--dialect",
        "smart-manifest",
        file.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(ran.code, 7, "{ran:?}");
    let job = ran.json()["job"].as_str().unwrap().to_owned();
    server.stop().await;

    let jobs = desk.run(["jobs", "--json"]);
    assert_eq!((jobs.code, jobs.json()["jobs"][0]["job"].clone()), (0, json!(job)), "{jobs:?}");
    let report = desk.run(["report", &job, "--json"]);
    assert_eq!((report.code, report.json()["outcome"].clone()), (7, json!("finished-with-errors")), "{report:?}");
    let text = desk.run(["report", &job]);
    assert!(text.stdout.contains("rejected"), "{text:?}");
    let errors = desk.run(["errors", &job, "--json"]);
    assert_eq!(errors.json()["errors"][0]["count"], 1, "{errors:?}");
    let status = desk.run(["status", &job[..8], "--json"]);
    assert_eq!(status.json()["phase"], "done", "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_deletes_where_the_server_can_and_exits_10() {
    let server = sandbox(Personality::SmartManifest, json!({ "polls_until_done": 1000, "retry_after": "1" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let mut child = desk.start([
        "run",
        "--server",
        &server.base_url(),
        "--dialect",
        "smart-manifest",
        "--poll-max",
        "1s",
        file.to_str().unwrap(),
    ]);
    until(|| server.polls() > 0).await;
    let job = desk.only_job();
    child.kill().unwrap();
    child.wait().unwrap();
    let cancelled = desk.run(["cancel", &job, "--json"]);
    assert_eq!((cancelled.code, server.deletes()), (10, 1), "{cancelled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_resolved_by_adopting_the_job() {
    let faults = json!({ "retry_after": "1", "faults": [{ "on": "kick-off", "action": "accept-then-drop" }] });
    let server = sandbox(Personality::Hapi, faults).await;
    let files = FileHost::start();
    let input = format!("Patient={}", files.add("Patient", PATIENTS));
    let desk = Desk::new();
    let lost = desk.run(["run", "--server", &server.base_url(), "--poll-max", "1s", &input, "--json"]);
    assert_eq!(lost.code, 11, "{lost:?}");
    assert_eq!(lost.json()["retry"], "resume");
    let job = lost.json()["job"].as_str().unwrap().to_owned();
    let url = server.job_urls().pop().unwrap();
    let adopted = desk.run(["resolve", &job, "--adopt", &url, "--json"]);
    assert_eq!(adopted.code, 9, "{adopted:?}");
    let waited = desk.run(["wait", &job, "--json"]);
    assert_eq!((waited.code, server.kick_offs(), server.stored()), (0, 1, 2), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_goes_on_or_answers_and_refuses_other_inputs() {
    let server = sandbox(Personality::Hapi, json!({ "retry_after": "1" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let run = |file: &str| {
        desk.run(["run", "--server", &server.base_url(), "--poll-max", "1s", "--key", "nightly-1", "--json", file])
    };
    let first = run(file.to_str().unwrap());
    let second = run(file.to_str().unwrap());
    assert_eq!((first.code, second.code, server.kick_offs()), (0, 0, 1), "{second:?}");
    assert_eq!(first.json()["job"], second.json()["job"]);
    let other = desk.write("other/Patient.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"p3\"}\n");
    assert_eq!(run(other.to_str().unwrap()).code, 2);
    assert_eq!(server.kick_offs(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_reach_the_server_and_nothing_that_is_printed_or_stored() {
    let canary = "canary-5f1d0c1e-token";
    let server = sandbox(Personality::Hapi, json!({ "retry_after": "1", "require_bearer": canary })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let mut command =
        desk.command(["run", "--server", &server.base_url(), "--poll-max", "1s", file.to_str().unwrap(), "--json"]);
    let ran = crate::harness::cli::ran(&command.env("FHIR_IMPORT_BEARER", canary).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.said().contains(canary));
    for entry in std::fs::read_dir(desk.path("state")).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(canary.len()).any(|w| w == canary.as_bytes()), "{}", entry.path().display());
    }
    let kick_off = server.log().into_iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!(kick_off.header("authorization"), Some(format!("Bearer {canary}").as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_credentials_come_from_a_file_and_a_refused_import_goes_on_with_the_right_ones() {
    let server = sandbox(Personality::Hapi, json!({ "retry_after": "1", "require_basic": "loader:open sesame" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let refused =
        desk.run(["run", "--server", &server.base_url(), "--poll-max", "1s", file.to_str().unwrap(), "--json"]);
    assert_eq!((refused.code, server.jobs()), (17, 0), "{refused:?}");
    let job = desk.only_job();
    let secret = desk.write("basic", "loader:open sesame\n");
    let waited = desk.run(["wait", &job, "--basic-file", secret.to_str().unwrap(), "--json"]);
    assert_eq!((waited.code, server.jobs(), server.stored()), (0, 1, 2), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_reads_the_sample_of_a_job_back_again() {
    let server = sandbox(Personality::Hapi, json!({ "retry_after": "1" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let ran = desk.run(["run", "--server", &server.base_url(), "--poll-max", "1s", file.to_str().unwrap(), "--json"]);
    let job = ran.json()["job"].as_str().unwrap().to_owned();
    let verified = desk.run(["verify", &job, "--json"]);
    assert_eq!((verified.code, verified.json()["verdict"].clone()), (0, json!("verified")), "{verified:?}");
    assert_eq!(server.kick_offs(), 1);
}

#[test]
fn dialects_are_listed_with_how_well_they_are_proven() {
    let all = fhir_import_dialects::all();
    let listed = Desk::new().run(["dialects", "--json"]).json();
    let listed = listed["dialects"].as_array().unwrap();
    assert_eq!(listed.len(), all.len());
    for (shown, dialect) in listed.iter().zip(&all) {
        assert_eq!((&shown["name"], &shown["proven"]), (&json!(dialect.name), &json!(dialect.proven)));
        assert_eq!(shown["definition"], serde_json::to_value(dialect).unwrap(), "the whole definition");
    }
    let one = Desk::new().run(["dialects", "hapi"]);
    assert!(one.stdout.contains("Proven: run against HAPI FHIR 8.8.0."), "{one:?}");
    let unknown = Desk::new().run(["dialects", "hapy"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("did you mean `hapi`?"), "{unknown:?}");
}

#[test]
fn the_table_of_dialects_is_as_wide_as_the_screen() {
    for width in [80, 100, 160, 240] {
        let desk = Desk::new();
        let ran =
            crate::harness::cli::ran(&desk.command(["dialects"]).env("COLUMNS", width.to_string()).output().unwrap());
        let widest = ran.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} columns of {width}:\n{}", ran.stdout);
        for dialect in fhir_import_dialects::all() {
            let lines: Vec<&str> =
                ran.stdout.lines().filter(|line| line.starts_with(&format!("  {} ", dialect.name))).collect();
            assert_eq!(lines.len(), 1, "{}:\n{}", dialect.name, ran.stdout);
        }
    }
}

#[test]
fn what_is_printed_of_a_dialect_is_what_its_page_says() {
    let words = |text: &str| -> Vec<String> {
        let plain = text.replace("```text", "").replace('`', "").replace(['|', '#'], " ").replace("---", " ");
        let words = plain.split_whitespace().map(|word| word.trim_end_matches(':').to_lowercase());
        words.filter(|word| word != "-").collect()
    };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/dialects");
    for name in ["bulk-submit", "google", "hapi", "sazare"] {
        let desk = Desk::new();
        let shown = desk.command(["dialects", name]).env("COLUMNS", "100000").output().unwrap();
        let page = std::fs::read_to_string(folder.join(format!("{name}.md"))).unwrap();
        let (_generated, page) = page.split_once("-->").unwrap();
        assert_eq!(words(&crate::harness::cli::ran(&shown).stdout), words(page), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn detect_and_the_report_say_how_well_the_dialect_is_proven() {
    let proven = "run against HAPI FHIR 8.8.0";
    let server = sandbox(Personality::Hapi, json!({ "retry_after": "1" })).await;
    let desk = Desk::new();
    let url = server.base_url();
    assert_eq!(desk.run(["detect", &url, "--json"]).json()["proven"], proven);
    let detected = desk.run(["detect", &url]);
    assert!(detected.stdout.contains(&format!("proven     {proven}")), "{detected:?}");
    let file = desk.write("Patient.ndjson", PATIENTS);
    let ran = desk.run(["run", "--server", &url, "--poll-max", "1s", file.to_str().unwrap()]);
    let job = desk.only_job();
    assert!(ran.stdout.contains(proven), "{ran:?}");
    assert!(desk.run(["report", &job]).stdout.contains(proven));
    assert_eq!(desk.run(["report", &job, "--json"]).json()["proven"], proven);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_ends_the_program_loses_and_cancels_nothing() {
    let server = sandbox(Personality::Hapi, json!({ "polls_until_done": 1000, "retry_after": "1" })).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let child = desk.start(["run", "--server", &server.base_url(), "--poll-max", "1s", file.to_str().unwrap()]);
    until(|| server.polls() > 0).await;
    let signal = format!("kill -TERM {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &signal]).status().unwrap().success());
    let left = crate::harness::cli::ran(&child.wait_with_output().unwrap());
    assert_eq!((left.code, server.deletes(), server.jobs()), (9, 0, 1), "{left:?}");
    assert!(left.stdout.contains("wait"), "{left:?}");

    server.set_script(Script::default());
    let status = desk.run(["status", &desk.only_job(), "--json"]).json();
    assert_eq!((status["phase"].as_str(), status["retry"].as_str()), (Some("running"), Some("resume")), "{status}");
}
