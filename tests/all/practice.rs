//! The practice server as a command: what it prints can be typed.

use std::io::{BufRead, BufReader};
use std::process::Child;

use fhir_import_sandbox::Personality;

use crate::harness::cli::Desk;

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";

/// A practice server in its own process, and what it said.
struct Practice {
    child: Child,
    /// The line for another terminal.
    line: String,
    /// What stands before it.
    advice: String,
}

impl Practice {
    fn start(desk: &Desk, args: &[&str]) -> Self {
        let mut child = desk.start(["sandbox"].iter().chain(args));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let advice = lines.next().unwrap();
        let mut line = lines.next().unwrap().trim().to_owned();
        if line.starts_with("export ") {
            line = format!("{line}; {}", lines.next().unwrap().trim());
        }
        Self { child, line, advice }
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_line_that_the_practice_server_prints_imports_also_where_stores_keys_and_settings_are_wanted() {
    let servers =
        [Personality::Hapi, Personality::Google, Personality::Healthlake, Personality::Microsoft, Personality::UdsPlus];
    for server in servers {
        let desk = Desk::new();
        let data = desk.write("in/Patient.ndjson", PATIENTS);
        let named = ["--dialect", server.name()];
        let mut practice = Practice::start(&desk, &named);
        if let Some((_, wanted)) = practice.advice.split_once("with {") {
            let script = format!("{{{}}}}}", wanted.split_once("}}.").unwrap().0);
            let folder = format!("{}/", data.parent().unwrap().display());
            let script = desk.write("script.json", &script.replace("/a/folder/", &folder));
            let scripted = named.into_iter().chain(["--script", script.to_str().unwrap()]);
            practice = Practice::start(&desk, &scripted.collect::<Vec<_>>());
            assert!(!practice.advice.contains("--script"), "{server}: {}", practice.advice);
        }
        let line = practice.line.replace("PATH", data.to_str().unwrap());
        let ran = desk.type_in(&line);
        assert_eq!(ran.code, 0, "{server}: {line}: {}", ran.said());
    }
}
