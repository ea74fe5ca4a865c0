//! What is this server? Two GETs at most; never a POST, which some servers would import.

use serde::Serialize;
use serde_json::Value;

use super::{Ask, Cx, Finished, Paused, Ready, Reply, State};
use crate::detect::{self, Capabilities, Finding, Lookup, consult_definition};
use crate::dialect::Confidence;
use crate::excerpt::excerpt;
use crate::exchange::{Answer, Exchange, Failure, FailureKind, KEEP_DOCUMENT};
use crate::json::read::read_object;
use crate::outcome::Outcome;
use crate::report::{Detection, Ending};
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
            _ => not_fhir(cx, &format!("GET metadata was answered {}", excerpt(&answer))),
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
            let what = match answer.cut {
                true => "GET metadata was answered with more than is read here, or broke off".to_owned(),
                false => format!("GET metadata did not answer a CapabilityStatement in JSON, but {}", excerpt(answer)),
            };
            return not_fhir(cx, &what);
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
    match finding.lookup {
        Some(lookup) => State::ReadDefinition(ReadDefinition { url: definition_url(cx, &lookup) }),
        None => decide(cx),
    }
}

/// The server's own OperationDefinition: where it says when that is on the server, else by a search.
fn definition_url(cx: &Cx<'_>, lookup: &Lookup) -> String {
    let base = cx.plan.base();
    match lookup.definition.as_deref() {
        Some(url) if base.holds(url) && url.len() <= MAX_URL => url.to_owned(),
        Some(path) if path.starts_with("OperationDefinition/") && path.len() <= MAX_URL => base.join(path),
        _ => base.join(&format!("OperationDefinition?code={}", lookup.operation)),
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
        let definition = reply.ok().filter(|a| a.status == 200).and_then(|a| a.json());
        let definition = definition.and_then(|body| pick(body, &self.url));
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

/// An OperationDefinition, alone or in the answer to a search. Some servers search by nothing and answer all they have;
/// and an operation of a type may have the same name.
fn pick(body: Value, url: &str) -> Option<Value> {
    if body["resourceType"] == "OperationDefinition" {
        return Some(body);
    }
    let (_, wanted) = url.split_once("?code=")?;
    let resources = body["entry"].as_array()?.iter().map(|entry| &entry["resource"]);
    let is_wanted = |r: &&Value| r["code"].as_str().is_some_and(|code| detect::plain_name(code) == wanted);
    let found: Vec<_> = resources.filter(|r| r["resourceType"] == "OperationDefinition").filter(is_wanted).collect();
    let of_system = found.iter().find(|definition| definition["system"] == true);
    of_system.or(found.first()).map(|definition| (*definition).clone())
}

fn decide(cx: &mut Cx<'_>) -> State {
    let detection = cx.progress.detection.clone();
    let name = detection.dialect.clone().unwrap_or_default();
    let told = match &detection.dialect {
        Some(name) => format!("dialect {name:?}, confidence {}", detection.confidence.name()),
        None => "no dialect that is known".to_owned(),
    };
    cx.tell(EventKind::Detected, told);
    if cx.plan.purpose == Purpose::Verify {
        return Ready::enter(cx);
    }
    if detection.dialect.is_none() {
        let advice = "If you know better, name the dialect: --dialect NAME (`fhir-import dialects` lists them).";
        let why = detection.evidence.join(" ");
        return Finished::end(cx, Ending::new(Outcome::Unsupported, format!("No known bulk import: {why}"), advice));
    }
    if cx.plan.purpose == Purpose::Detect {
        let (confidence, sure) = (detection.confidence.name(), detection.confidence >= Confidence::High);
        let (verb, advice) = if sure { ("speaks", String::new()) } else { ("may speak", say_so(&detection)) };
        let sentence = format!("The server {verb} {name} (confidence {confidence}).");
        return Finished::end(cx, Ending::new(Outcome::Succeeded, sentence, advice));
    }
    if detection.confidence < Confidence::High {
        let sentence = format!("It may be {name}, but that is not sure enough to send anything.");
        let advice = say_so(&detection);
        return Finished::end(cx, Ending::new(Outcome::Unsupported, sentence, advice));
    }
    Ready::enter(cx)
}

/// The flag that settles it.
fn say_so(detection: &Detection) -> String {
    let name = detection.dialect.as_deref().unwrap_or_default();
    let others = match detection.candidates.join(", ") {
        names if names.is_empty() => names,
        names => format!(" It could also be: {names}."),
    };
    format!("If it is, say so: --dialect {name}.{others}")
}

fn not_fhir(cx: &mut Cx<'_>, what: &str) -> State {
    let advice = "Check that the URL is the FHIR base URL, the one to which /metadata is added.";
    Finished::end(cx, Ending::new(Outcome::AnswerNotUnderstood, format!("{what}."), advice))
}

read_object!(ReadCapabilities { failures, due });
read_object!(ReadDefinition { url });
