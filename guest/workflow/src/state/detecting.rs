//! What is this server? Two GETs at most; never a POST, which some servers would import.

use serde::Serialize;
use serde_json::Value;

use super::{Ask, Cx, Finished, Paused, Ready, Reply, State};
use crate::detect::{self, Capabilities, Finding, consult_definition};
use crate::dialect::Confidence;
use crate::exchange::{Answer, Exchange, Failure, FailureKind, KEEP_DOCUMENT};
use crate::json::read::read_object;
use crate::outcome::Outcome;
use crate::report::Ending;
use crate::request::Purpose;
use crate::transition::{EventKind, PauseReason, Wake};
use crate::url::MAX_URL;

const ACCEPT: &str = "application/fhir+json, application/json";

/// How often the CapabilityStatement is asked for before the server counts as unreachable.
const ATTEMPTS: u32 = 3;

/// The CapabilityStatement is read.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadCapabilities {
    failures: u32,
    due: Option<Wake>,
}

impl ReadCapabilities {
    /// When it goes on.
    #[must_use]
    pub fn due(&self) -> Option<&Wake> {
        self.due.as_ref()
    }

    pub(super) fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        Ask::Send(Exchange::get(cx.plan.base().join("metadata"), ACCEPT, KEEP_DOCUMENT))
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        let answer = match reply {
            Ok(answer) => answer,
            Err(failure) => return self.failed(cx, &failure),
        };
        match answer.status {
            200 => self.read(cx, &answer),
            401 | 403 => {
                let text = format!("The server answers {} to GET metadata: it wants other credentials.", answer.status);
                Paused::stop(cx, PauseReason::Credentials, text, State::ReadCapabilities(Self::default()))
            }
            408 | 429 | 500.. if self.failures + 1 < ATTEMPTS => {
                self.again(cx, Some(&answer), &format!("GET metadata was answered {}", answer.status))
            }
            status @ (408 | 429 | 500..) => {
                let sentence = format!("The server is busy or broken: it answers {status} to GET metadata.");
                let advice = "No import was started. Run again later.";
                Finished::end(cx, Ending::new(Outcome::Unreachable, sentence, advice))
            }
            status => not_fhir(cx, &format!("GET metadata was answered {status}")),
        }
    }

    fn failed(self, cx: &mut Cx<'_>, failure: &Failure) -> State {
        let final_word = matches!(failure.kind, FailureKind::Denied | FailureKind::Tls);
        if final_word || self.failures + 1 >= ATTEMPTS {
            return Finished::end(cx, Finished::unreachable(failure));
        }
        self.again(cx, None, &failure.text)
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, text: &str) -> State {
        let failures = self.failures + 1;
        cx.tell(EventKind::RequestFailed, text);
        let wake = cx.back_off(answer, failures);
        State::ReadCapabilities(Self { failures, due: Some(wake) })
    }

    fn read(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let Some(capabilities) = answer.json().as_ref().and_then(Capabilities::read) else {
            return not_fhir(cx, "GET metadata did not answer a CapabilityStatement in JSON");
        };
        found(cx, capabilities.find(&cx.plan.all_dialects()))
    }
}

/// What the name of the host says is not asked for.
pub fn by_host(cx: &mut Cx<'_>) -> Option<State> {
    let finding = detect::by_host(&cx.plan.all_dialects(), &cx.plan.base_url)?;
    Some(found(cx, finding))
}

fn found(cx: &mut Cx<'_>, finding: Finding) -> State {
    cx.progress.chosen = finding.index;
    cx.progress.detection = finding.detection.bounded();
    match finding.definition {
        Some(definition) => State::ReadDefinition(ReadDefinition { url: definition_url(cx, definition.as_deref()) }),
        None => decide(cx),
    }
}

/// The server's own OperationDefinition: where it says when that is on the server, else by a search.
fn definition_url(cx: &Cx<'_>, definition: Option<&str>) -> String {
    let base = cx.plan.base();
    match definition {
        Some(url) if base.holds(url) && url.len() <= MAX_URL => url.to_owned(),
        Some(path) if path.starts_with("OperationDefinition/") && path.len() <= MAX_URL => base.join(path),
        _ => base.join("OperationDefinition?code=import"),
    }
}

/// The server's own OperationDefinition is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadDefinition {
    url: String,
}

impl ReadDefinition {
    pub(super) fn ask(&self, _cx: &mut Cx<'_>) -> Ask {
        Ask::Send(Exchange::get(self.url.clone(), ACCEPT, KEEP_DOCUMENT))
    }

    /// A definition that cannot be read is no evidence, neither way.
    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        let definition = reply.ok().filter(|a| a.status == 200).and_then(|a| a.json()).and_then(pick);
        let mut detection = cx.progress.detection.clone();
        match definition {
            Some(definition) => {
                cx.progress.chosen = consult_definition(&mut detection, &cx.plan.all_dialects(), &definition);
            }
            None => detection.evidence.push("Its OperationDefinition could not be read.".to_owned()),
        }
        cx.progress.detection = detection.bounded();
        decide(cx)
    }
}

/// An OperationDefinition, alone or in the answer to a search.
fn pick(body: Value) -> Option<Value> {
    if body["resourceType"] == "OperationDefinition" {
        return Some(body);
    }
    let entries = body["entry"].as_array()?;
    entries.iter().map(|e| &e["resource"]).find(|r| r["resourceType"] == "OperationDefinition").cloned()
}

fn decide(cx: &mut Cx<'_>) -> State {
    let detection = cx.progress.detection.clone();
    let name = detection.dialect.clone().unwrap_or_default();
    cx.tell(EventKind::Detected, format!("dialect {name:?}, confidence {}", detection.confidence.name()));
    if cx.plan.purpose == Purpose::Verify {
        return Ready::enter(cx);
    }
    if detection.dialect.is_none() {
        let advice = "If you know better, name the dialect: --dialect NAME (`fhir-import dialects` lists them).";
        let why = detection.evidence.join(" ");
        return Finished::end(cx, Ending::new(Outcome::Unsupported, format!("No known bulk import: {why}"), advice));
    }
    if cx.plan.purpose == Purpose::Detect {
        let sentence = format!("The server speaks {name} (confidence {}).", detection.confidence.name());
        return Finished::end(cx, Ending::new(Outcome::Succeeded, sentence, ""));
    }
    if detection.confidence < Confidence::High {
        let sentence = format!("It may be {name}, but that is not sure enough to send anything.");
        let advice = format!("If it is, say so: --dialect {name}.");
        return Finished::end(cx, Ending::new(Outcome::Unsupported, sentence, advice));
    }
    Ready::enter(cx)
}

fn not_fhir(cx: &mut Cx<'_>, what: &str) -> State {
    let advice = "Check that the URL is the FHIR base URL, the one to which /metadata is added.";
    Finished::end(cx, Ending::new(Outcome::AnswerNotUnderstood, format!("{what}."), advice))
}

read_object!(ReadCapabilities { failures, due });
read_object!(ReadDefinition { url });
