//! Every dialect against the practice server of its name, through the component.

use fhir_import::End;
use fhir_import_sandbox::Personality;
use serde_json::json;

use crate::harness::person::read;
use crate::harness::rig::Rig;

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n";
const OBSERVATIONS: &str = "{\"resourceType\":\"Observation\",\"id\":\"o1\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"subject\":{\"reference\":\"Patient/p1\"}}\n";
const BOTH: [(&str, &str); 2] = [("Patient", PATIENTS), ("Observation", OBSERVATIONS)];

#[tokio::test]
async fn probe() {
    for (name, script) in [
        ("good", json!({})),
        ("rejects", json!({"reject_ids": ["p2"]})),
        ("lost", json!({"faults": [{"on": "kick-off", "nth": 1, "action": "accept-then-drop"}]})),
    ] {
        for server in Personality::ALL {
            if server == Personality::Sazare {
                continue;
            }
            let rig = Rig::of_one_clock(server, read(script.clone())).await;
            let request = rig.request(&BOTH);
            let id = rig.begin(&request).await;
            let (end, seen) = rig.drive(&id).await;
            println!(
                "=== {name} {server}: kick-offs {} jobs {} stored {}",
                rig.sandbox.kick_offs(),
                rig.sandbox.jobs(),
                rig.sandbox.stored()
            );
            match end {
                End::Done(r) => println!(
                    "{:?} imp {:?} rej {:?} {:?} {} | {} | errors {:?} missing {:?}",
                    r.outcome, r.imported, r.rejected, r.verdict, r.sentence, r.advice, r.errors, r.missing
                ),
                End::Paused(p) => println!("PAUSED {:?} {:?} {}", p.reason, p.outcome, p.message),
                other => println!("{other:?}"),
            }
            if std::env::var("V").is_ok() {
                for e in &seen.events {
                    println!("   {} {}", e.kind, e.text);
                }
                for e in rig.sandbox.log() {
                    println!(
                        "   > {} {} {:?} {}",
                        e.method,
                        e.path_and_query,
                        e.status,
                        String::from_utf8_lossy(&e.body)
                    );
                }
            }
        }
    }
}
