//! Whole imports through the component against the practice server, on a virtual clock. What the server saw decides.

use fhir_import::End;
use fhir_import::contract::{Outcome, Report, Verdict};
use fhir_import_sandbox::{Personality, Script};

use crate::harness::rig::{Rig, Seen};

const PATIENTS: &str = concat!(
    r#"{"resourceType":"Patient","id":"p1","gender":"female"}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"p2","gender":"male"}"#,
    "\n"
);
const OBSERVATIONS: &str = concat!(
    r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}"#,
    "\n"
);
const BOTH: [(&str, &str); 2] = [("Patient", PATIENTS), ("Observation", OBSERVATIONS)];

fn done(end: End) -> Report {
    match end {
        End::Done(report) => *report,
        other => panic!("not done: {other:?}"),
    }
}

async fn run(personality: Personality, script: Script) -> (Rig, Report, Seen) {
    let rig = Rig::new(personality, script).await;
    let (end, seen) = rig.run(&BOTH).await;
    (rig, done(end), seen)
}

#[tokio::test]
async fn both_dialects_import_verify_and_submit_once() {
    for personality in Personality::ALL {
        let (rig, report, _) = run(personality, Script::default()).await;
        assert_eq!(report.outcome, Outcome::Succeeded, "{personality}: {report:?}");
        assert_eq!(report.imported, Some(3), "{personality}");
        assert_eq!(report.rejected.unwrap_or(0), 0, "{personality}");
        assert_eq!(report.verdict, Verdict::Verified, "{personality}: {report:?}");
        assert_eq!((rig.sandbox.kick_offs(), rig.sandbox.jobs(), rig.sandbox.stored()), (1, 1, 3), "{personality}");
        assert_eq!(rig.sandbox.deletes(), 0, "{personality}");
    }
}
