//! Who asks for the same again: by a key, by the same files, two at the same moment; and files or a store that changed
//! meanwhile. What the server saw decides.

use std::path::Path;
use std::time::Duration;

use fhir_import_sandbox::Personality;
use rusqlite::Connection;
use serde_json::json;

use crate::harness::cli::{Desk, Ran};
use crate::harness::person::{PATIENTS, Person};
use crate::harness::running::{LONG, Running, each, until};

const OTHER: &str = "{\"resourceType\":\"Patient\",\"id\":\"p9\"}\n";

fn person(script: serde_json::Value) -> Person {
    Person::at(Personality::SmartManifest, script)
}

/// A `run` of a file under a key, with a result in JSON.
fn keyed(person: &Person, file: &str) -> Ran {
    person.types(person.run_words(&person.server.base_url(), &["--key", "nightly", "--json", file]))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_files_answer_the_same_report_byte_for_byte() {
    each(vec![()], 1, |()| {
        let person = person(json!({ "retry_after": "1", "reject_ids": ["p2"] }));
        let first = keyed(&person, "Patient.ndjson");
        assert_eq!(first.code, 7, "{first:?}");
        person.desk.write("elsewhere/Patient.ndjson", PATIENTS);
        for file in ["Patient.ndjson", "elsewhere/Patient.ndjson"] {
            let again = keyed(&person, file);
            assert_eq!((again.code, &again.stdout), (first.code, &first.stdout), "{file}: {again:?}");
        }
        let report = person.types(["report", &person.desk.only_job(), "--json"]);
        assert_eq!(report.stdout, first.stdout);
        assert_eq!((person.server.kick_offs(), person.server.jobs()), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_other_files_is_refused_and_says_whose_it_is() {
    each(vec![()], 1, |()| {
        let person = person(json!({ "retry_after": "1" }));
        assert_eq!(keyed(&person, "Patient.ndjson").code, 0);
        person.desk.write("other/Patient.ndjson", OTHER);
        let refused = keyed(&person, "other/Patient.ndjson");
        let job = person.desk.only_job();
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(&job[..8]), "{refused:?}");
        assert_eq!(person.server.kick_offs(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_goes_on_where_a_killed_run_stopped() {
    each(vec![()], 1, |()| {
        let person = person(json!({ "retry_after": "1", "polls_until_done": 4 }));
        let words = person.run_words(&person.server.base_url(), &["--key", "nightly", "--json", "Patient.ndjson"]);
        let mut run = Running::start(person.desk.command(words));
        until("a poll", || person.server.polls() > 0);
        run.kill();
        let again = keyed(&person, "Patient.ndjson");
        assert_eq!(again.code, 0, "{again:?}");
        person.has_one_job("the same key after a kill");
        assert_eq!(person.server.kick_offs(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_files_without_a_key_are_noticed_while_their_import_is_not_over() {
    each(vec![()], 1, |()| {
        let person = person(json!({ "retry_after": "1", "polls_until_done": 3 }));
        let words = person.run_words(&person.server.base_url(), &["Patient.ndjson"]);
        let mut run = Running::start(person.desk.command(&words));
        until("a poll", || person.server.polls() > 0);
        run.kill();
        let (job, seen) = (person.desk.only_job(), person.server.log().len());
        let noticed = person.types(&words);
        assert_eq!(noticed.code, 9, "{noticed:?}");
        assert!(noticed.stderr.contains(&format!("wait {}", &job[..8])), "{noticed:?}");
        assert_eq!(person.server.log().len(), seen, "something was sent");
        assert_eq!(person.bring_to_end(&job).code, 0);
        person.has_one_job("noticed");
        let after = person.types(&words);
        assert_eq!((after.code, person.server.jobs()), (0, 2), "what is over may be imported once more: {after:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_begin_the_same_at_the_same_moment_begin_it_once() {
    each((0..10).collect(), 2, begin_twice).await;
}

fn begin_twice(round: usize) {
    let person = person(json!({ "retry_after": "1", "polls_until_done": 2 }));
    let words = person.run_words(&person.server.base_url(), &["Patient.ndjson"]);
    let mut both = [(), ()].map(|()| Running::start(person.desk.command(&words)));
    let left = both.each_mut().map(|run| run.left_within(LONG).unwrap());
    let mut codes = left.each_ref().map(|ran| ran.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 9], "round {round}: {left:?}");
    assert_eq!(person.server.kick_offs(), 1, "round {round}: {left:?}");
    person.has_one_job(&format!("round {round}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_before_the_kick_off_ends_as_input_changed() {
    let busy = json!({ "answer": { "status": 503, "headers": { "Retry-After": "3" } } });
    let script = json!({ "faults": [{ "on": "kick-off", "nth": 1, "action": busy }] });
    each(vec![script], 1, |script| {
        let person = person(script);
        let words = person.run_words(&person.server.base_url(), &["Patient.ndjson"]);
        let mut run = Running::start(person.desk.command(words));
        until("the server is busy", || person.server.kick_offs() == 1);
        person.desk.write("Patient.ndjson", OTHER);
        let ran = run.left_within(LONG).unwrap();
        assert_eq!((ran.code, person.server.kick_offs(), person.server.jobs()), (14, 1, 0), "{ran:?}");
        assert!(ran.said().contains("Patient.ndjson"), "{ran:?}");

        person.desk.write("Patient.ndjson", PATIENTS);
        let put_back = person.bring_to_end(&person.desk.only_job());
        assert_eq!(put_back.code, 0, "what was put back is what was checked: {put_back:?}");
        person.has_one_job("put back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_between_a_kill_and_wait_ends_as_input_changed() {
    let script = json!({ "faults": [{ "on": "kick-off", "nth": 1,
        "action": { "answer": { "status": 429, "headers": { "Retry-After": "600" } } } }] });
    each(vec![script], 1, |script| {
        let person = person(script);
        let words = person.run_words(&person.server.base_url(), &["Patient.ndjson"]);
        let mut run = Running::start(person.desk.command(words));
        assert!(run.says("Trying again in"), "{}", run.talk());
        run.kill();
        person.desk.write("Patient.ndjson", OTHER);
        let job = person.desk.only_job();
        let waited = person.types(["wait", &job, "--json"]);
        assert_eq!((waited.code, person.server.jobs()), (14, 0), "{waited:?}");
        assert_eq!(waited.json()["outcome"], "input-changed", "{waited:?}");
    })
    .await;
}

/// A state folder with one finished import in it, and no log beside the store.
fn used_desk() -> Desk {
    let desk = Desk::new();
    let nobody = desk.run(["run", "--server", "http://127.0.0.1:9/fhir", "--dialect", "hapi", "Patient=http://a/b"]);
    assert_eq!(nobody.code, 13, "{nobody:?}");
    desk
}

/// Every command that opens the store refuses it, says what it is and leaves each byte as it was.
#[track_caller]
fn is_refused_as_it_is(desk: &Desk, words: &str) {
    let before = bytes(&desk.path("state"));
    desk.write("Patient.ndjson", PATIENTS);
    let job = "0123abcd";
    let commands: [&[&str]; 4] = [
        &["jobs"],
        &["status", job],
        &["wait", job],
        &["run", "--server", "http://127.0.0.1:9/fhir", "--dialect", "hapi", "Patient.ndjson"],
    ];
    for command in commands {
        let ran = desk.run(command);
        assert_eq!(ran.code, 12, "{command:?}: {ran:?}");
        assert!(ran.stderr.contains("journal.sqlite") && ran.stderr.contains(words), "{command:?}: {ran:?}");
        assert_eq!(bytes(&desk.path("state")), before, "{command:?} changed the store");
    }
}

/// The files of a folder that hold what somebody would miss.
fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    let mut files: Vec<_> = files
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, bytes)| !name.ends_with("-shm") && !bytes.is_empty())
        .collect();
    files.sort();
    files
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_left_as_it_is() {
    let desk = used_desk();
    let store = Connection::open(desk.path("state/journal.sqlite")).unwrap();
    store.pragma_update(None, "user_version", 99).unwrap();
    store.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    store.close().unwrap();
    is_refused_as_it_is(&desk, "newer");
}

#[test]
fn a_store_of_another_program_is_refused_and_left_as_it_is() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("state")).unwrap();
    let store = Connection::open(desk.path("state/journal.sqlite")).unwrap();
    store.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('buy milk')").unwrap();
    store.close().unwrap();
    is_refused_as_it_is(&desk, "");
    std::fs::write(desk.path("state/journal.sqlite"), "a text of somebody").unwrap();
    is_refused_as_it_is(&desk, "");
}

/// A second program that waits for the same import is told who drives it.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_driven_is_driven_by_one() {
    each(vec![()], 1, |()| {
        let person = person(json!({ "retry_after": "1", "polls_until_done": 1_000 }));
        let words = person.run_words(&person.server.base_url(), &["Patient.ndjson"]);
        let mut run = Running::start(person.desk.command(words));
        until("a poll", || person.server.polls() > 0);
        let second = person.types(["wait", &person.desk.only_job()]);
        assert_eq!(second.code, 12, "{second:?}");
        person.script(json!({ "polls_until_done": 0 }));
        let first = run.left_within(LONG + Duration::from_secs(30)).unwrap();
        assert_eq!(first.code, 0, "{first:?}");
        person.has_one_job("two that wait");
    })
    .await;
}
