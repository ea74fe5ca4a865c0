//! What an answer that makes no sense looks like, fit to be shown.

use fhir_import_records::{classify, normalise};
use serde_json::Value;

use crate::exchange::Answer;
use crate::text::clip;

/// Longest excerpt of a body, in bytes.
const BODY: usize = 120;
/// How much of a body is looked at.
const LOOK: usize = 4096;

/// Status, content type and what the body says, without what could be patient data.
#[must_use]
pub fn excerpt(answer: &Answer) -> String {
    let kind = answer.header("content-type").map(|kind| format!(" {}", clip(kind, 60))).unwrap_or_default();
    match body(answer).as_str() {
        "" => format!("{}{kind} and no text", answer.status),
        text => format!("{}{kind}: {}", answer.status, clip(text, BODY)),
    }
}

/// What could be a resource, in whatever form, is not shown; what else it is, its size tells.
fn body(answer: &Answer) -> String {
    if let Some(json) = answer.json() {
        return words(&json);
    }
    let text = String::from_utf8_lossy(answer.body.get(..LOOK).unwrap_or(&answer.body));
    let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let said = match kind.split(';').next().unwrap_or_default().trim() {
        "text/plain" => Some(&*text),
        "text/html" => title(&text),
        _ => None,
    };
    match (said, answer.body.len()) {
        (Some(said), _) => normalise(said),
        (None, 0) => String::new(),
        (None, bytes) => format!("{bytes} bytes"),
    }
}

/// Of a resource nothing but its type: all the rest may be somebody's.
fn words(json: &Value) -> String {
    let said = classify(json, 3).into_iter().map(|class| class.text).filter(|text| !text.is_empty());
    match (said.collect::<Vec<_>>().join("; "), json["resourceType"].as_str()) {
        (said, Some(kind)) if said.is_empty() => format!("a {}", clip(kind, 40)),
        (said, None) if said.is_empty() => normalise(&json.to_string()),
        (said, _) => said,
    }
}

/// The title of a page: the text of a page may be a resource's narrative.
fn title(html: &str) -> Option<&str> {
    let lower = html.to_ascii_lowercase();
    let from = lower.find("<title>")? + "<title>".len();
    let to = from + lower[from..].find("</title>")?;
    html.get(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, kind: &str, body: &str) -> String {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        excerpt(&Answer { status, headers, body: body.as_bytes().to_vec(), cut: false })
    }

    #[test]
    fn it_tells_status_type_and_words() {
        let page = "<html><head><title>Sign in</title></head><body class=\"x\">to go on</body></html>";
        assert_eq!(said(200, "text/html", page), "200 text/html: Sign in");
        assert_eq!(said(418, "text/plain", ""), "418 text/plain and no text");
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"not here"}]}"#;
        assert_eq!(said(400, "application/fhir+json", outcome), "400 application/fhir+json: not here");
        assert_eq!(
            said(200, "application/json", r#"{"resourceType":"Bundle","total":7}"#),
            "200 application/json: a Bundle"
        );
    }

    #[test]
    fn it_shows_nothing_of_a_patient() {
        let narrative = r#"<div xmlns="http://www.w3.org/1999/xhtml">John CANARY, <b>MRN</b> CANARY</div>"#;
        for (kind, body) in [
            ("text/html", narrative),
            ("application/fhir+xml", narrative),
            ("text/xml", narrative),
            ("text/csv", "family,given\nCANARY,John\n"),
            ("", "CANARY John"),
        ] {
            assert_eq!(said(200, kind, body), format!("200 {kind}: {} bytes", body.len()));
        }
        for body in [
            r#"{"resourceType":"Patient","id":"CANARY","name":[{"family":"CANARY"}]}"#,
            r#"{"a":"CANARY","b":[1,"CANARY"]}"#,
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"name: CANARY of \"CANARY\""}]}"#,
            r#"{"resourceType":"Patient","name":"CANARY""#,
            "<p title='CANARY'>family=CANARY</p>",
        ] {
            let shown = said(200, "application/json", body);
            assert!(!shown.contains("CANARY"), "{shown}");
        }
    }

    #[test]
    fn it_is_short() {
        assert!(said(200, "text/plain", &"word ".repeat(9999)).len() < 160);
    }
}
