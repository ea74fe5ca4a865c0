//! What Temporal stores of an import: where it stands. The plan is kept elsewhere, by its digest.

use fhir_import::contract::{Decision, Next, Request, Transition};
use fhir_import::files::ContentDigest;
use serde::{Deserialize, Serialize};

/// Where an import stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The FHIR server's base URL, which decides about a worker's rights.
    pub server: String,
    /// The plan's digest.
    pub plan: ContentDigest,
    /// The component's own text.
    pub checkpoint: String,
    /// What to do next.
    pub next: Next,
}

impl Standing {
    /// Where it stands after a call.
    #[must_use]
    pub fn after(self, transition: Transition) -> Self {
        Self { checkpoint: transition.checkpoint, next: transition.next, ..self }
    }
}

/// What a workflow is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// By a run of the same workflow whose history had become long.
    Again(Box<Standing>),
    /// By whoever wants an import.
    Request(Box<Request>),
}

/// A decision, and what it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decided {
    /// Where the import stands.
    pub at: Standing,
    /// What was decided.
    pub decision: Decision,
}

/// What the query `progress` answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Its plan is being made.
    #[default]
    Starting,
    /// It goes on by itself, or is over.
    Driven(Standing),
    /// It waits for a decision.
    Paused(Standing),
    /// A call cannot be made: a decision lets it be tried again.
    Stuck {
        /// Where the import stands.
        at: Standing,
        /// What happened, and whose move it is.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use fhir_import::contract::{Wake, WakeReason};
    use serde_json::json;

    use super::*;

    fn standing() -> Standing {
        let next = Next::Wait(Wake { at_ms: 7, reason: WakeReason::Poll, server_asked_ms: None });
        let plan = serde_json::from_value("0".repeat(64).into()).unwrap();
        Standing { server: "https://fhir.example.org/fhir".to_owned(), plan, checkpoint: "{}".to_owned(), next }
    }

    #[test]
    fn a_run_that_goes_on_is_not_taken_for_a_request() {
        let stored = serde_json::to_string(&Given::Again(Box::new(standing()))).unwrap();
        let Ok(Given::Again(at)) = serde_json::from_str(&stored) else { panic!("{stored}") };
        assert_eq!(*at, standing());
    }

    #[test]
    fn a_request_of_the_contract_is_one() {
        let request = json!({
            "id": "0123456789abcdef0123456789abcdef", "time_ms": 1, "purpose": "Import",
            "base_url": "https://fhir.example.org/fhir", "dialect": "Detect",
            "inputs": [{
                "url": "https://files.example.org/p.ndjson", "resource_type": "Patient", "resources": null, "etag": null,
            }],
            "samples": [], "expected": [], "settings": [["a", "b"]], "documents_url": null,
            "policy": { "poll_max_ms": 1, "deadline_ms": 1, "max_errors": 0 },
        });
        assert!(matches!(serde_json::from_value(request), Ok(Given::Request(_))));
    }
}
