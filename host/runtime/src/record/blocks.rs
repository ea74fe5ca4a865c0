//! Requests and answers as they are written down.

use bytes::Bytes;
use fhir_import_records::normalise;
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, COOKIE, DATE, ETAG, EXPIRES,
    HOST, LAST_MODIFIED, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::Value;

use super::json::{self, Words};
use super::scrub::Scrub;
use crate::net::{Carried, NetError};
use crate::secrets::Secrets;

/// Longer bodies are cut, in bytes.
const MAX_BODY: usize = 64 << 10;

/// What decides anything in an answer; others may tell whose server it is.
const TOLD: [HeaderName; 13] = [
    ALLOW,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    LOCATION,
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    HeaderName::from_static("x-export-status"),
    HeaderName::from_static("x-progress"),
];

/// What the URL says already, what is not true of a body that was hidden, and credentials.
const UNTOLD: [HeaderName; 4] = [AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST];

/// How exchanges of one import are written.
pub(super) struct Blocks<'a> {
    pub(super) scrub: &'a Scrub,
    pub(super) secrets: &'a Secrets,
}

impl Blocks<'_> {
    pub(super) fn request(&self, request: &Request<Bytes>) -> String {
        let url = self.scrub.text(&self.without_secrets(request.uri().to_string().as_bytes()));
        let told = |name: &&HeaderName| !(UNTOLD.contains(name) || name.as_str().starts_with("x-amz-"));
        let headers = self.headers(request.headers(), told);
        let body = self.sent(request.headers(), request.body());
        format!("{} {url}\n{headers}\n{body}", request.method())
    }

    pub(super) fn outcome(&self, outcome: &Result<Carried, NetError>) -> String {
        let answer = match outcome {
            Err(error) => return format!("FAILED {}\n\n", error.short()),
            Ok(answer) => answer,
        };
        let headers = &answer.head.headers;
        let headers = self.headers(headers, |name| TOLD.contains(name) || headers.get(*name).is_some_and(is_status));
        let body = self.received(&answer.head.headers, &answer.body);
        let broken = answer.broken.as_ref().map(|error| format!("FAILED {}\n\n", error.short())).unwrap_or_default();
        format!("HTTP {}\n{headers}\n{body}{broken}", answer.head.status.as_u16())
    }

    fn headers(&self, headers: &HeaderMap, told: impl Fn(&&HeaderName) -> bool) -> String {
        let mut names: Vec<&HeaderName> = headers.keys().filter(told).collect();
        names.sort_by_key(|name| name.as_str());
        let lines = names.into_iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
        lines.map(|(name, value)| format!("{}: {}\n", title(name), self.value(value))).collect()
    }

    /// A secret that was filled in is marked as such.
    fn value(&self, value: &HeaderValue) -> String {
        let text = self.without_secrets(value.as_bytes());
        if value.is_sensitive() && text.as_bytes() == value.as_bytes() {
            "…".to_owned()
        } else {
            self.scrub.text(&text)
        }
    }

    fn without_secrets(&self, bytes: &[u8]) -> String {
        let mut bytes = bytes.to_vec();
        self.secrets.hide(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Of bulk data only the length; of what the guest wrote everything.
    fn sent(&self, headers: &HeaderMap, body: &[u8]) -> String {
        let text = self.without_secrets(body);
        let data = serde_json::from_str::<Value>(&text).map_or(true, |value| json::is_data(&value));
        match json::scrubbed(&text, Words::Ours, self.scrub).filter(|_| !data) {
            Some(text) => paragraph(text),
            None => self.length(headers, body),
        }
    }

    fn received(&self, headers: &HeaderMap, body: &[u8]) -> String {
        let text = self.without_secrets(body);
        let kind = media_type(headers);
        if let Some(text) = json::scrubbed(&text, Words::Theirs, self.scrub) {
            return paragraph(text);
        }
        if kind.contains("ndjson") {
            return paragraph(self.lines(&text));
        }
        if kind == "text/plain" || kind == "text/html" {
            return paragraph(self.scrub.text(&normalise(&text)));
        }
        self.length(headers, body)
    }

    /// A part of a file may begin and end within a line.
    fn lines(&self, text: &str) -> String {
        let mut lines = String::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let scrubbed = json::scrubbed(line, Words::Theirs, self.scrub);
            lines += &scrubbed.unwrap_or_else(|| format!("… {} bytes that are no JSON", line.len()));
            lines.push('\n');
            if lines.len() > MAX_BODY {
                break;
            }
        }
        lines.truncate(lines.trim_end().len());
        lines
    }

    fn length(&self, headers: &HeaderMap, body: &[u8]) -> String {
        let kind = media_type(headers);
        let of = if kind.is_empty() { String::new() } else { format!(" of {}", self.scrub.text(&kind)) };
        if body.is_empty() { String::new() } else { format!("… {} bytes{of}\n\n", body.len()) }
    }
}

/// A header of any name with a status in it: a dialect can name one that decides.
fn is_status(value: &HeaderValue) -> bool {
    matches!(value.as_bytes(), [b'1'..=b'5', rest @ ..] if rest.len() == 2 && rest.iter().all(u8::is_ascii_digit))
}

fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn paragraph(mut text: String) -> String {
    if text.len() > MAX_BODY {
        text.truncate(text.floor_char_boundary(MAX_BODY));
        text += &format!("\n… cut at {MAX_BODY} bytes");
    }
    text + "\n\n"
}

