//! A real disk that is full, fills up or cannot be written, under the real command line.
//!
//! The state folder is a file system of one mebibyte, mounted in a mount namespace of the command alone.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fhir_import_sandbox::{Config, Personality, Sandbox, Script};
use serde_json::{Value, json};

use crate::harness::cli::{Desk, Ran, ran, until};

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";
/// Mounts a small disk as the state folder.
const SMALL: &str = "mount -t tmpfs -o size=1m,mode=700 none \"$FHIR_IMPORT_STATE\"";
/// Makes the state folder one that cannot be written.
const READ_ONLY: &str =
    "mount --bind \"$FHIR_IMPORT_STATE\" \"$FHIR_IMPORT_STATE\"; mount -o remount,bind,ro \"$FHIR_IMPORT_STATE\"";

/// How this machine lets a test mount something. There is no other way to a real full disk, so without one the test
/// fails.
fn namespace() -> &'static str {
    let works = |flags| {
        let tried = Command::new("unshare").args([flags, "sh", "-c", "mount -t tmpfs none /mnt"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    ["-m", "-rm"].into_iter().find(|flags| works(flags)).expect(
        "a test of full disks mounts a small one: run it as root, or where `unshare -rm` and mounting a tmpfs are allowed",
    )
}

/// A command whose state folder is mounted by this script.
fn mounted(desk: &Desk, script: &str, args: &[&str]) -> Command {
    fs::create_dir_all(desk.path("state")).unwrap();
    let plain = desk.command(args);
    let mut command = Command::new("unshare");
    command.args([namespace(), "sh", "-ec", &format!("{script}; exec \"$@\""), "sh"]);
    command.arg(plain.get_program()).args(plain.get_args()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").unwrap()).current_dir(plain.get_current_dir().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn server(script: serde_json::Value) -> Sandbox {
    let script: Script = serde_json::from_value(script).unwrap();
    Sandbox::start(Config { personality: Personality::Hapi, port: 0, script }).await.unwrap()
}

fn run<'a>(server: &'a str, file: &'a Path) -> [&'a str; 6] {
    ["run", "--server", server, "--poll-max", "1s", file.to_str().unwrap()]
}

fn not_saved(ran: &Ran) {
    assert_eq!(ran.code, 12, "{ran:?}");
    assert!(ran.said().contains("mend the disk or its permissions"), "{ran:?}");
}

/// Takes all that is left of the small disk, as the command sees it.
fn fill(child: &Child, desk: &Desk) {
    let root = PathBuf::from(format!("/proc/{}/root", child.id()));
    let mut file = File::create(root.join(desk.path("state/others").strip_prefix("/").unwrap())).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[0; 512]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_space_is_left_nothing_is_submitted_that_is_not_stored_first() {
    let mut seen = std::collections::BTreeSet::new();
    for free in [0, 96, 152, 168, 184, 208, 240, 400] {
        let server = server(json!({ "retry_after": "1" })).await;
        let desk = Desk::new();
        let file = desk.write("Patient.ndjson", PATIENTS);
        let fill = format!("{SMALL}; head -c {}k /dev/zero > \"$FHIR_IMPORT_STATE/others\"", 1024 - free);
        let base = server.base_url();
        let ran = ran(&mounted(&desk, &fill, &run(&base, &file)).output().unwrap());
        println!("{free} KiB: exit {}, {} kick-offs", ran.code, server.kick_offs());
        seen.insert((ran.code, server.kick_offs()));
        if ran.code != 0 {
            not_saved(&ran);
        }
        if let Some(url) = server.job_urls().pop() {
            assert!(ran.said().contains(&url), "{free} KiB: {ran:?}");
        }
        assert!(server.kick_offs() <= 1);
    }
    assert!(seen.contains(&(12, 0)) && seen.contains(&(0, 1)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_while_the_server_accepts_leaves_the_status_url_with_the_person() {
    let script = json!({ "faults": [{ "on": "kick-off", "action": { "delay-ms": 1500 } }] });
    fills_once(script, |server| server.log().iter().any(|request| request.method == "POST")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_between_polls_ends_the_run_and_not_the_job() {
    fills_once(json!({ "retry_after": "1", "polls_until_done": 1000 }), |server| server.polls() > 0).await;
}

/// The disk fills once the server has come so far: the run ends, and the job and its status URL are not lost.
async fn fills_once(script: Value, so_far: impl Fn(&Sandbox) -> bool) {
    let server = server(script).await;
    let desk = Desk::new();
    let file = desk.write("Patient.ndjson", PATIENTS);
    let base = server.base_url();
    let child = mounted(&desk, SMALL, &run(&base, &file)).spawn().unwrap();
    until(|| so_far(&server)).await;
    fill(&child, &desk);
    let ran = ran(&child.wait_with_output().unwrap());
    not_saved(&ran);
    assert_eq!((server.kick_offs(), server.jobs(), server.deletes()), (1, 1, 0));
    assert!(ran.said().contains(&server.job_urls().pop().unwrap()), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_written_is_said_before_anything_is_sent() {
    let server = server(json!({ "retry_after": "1" })).await;
    let base = server.base_url();
    let (fresh, used) = (Desk::new(), Desk::new());
    let file = used.write("Patient.ndjson", PATIENTS);
    assert_eq!(used.run(run(&base, &file)).code, 0);
    let before = server.kick_offs();
    let other = "{\"resourceType\":\"Patient\",\"id\":\"p3\"}\n";
    for desk in [&fresh, &used] {
        let file = desk.write("other/Patient.ndjson", other);
        not_saved(&ran(&mounted(desk, READ_ONLY, &run(&base, &file)).output().unwrap()));
        assert_eq!(server.kick_offs(), before);
    }
}
