//! A server that nothing in the product knows: only `examples/dialects/riverside.toml` describes it.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::cli::{Desk, Ran, until};
use crate::harness::riverside::{Habits, Riverside};

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";
const OBSERVATION: &str = "{\"resourceType\":\"Observation\",\"id\":\"o1\"}\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn dialect() -> String {
    root().join("examples/dialects/riverside.toml").display().to_string()
}

/// What is typed to import two files.
fn line(desk: &Desk, server: &Riverside) -> Vec<String> {
    desk.write("data/Patient.ndjson", PATIENTS);
    let data = desk.write("data/Observation.ndjson", OBSERVATION).parent().unwrap().display().to_string();
    let words =
        ["run", "--server", &server.base_url(), "--dialect", &dialect(), "--set", "tenant=north", "--poll-max", "1s"];
    words.map(str::to_owned).into_iter().chain([data, "--json".to_owned()]).collect()
}

fn import(habits: Habits) -> (Riverside, Ran) {
    let (server, desk) = (Riverside::start(habits), Desk::new());
    let ran = desk.run(line(&desk, &server));
    (server, ran)
}

#[test]
fn a_server_that_only_a_file_describes_is_imported_into_and_read_back() {
    let (server, ran) = import(Habits { polls: 2, ..Habits::default() });
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    assert_eq!((&report["verdict"], &report["imported"]), (&json!("verified"), &json!(3)), "{report}");
    assert_eq!(report["proven"], "run against the server of tests/all/own_dialect.rs");
    assert_eq!((server.loads(), server.stored()), (1, 3));

    let kick_off = server.asked("POST ").remove(0);
    assert!(kick_off.line.starts_with("POST /bulk/v1/north/loads "), "{}", kick_off.line);
    assert!(kick_off.headers.contains(&"x-riverside-client: fhir-import".to_owned()), "{:?}", kick_off.headers);
    assert!(kick_off.headers.iter().all(|header| !header.starts_with("prefer")), "{:?}", kick_off.headers);
    assert_eq!(kick_off.body["parameter"][1], json!({ "name": "onConflict", "valueCode": "replace" }));
    assert_eq!(kick_off.body["parameter"][2]["part"][0]["name"], "holds");
    assert_eq!(server.asked("GET /bulk/v1/north/loads/L-1 ").len(), 3, "QUEUED, LOADING, LOADED");
}

#[test]
fn what_it_refuses_is_counted_by_the_paths_of_the_file() {
    let (server, ran) = import(Habits { refuses: &["p2"], ..Habits::default() });
    assert_eq!(ran.code, 7, "{ran:?}");
    assert_eq!((&ran.json()["imported"], &ran.json()["rejected"]), (&json!(2), &json!(1)), "{ran:?}");
    assert_eq!(server.stored(), 2);
}

#[test]
fn a_kick_off_whose_answer_was_lost_is_found_in_its_list() {
    let (server, ran) = import(Habits { loses_an_answer: true, ..Habits::default() });
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!((server.loads(), server.stored()), (1, 3), "no second load");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_cancelled_by_the_post_that_the_file_describes() {
    let (server, desk) = (Riverside::start(Habits { polls: usize::MAX, ..Habits::default() }), Desk::new());
    let mut child = desk.start(line(&desk, &server));
    until(|| !server.asked("GET /bulk/v1/north/loads/L-1 ").is_empty()).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let cancelled = desk.run(["cancel", &desk.only_job(), "--json"]);
    assert_eq!(cancelled.code, 10, "{cancelled:?}");
    let stop = server.asked("POST /bulk/v1/north/loads/L-1/stop ");
    assert_eq!((stop.len(), &stop[0].body), (1, &json!({ "reason": "cancelled by the operator" })));
}

#[test]
fn a_setting_that_the_file_wants_is_asked_for_before_anything_is_sent() {
    let (server, desk) = (Riverside::start(Habits::default()), Desk::new());
    let words = line(&desk, &server).into_iter().filter(|word| word != "--set" && word != "tenant=north");
    let ran = desk.run(words);
    assert_eq!((ran.code, server.loads()), (2, 0), "{ran:?}");
    assert!(ran.said().contains("--set tenant=VALUE"), "{ran:?}");
}

#[test]
fn nothing_in_the_product_names_it() {
    let mut seen = 0;
    for room in ["guest", "host", "wit"] {
        for file in files(&root().join(room)) {
            let text = std::fs::read(&file).unwrap();
            seen += 1;
            assert!(!String::from_utf8_lossy(&text).to_lowercase().contains("riverside"), "{}", file.display());
        }
    }
    assert!(seen > 100, "{seen} files");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    folders.iter().flat_map(|folder| self::files(folder)).chain(files).collect()
}

#[test]
fn the_guide_shows_the_file_as_it_is_and_the_command_reads_it() {
    let text = std::fs::read_to_string(dialect()).unwrap();
    let guide = std::fs::read_to_string(root().join("docs/own-dialect.md")).unwrap();
    let shown = guide.split("```toml\n").map(|shown| shown.split("```").next().unwrap()).any(|shown| shown == text);
    assert!(shown, "docs/own-dialect.md does not show examples/dialects/riverside.toml as it is");
    let ran = Desk::new().run(["dialects", &dialect()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for said in ["Riverside Clinical Store 3", "PARTLY_LOADED", "--set tenant=", "/stop"] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
}

#[test]
fn the_small_files_of_the_guides_are_right() {
    for guide in ["docs/guide.md", "docs/own-dialect.md"] {
        let text = std::fs::read_to_string(root().join(guide)).unwrap();
        for (number, shown) in text.split("```toml\n").skip(1).enumerate() {
            let shown = shown.split("```").next().unwrap();
            let desk = Desk::new();
            std::fs::copy(dialect(), desk.path("riverside.toml")).unwrap();
            let file = desk.write(&format!("shown-{number}.toml"), shown);
            let ran = desk.run(["dialects", file.to_str().unwrap()]);
            assert_eq!(ran.code, 0, "{guide}: {ran:?}\n{shown}");
        }
    }
}
