//! The `Parameters` of both operations.

use super::Flavour;
use super::submission::{Stage, Submitter};
use serde_json::Value;

const EVENT_STATUS: &str = "http://hl7.org/fhir/event-status";
const DRAFT_STATUS: &str = "http://hl7.org/fhir/uv/bulkdata/ValueSet/submission-status";

/// A `$bulk-submit` that can be understood.
pub(super) struct Request {
    pub(super) submitter: Submitter,
    pub(super) submission_id: String,
    pub(super) stage: Stage,
    pub(super) manifest_url: Option<String>,
    pub(super) replaces: Option<String>,
    pub(super) base: String,
}

impl Request {
    pub(super) fn read(flavour: Flavour, body: &[u8]) -> Result<Self, String> {
        let parameters = parameters(flavour, body)?;
        let (submitter, submission_id) = name(flavour, &parameters)?;
        let stage = stage(flavour, &parameters)?;
        let text = |name: &str| parameter(&parameters, name).and_then(|found| text(flavour, found));
        let manifest_url = text("manifestUrl");
        if stage.is_none() && manifest_url.is_none() {
            return Err(match flavour {
                Flavour::Stu4 => "at least one of `submissionStatus` and `manifestUrl` must be populated",
                Flavour::Argonaut => "Either submissionStatus or manifestUrl SHALL be populated",
            }
            .to_owned());
        }
        let base = text("fhirBaseUrl").or_else(|| text("FHIRBaseUrl"));
        if manifest_url.is_some() && base.is_none() {
            return Err(match flavour {
                Flavour::Stu4 => "`fhirBaseUrl` is required when `manifestUrl` is populated",
                Flavour::Argonaut => "Missing or invalid FHIRBaseUrl parameter",
            }
            .to_owned());
        }
        let (stage, base) = (stage.unwrap_or(Stage::Open), base.unwrap_or_default());
        Ok(Self { submitter, submission_id, stage, manifest_url, replaces: text("replacesManifestUrl"), base })
    }
}

/// Which submission a `$bulk-submit-status` means.
pub(super) fn submission_of(flavour: Flavour, body: &[u8]) -> Result<(Submitter, String), String> {
    let parameters = parameters(flavour, body)?;
    let format = parameter(&parameters, "_outputFormat").and_then(|found| found["valueString"].as_str());
    match format {
        None | Some("application/fhir+ndjson" | "application/ndjson" | "ndjson") => name(flavour, &parameters),
        Some(other) => Err(match flavour {
            Flavour::Stu4 => format!("unsupported _outputFormat '{other}' (only NDJSON is produced)"),
            Flavour::Argonaut => {
                "Invalid _outputFormat parameter. Only ndjson formats are supported by this server.".to_owned()
            }
        }),
    }
}

fn parameters(flavour: Flavour, body: &[u8]) -> Result<Vec<Value>, String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let found = body["parameter"].as_array().cloned();
    found.ok_or_else(|| match flavour {
        Flavour::Stu4 => "request body must be a Parameters resource".to_owned(),
        Flavour::Argonaut => "Invalid request body. Expected a FHIR Parameters resource.".to_owned(),
    })
}

fn name(flavour: Flavour, parameters: &[Value]) -> Result<(Submitter, String), String> {
    let submitter = parameter(parameters, "submitter").map(|found| &found["valueIdentifier"]);
    let value = submitter.and_then(|submitter| submitter["value"].as_str()).filter(|value| !value.is_empty());
    let Some((submitter, value)) = submitter.zip(value) else {
        return Err(match flavour {
            Flavour::Stu4 => "the `submitter` parameter is required",
            Flavour::Argonaut => "Missing or invalid submitter parameter",
        }
        .to_owned());
    };
    let system = submitter["system"].as_str().map(str::to_owned);
    let id = parameter(parameters, "submissionId").and_then(|found| text(flavour, found));
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| match flavour {
        Flavour::Stu4 => "the `submissionId` parameter is required".to_owned(),
        Flavour::Argonaut => "Missing or invalid submissionId parameter".to_owned(),
    })?;
    Ok((Submitter { system, value: value.to_owned() }, id))
}

fn stage(flavour: Flavour, parameters: &[Value]) -> Result<Option<Stage>, String> {
    let Some(found) = parameter(parameters, "submissionStatus") else { return Ok(None) };
    let coding = &found["valueCoding"];
    match flavour {
        Flavour::Stu4 => stage_of_helios(coding).map(Some),
        Flavour::Argonaut => match coding["code"].as_str() {
            None => Ok(None),
            Some("in-progress") => Ok(Some(Stage::Open)),
            Some("complete") => Ok(Some(Stage::Completed)),
            Some("aborted") => Ok(Some(Stage::Stopped)),
            Some(_) => {
                Err("Invalid submissionStatus parameter. Must be one of in-progress, complete, or aborted.".to_owned())
            }
        },
    }
}

/// The codes of the draft are let through, as Helios does.
fn stage_of_helios(coding: &Value) -> Result<Stage, String> {
    if let Some(system) = coding["system"].as_str().filter(|system| ![EVENT_STATUS, DRAFT_STATUS].contains(system)) {
        return Err(format!("submissionStatus.system must be '{EVENT_STATUS}', got '{system}'"));
    }
    match coding["code"].as_str().unwrap_or_default() {
        "in-progress" => Ok(Stage::Open),
        "completed" | "complete" => Ok(Stage::Completed),
        "stopped" | "aborted" => Ok(Stage::Stopped),
        other => Err(format!("invalid submissionStatus '{other}' (expected in-progress|completed|stopped)")),
    }
}

fn parameter<'a>(parameters: &'a [Value], name: &str) -> Option<&'a Value> {
    parameters.iter().find(|parameter| parameter["name"] == name)
}

/// Helios reads four kinds of value; the test servers of the draft have only `valueString` in common.
fn text(flavour: Flavour, parameter: &Value) -> Option<String> {
    let kinds: &[&str] = match flavour {
        Flavour::Stu4 => &["valueString", "valueUrl", "valueUri", "valueCode"],
        Flavour::Argonaut => &["valueString"],
    };
    kinds.iter().find_map(|kind| parameter[*kind].as_str()).map(str::to_owned)
}
