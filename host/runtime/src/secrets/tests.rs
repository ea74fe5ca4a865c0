//! What leaves, what comes back, and what is never shown.

use http::Request;

use super::*;

const CANARY: &str = "CANARY-\"7/+=&\\";

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

fn fhir() -> Origin {
    origin("https://fhir.example.org")
}

fn evil() -> Origin {
    origin("https://evil.example")
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.insert("KEY", CANARY.into(), [fhir()]).unwrap();
    secrets.insert("SAS", "sv=1&sig=CANARY%2B".into(), [fhir(), origin("https://acct.blob.example")]).unwrap();
    secrets.authorize(fhir(), &Credential::Bearer("CANARY-token".into())).unwrap();
    secrets
}

fn parts(request: http::request::Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

fn sent(request: http::request::Builder, to: &Origin) -> Result<Parts, MissingSecret> {
    let mut parts = parts(request);
    secrets().outgoing(&mut parts, None, to).map(|()| parts)
}

fn sent_body(content_type: &str, body: &str) -> (Parts, String) {
    let request = Request::post("https://fhir.example.org/$import").header("Content-Type", content_type);
    let mut parts = parts(request.header("Content-Length", body.len()));
    let mut body = body.as_bytes().to_vec();
    secrets().outgoing(&mut parts, Some(&mut body), &fhir()).unwrap();
    (parts, String::from_utf8(body).unwrap())
}

#[test]
fn the_credential_goes_to_its_origin_only() {
    let get = || Request::get("/");
    assert_eq!(sent(get(), &fhir()).unwrap().headers["authorization"], "Bearer CANARY-token");
    for other in [
        evil(),
        origin("http://fhir.example.org"),
        origin("https://fhir.example.org:8443"),
        origin("https://a.fhir.example.org"),
        origin("https://fhir.example.org.evil.example"),
    ] {
        assert!(sent(get(), &other).unwrap().headers.is_empty(), "{other}");
    }
}

#[test]
fn an_authorization_of_the_guest_stays() {
    let parts = sent(Request::get("/").header("Authorization", "Bearer own"), &fhir()).unwrap();
    assert_eq!(parts.headers["authorization"], "Bearer own");
}

#[test]
fn basic_is_base64_of_user_and_password() {
    let credential = Credential::Basic { user: "Aladdin".to_owned(), password: "open sesame".into() };
    let mut secrets = Secrets::default();
    secrets.authorize(fhir(), &credential).unwrap();
    let mut parts = parts(Request::get("/"));
    secrets.outgoing(&mut parts, None, &fhir()).unwrap();
    assert_eq!(parts.headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); // RFC 7617 §2
    let mut echo = b"got QWxhZGRpbjpvcGVuIHNlc2FtZQ== open sesame".to_vec();
    secrets.hide(&mut echo);
    assert_eq!(echo, b"got {{secret:authorization}} {{secret:authorization}}");
}

#[test]
fn a_credential_that_no_header_can_hold_is_refused() {
    let mut secrets = Secrets::default();
    assert_eq!(secrets.authorize(fhir(), &Credential::Bearer("CANARY\r\nX: y".into())), Err(SecretError::Header));
    let colon = Credential::Basic { user: "a:b".to_owned(), password: "c".into() };
    assert_eq!(secrets.authorize(fhir(), &colon), Err(SecretError::UserName));
}

fn aws() -> Credential {
    Credential::AwsSigV4 {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "CANARY-secret-key".into(),
        session_token: Some("CANARY-session-token".into()),
        region: "us-east-1".to_owned(),
        service: "healthlake".to_owned(),
    }
}

fn signed(request: http::request::Builder) -> HeaderMap {
    let mut secrets = Secrets::default();
    secrets.authorize(fhir(), &aws()).unwrap();
    let mut parts = parts(request);
    let url = crate::net::request_url(&parts.uri).unwrap();
    secrets.outgoing(&mut parts, None, &Origin::of(&url).unwrap()).unwrap();
    secrets.sign(&mut parts, b"", &url, 0);
    parts.headers
}

#[test]
fn a_key_signs_toward_its_origin_only_and_is_hidden_in_answers() {
    let headers = signed(Request::get("https://fhir.example.org/r4"));
    assert!(
        headers["authorization"].to_str().unwrap().starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/19700101/")
    );
    assert_eq!(headers["x-amz-security-token"], "CANARY-session-token");
    for url in ["https://evil.example/r4", "http://fhir.example.org/r4", "https://fhir.example.org:8443/r4"] {
        assert!(signed(Request::get(url)).is_empty(), "{url}");
    }
    let own = signed(Request::get("https://fhir.example.org/r4").header("Authorization", "Bearer own"));
    assert_eq!((own.len(), &own["authorization"]), (1, &HeaderValue::from_static("Bearer own")));

    let mut secrets = Secrets::default();
    secrets.authorize(fhir(), &aws()).unwrap();
    let mut echo = b"signed: x-amz-security-token:CANARY-session-token by CANARY-secret-key".to_vec();
    secrets.hide(&mut echo);
    assert!(!String::from_utf8(echo).unwrap().contains("CANARY"));
    assert!(!format!("{secrets:?} {:?}", aws()).contains("CANARY"));
}

#[test]
fn a_whole_header_value_is_filled() {
    let parts = sent(Request::get("/").header("X-Api-Key", "{{secret:KEY}}"), &fhir()).unwrap();
    assert_eq!(parts.headers["x-api-key"], CANARY);
    assert!(parts.headers["x-api-key"].is_sensitive() && parts.headers["authorization"].is_sensitive());
    let error = sent(Request::get("/").header("X-Api-Key", "a {{secret:KEY}}"), &fhir()).unwrap_err();
    assert_eq!(error.why, Missing::NotASlot);
}

#[test]
fn a_query_is_filled() {
    let blob = origin("https://acct.blob.example");
    let parts = sent(Request::get("https://acct.blob.example/c/f?x=1&{{secret:SAS}}"), &blob).unwrap();
    assert_eq!(parts.uri, "https://acct.blob.example/c/f?x=1&sv=1&sig=CANARY%2B");
}

#[test]
fn a_value_that_would_cut_the_query_is_refused() {
    let mut secrets = secrets();
    for value in ["a#b", "a b", "a\nb", "é"] {
        secrets.insert("Q", value.into(), [fhir()]).unwrap();
        let mut parts = parts(Request::get("https://fhir.example.org/?{{secret:Q}}"));
        assert_eq!(secrets.outgoing(&mut parts, None, &fhir()).unwrap_err().why, Missing::Unusable, "{value}");
    }
}

#[test]
fn json_strings_are_filled_and_stay_json() {
    let (parts, body) = sent_body("application/fhir+json; charset=utf-8", r#"{"url":"https://a/b?{{secret:KEY}}"}"#);
    let read: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(read["url"], format!("https://a/b?{CANARY}"));
    assert_eq!(parts.headers["content-length"], body.len().to_string());
}

#[test]
fn a_body_that_is_not_json_is_left_alone() {
    for content_type in ["text/plain", "application/fhir+ndjson", "application/xml"] {
        let (_, body) = sent_body(content_type, "{{secret:KEY}}");
        assert_eq!(body, "{{secret:KEY}}");
    }
}

#[test]
fn a_secret_goes_nowhere_but_where_it_is_for() {
    let error = sent(Request::get("https://evil.example/?{{secret:SAS}}"), &evil()).unwrap_err();
    assert_eq!(error, MissingSecret { name: "SAS".to_owned(), why: Missing::OtherOrigin(evil()) });
    let error = sent(Request::get("/").header("Authorization", "{{secret:KEY}}"), &evil()).unwrap_err();
    assert_eq!(error.why, Missing::OtherOrigin(evil()));
    let mut body = b"{\"a\":\"{{secret:KEY}}\"}".to_vec();
    let mut parts = parts(Request::post("/").header("Content-Type", "application/json"));
    assert!(secrets().outgoing(&mut parts, Some(&mut body), &evil()).is_err());
    assert!(!String::from_utf8(body).unwrap().contains("CANARY"));
}

#[test]
fn an_unknown_name_is_an_error_that_says_so() {
    let error = sent(Request::get("/?{{secret:authorization}}"), &fhir()).unwrap_err();
    assert_eq!(error.to_string(), "secret `authorization` is not known: give it again to go on");
    assert!(Secrets::default().insert("authorization", "x".into(), []).is_err());
    assert!(Secrets::default().insert("a b", "x".into(), []).is_err());
}

#[test]
fn answers_come_back_with_placeholders() {
    let mut body = br#"{"diagnostics":"cannot read https://a/b?sv=1\u0026sig=CANARY%2B with CANARY-token"}"#.to_vec();
    secrets().hide(&mut body);
    assert_eq!(body, br#"{"diagnostics":"cannot read https://a/b?{{secret:SAS}} with {{secret:authorization}}"}"#);
    let mut headers = HeaderMap::new();
    headers.insert("content-location", HeaderValue::from_static("https://a/b?sv=1&sig=CANARY%2B"));
    secrets().hide_headers(&mut headers);
    assert_eq!(headers["content-location"], "https://a/b?{{secret:SAS}}");
}

#[test]
fn nothing_shows_a_secret() {
    let basic = Credential::Basic { user: "CANARY".to_owned(), password: "CANARY".into() };
    let filled = sent(Request::get("/").header("X-Api-Key", "{{secret:KEY}}"), &fhir()).unwrap();
    let refused = sent(Request::get("https://evil.example/?{{secret:SAS}}"), &evil()).unwrap_err();
    let unfit = Secrets::default().authorize(fhir(), &Credential::Bearer("CANARY\n".into())).unwrap_err();
    let shown = format!(
        "{:?} {:#?} {:?} {basic:?} {:?} {:?} {refused} {refused:?} {unfit} {unfit:?}",
        secrets(),
        secrets(),
        Secret::from("CANARY"),
        Credential::Bearer("CANARY".into()),
        filled.headers,
    );
    assert!(!shown.contains("CANARY"), "{shown}");
}
