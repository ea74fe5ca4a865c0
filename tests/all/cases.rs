//! Answers as they really come: every folder of `tests/cases`, played natively and through the component.

#[path = "cases/case.rs"]
mod case;
#[path = "cases/check.rs"]
mod check;
#[path = "cases/play.rs"]
mod play;
#[path = "cases/transcript.rs"]
mod transcript;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fhir_import::Importer;
use fhir_import_sandbox::{Config, Personality, Sandbox, Script};
use fhir_import_simulation::Native;

use crate::harness::cli::Desk;
use crate::harness::rig::engine;
use case::Case;
use play::{Stage, play};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases")
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn cases() -> Vec<PathBuf> {
    folders(&folder()).iter().flat_map(|dialect| folders(dialect)).collect()
}

/// Everything that is wrong with a case; nothing, when it holds.
async fn problems(path: &Path) -> Result<(), String> {
    let case = Case::read(path)?;
    let stage = Stage::of(&case);
    let native = play(&case, &Native::new(stage.network(), stage.clock()), &stage).await;
    check::all(&case, &native)?;
    let stage = Stage::of(&case);
    let sandboxed = play(&case, &Importer::new(engine(), stage.clock(), stage.network()), &stage).await;
    check::all(&case, &sandboxed).map_err(|why| format!("as a component: {why}"))?;
    match native.calls.iter().zip(&sandboxed.calls).find(|(native, sandboxed)| native != sandboxed) {
        Some((native, sandboxed)) => Err(format!("natively\n{native}\nand as a component\n{sandboxed}")),
        None if native.calls.len() == sandboxed.calls.len() => Ok(()),
        None => Err(format!("{} calls natively, {} as a component", native.calls.len(), sandboxed.calls.len())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_ends_as_it_says_and_the_component_decides_the_same() {
    let cases = cases();
    let mut failed = Vec::new();
    for path in &cases {
        if let Err(why) = problems(path).await {
            failed.push(format!("{}: {why}", path.strip_prefix(folder()).unwrap().display()));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases fail\n\n{}", failed.len(), cases.len(), failed.join("\n\n"));
}

#[test]
fn every_dialect_has_cases_of_its_own() {
    let folders: BTreeSet<String> =
        folders(&folder()).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    for dialect in fhir_import_dialects::all() {
        assert!(folders.contains(&dialect.name), "no folder {}", dialect.name);
    }
    let detected = cases().iter().filter(|path| path.starts_with(folder().join("detect"))).count();
    assert!(detected >= 25, "{detected} servers are detected");
}

#[tokio::test]
async fn a_case_whose_exchanges_do_not_fit_says_which() {
    let desk = tempfile::tempdir().unwrap();
    let say = |case: &str, transcript: &str| {
        std::fs::write(desk.path().join("case.toml"), case).unwrap();
        std::fs::write(desk.path().join("transcript.http"), transcript).unwrap();
    };
    let case = "title = \"x\"\nsource = \"x\"\ndialect = \"hapi\"\nadopt = \"http://server.example.org/fhir/job\"\n\
                [expect]\noutcome = \"succeeded\"\n";
    let end = "HTTP 200\nContent-Type: application/fhir+json\n\n{\"resourceType\":\"OperationOutcome\"}\n";
    let poll = "### 1\nGET http://server.example.org/fhir/job\n\n";
    let wrong = [
        (String::new(), "lacks an exchange: GET http://server.example.org/fhir/job"),
        (
            format!("{poll}{end}\n### 2\nGET http://x.example\n\n{end}"),
            "exchange 2 (GET http://x.example) was not used",
        ),
        (poll.replace("job", "jib") + end, "exchange 1 should be GET http://server.example.org/fhir/jib, but it is"),
        (poll.replace("/job\n", "/job\nAccept: text/plain\n") + end, "exchange 1: the header accept should be"),
        (poll.replace("GET", "POST").replace("\n\n", "\n\n{}\n\n") + end, "exchange 1 should be POST"),
        (poll.to_owned() + &end.replace("200", "500"), "lacks an exchange"),
    ];
    for (transcript, expected) in wrong {
        say(case, &transcript);
        let why = problems(desk.path()).await.unwrap_err();
        assert!(why.contains(expected), "{expected}: {why}");
    }
    say(&case.replace("succeeded", "failed"), &(poll.to_owned() + end));
    let why = problems(desk.path()).await.unwrap_err();
    assert!(why.contains("the outcome should be failed, but it is succeeded"), "{why}");
    say(case, &(poll.to_owned() + end));
    problems(desk.path()).await.unwrap();
}

/// Imports a patient to a practice server with `--record`. The folder of the case, and its transcript.
async fn recorded(personality: Personality, flags: &[&str]) -> (Desk, PathBuf, String) {
    let script = Script { retry_after: Some("1".to_owned()), ..Script::default() };
    let server = Sandbox::start(Config { personality, port: 0, script }).await.unwrap();
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n");
    let run = ["run", "--server", &server.base_url(), "--record", "record", file.to_str().unwrap()];
    let ran = desk.run(run.iter().chain(flags));
    assert_eq!(ran.code, 0, "{ran:?}");
    let case = folders(&desk.path("record")).remove(0);
    let transcript = std::fs::read_to_string(case.join("transcript.http")).unwrap();
    (desk, case, transcript)
}

/// The exchanges of a transcript that are about the job: what was read back has other ids in a recording.
fn of_the_job(transcript: &str, path: &str) -> String {
    let blocks = transcript.split_inclusive("\n\n### ").filter(|block| block.contains(path));
    blocks.collect::<String>().trim_end_matches("### ").to_owned()
}

/// What was recorded is a case that ends well.
async fn is_a_case(case: &Path, toml: &str, transcript: &str) {
    let toml = format!("title = \"x\"\nsource = \"recorded\"\n{toml}\n[expect]\noutcome = \"succeeded\"\n");
    std::fs::write(case.join("case.toml"), toml).unwrap();
    std::fs::write(case.join("transcript.http"), transcript).unwrap();
    problems(case).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_becomes_a_case() {
    let (_desk, case, transcript) = recorded(Personality::Hapi, &["--dialect", "hapi"]).await;
    let transcript = of_the_job(&transcript, "/$import");
    let url = transcript.split('"').find(|text| text.ends_with(".ndjson")).unwrap();
    let toml = format!("dialect = \"hapi\"\n[[inputs]]\ntype = \"Patient\"\nurl = \"{url}\"");
    is_a_case(&case, &toml, &transcript).await;
}

/// The status of this server's jobs is in a header, which no other server has.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_a_server_whose_status_is_in_a_header_becomes_a_case() {
    let flags = ["--dialect", "bulk-submit", "--set", "submitter=acme"];
    let (_desk, case, transcript) = recorded(Personality::BulkSubmit, &flags).await;
    for status in ["202", "200"] {
        assert!(transcript.contains(&format!("\nX-Export-Status: {status}\n")), "{transcript}");
    }
    // The ids in what was sent have substitutes.
    let sent = |line: &str| line.contains("\"Parameters\"");
    let transcript = of_the_job(&transcript, "bulk-submit");
    let transcript: String =
        transcript.lines().map(|line| if sent(line) { "…" } else { line }.to_owned() + "\n").collect();
    is_a_case(&case, "dialect = \"bulk-submit\"\n[settings]\nsubmitter = \"acme\"", &transcript).await;
}