/// `content-type` as people write it.
fn title(name: &HeaderName) -> String {
    let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    let parts = name.as_str().split('-').map(|part| if part.is_empty() { String::new() } else { capital(part) });
    parts.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use http::Response;
    use url::Url;

    use super::*;
    use crate::net::{NetErrorKind, Origin, Phase};
    use crate::secrets::Credential;

    fn scrub() -> Scrub {
        let import = "0123456789abcdef0123456789abcdef".parse().unwrap();
        Scrub::new(import, &Url::parse("http://h.example/fhir").unwrap(), &[])
    }

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        let origin: Origin = "http://h.example".parse().unwrap();
        secrets.insert("SAS", "sig=CANARY-sas".into(), [origin.clone()]).unwrap();
        secrets.authorize(origin, &Credential::Bearer("CANARY-token".into())).unwrap();
        secrets
    }

    fn request(request: http::request::Builder, body: &str) -> String {
        let (scrub, secrets) = (scrub(), secrets());
        Blocks { scrub: &scrub, secrets: &secrets }.request(&request.body(Bytes::from(body.to_owned())).unwrap())
    }

    fn answer(answer: http::response::Builder, body: &str) -> String {
        let (head, ()) = answer.body(()).unwrap().into_parts();
        let (scrub, secrets) = (scrub(), secrets());
        let carried = Carried { head, body: Bytes::from(body.to_owned()), broken: None };
        Blocks { scrub: &scrub, secrets: &secrets }.outcome(&Ok(carried))
    }

    #[test]
    fn a_request_is_written_without_its_secrets() {
        let mut key = HeaderValue::from_static("CANARY");
        key.set_sensitive(true);
        let builder = Request::post("http://h.example/fhir/$import?sig=CANARY-sas")
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer CANARY-token")
            .header("Host", "h.example")
            .header("X-Amz-Security-Token", "CANARY")
            .header("X-Api-Key", key);
        let text = request(builder, r#"{"url":"http://f.example/x?sig=CANARY-sas"}"#);
        assert_eq!(
            text,
            "POST http://server.example.org/fhir/$import?{{secret:SAS}}\nContent-Type: application/json\nX-Api-Key: …\n\n\
             {\"url\":\"http://other-1.example.org/x?{{secret:SAS}}\"}\n\n"
        );
    }

    #[test]
    fn of_bulk_data_only_the_length_is_written() {
        let ndjson = "{\"resourceType\":\"Patient\",\"id\":\"CANARY\"}\n{\"resourceType\":\"Patient\"}\n";
        let builder = Request::post("http://h.example/fhir").header("Content-Type", "application/fhir+ndjson");
        let text = request(builder, ndjson);
        assert!(text.ends_with(&format!("\n\n… {} bytes of application/fhir+ndjson\n\n", ndjson.len())), "{text}");
        let builder = Request::post("http://h.example/fhir").header("Content-Type", "application/json");
        assert!(!request(builder, ndjson.lines().next().unwrap()).contains("CANARY"));
    }

    #[test]
    fn answers_keep_what_decides_and_lose_what_tells() {
        let text = answer(
            Response::builder()
                .status(202)
                .header("Content-Location", "http://h.example/fhir/$import-poll-status?_jobId=5a1f")
                .header("Retry-After", "120")
                .header("X-Export-Status", "202")
                .header("X-Job-State", "200")
                .header("X-Patient", "2021")
                .header("Set-Cookie", "CANARY")
                .header("Server", "CANARY"),
            "",
        );
        assert_eq!(
            text,
            "HTTP 202\nContent-Location: http://server.example.org/fhir/$import-poll-status?_jobId=5a1f\nRetry-After: 120\n\
             X-Export-Status: 202\nX-Job-State: 200\n\n"
        );
        let ndjson = Response::builder().header("Content-Type", "application/fhir+ndjson");
        let text =
            answer(ndjson, "ARY\"}\n{\"resourceType\":\"Patient\",\"id\":\"CANARY\"}\n\n{\"resourceType\":\"Pat");
        assert!(text.contains("… 5 bytes that are no JSON\n{\"id\":\"id-") && !text.contains("CANARY"), "{text}");
        for kind in ["text/html", "application/fhir+xml", "application/fhir+json"] {
            let text = answer(Response::builder().header("Content-Type", kind), "<name value=\"CANARY\"/>");
            assert!(!text.contains("CANARY"), "{text}");
        }
    }

    #[test]
    fn long_bodies_are_cut_and_failures_told() {
        let long = format!("{{\"resourceType\":\"CapabilityStatement\",\"name\":\"{}\"}}", "x".repeat(MAX_BODY));
        let text = answer(Response::builder(), &long);
        assert!(text.ends_with("xxx\n… cut at 65536 bytes\n\n"), "{}", &text[text.len() - 60..]);
        let url = Url::parse("http://CANARY.example/").unwrap();
        let error = NetError::new(Phase::FirstByte, NetErrorKind::ConnectionClosed, &url, "CANARY");
        let (scrub, secrets) = (scrub(), secrets());
        let text = Blocks { scrub: &scrub, secrets: &secrets }.outcome(&Err(error));
        assert_eq!(text, "FAILED the connection was closed while waiting for the answer\n\n");
    }
}
