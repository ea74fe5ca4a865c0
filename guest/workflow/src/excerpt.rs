//! What an answer that makes no sense looks like, fit to be shown.

use fhir_import_records::{classify, normalise};

use crate::exchange::Answer;
use crate::text::clip;

/// Longest excerpt of a body, in bytes.
const BODY: usize = 120;
/// How much of a body is looked at.
const LOOK: usize = 4096;

/// Status, content type and the begin of the body, without what could be patient data.
#[must_use]
pub fn excerpt(answer: &Answer) -> String {
    let kind = answer.header("content-type").map(|kind| format!(" {}", clip(kind, 60))).unwrap_or_default();
    match body(answer).as_str() {
        "" => format!("{}{kind} and no text", answer.status),
        text => format!("{}{kind}: {}", answer.status, clip(text, BODY)),
    }
}

fn body(answer: &Answer) -> String {
    let Some(json) = answer.json() else { return text(&answer.body) };
    let said = classify(&json, 3).into_iter().map(|class| class.text).filter(|text| !text.is_empty());
    match said.collect::<Vec<_>>().join("; ") {
        // Of a resource nothing but its type: all the rest may be somebody's.
        said if said.is_empty() => json["resourceType"]
            .as_str()
            .map_or_else(|| normalise(&json.to_string()), |kind| format!("a {}", clip(kind, 40))),
        said => said,
    }
}

/// The words of a text, also where it is HTML.
fn text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..LOOK).unwrap_or(body));
    let mut words = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                words.push(' ');
            }
            c if !in_tag => words.push(c),
            _ => {}
        }
    }
    normalise(&words)
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
        assert_eq!(said(200, "text/html", page), "200 text/html: Sign in to go on");
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
