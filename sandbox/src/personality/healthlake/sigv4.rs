//! AWS Signature Version 4, from the side that checks it (IAM user guide, "Create a signed AWS API request").

mod canonical;
mod hmac;

use super::call::Refused;
use crate::clock::millis_between;
use crate::moment;
use crate::script::SigningKey;
use crate::server::Server;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use canonical::request_text;
use hmac::{hex, hmac, sha256};
use http_body_util::BodyExt;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::http::request::Parts;
use std::sync::Arc;
use std::time::SystemTime;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "healthlake";

/// How far the clocks of client and server may be apart.
const SKEW_MS: u64 = 15 * 60 * 1000;

/// What a signed request says of its signature.
#[derive(Debug)]
struct Signature<'a> {
    access_key: &'a str,
    /// `date/region/service/aws4_request`.
    scope: &'a str,
    headers: Vec<&'a str>,
    digest: &'a str,
}

/// Before the actions: there is a signature for this service, and where the script has a key it is the right one.
pub(super) async fn of_actions(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    checked(&server, request, next).await
}

/// Before reads: only where the script has a key. Real data stores take a SMART token there as well.
pub(super) async fn of_reads(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    if server.script().require_sigv4.is_none() {
        return next.run(request).await;
    }
    checked(&server, request, next).await
}

async fn checked(server: &Server, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    match check(server, &head, &body) {
        Ok(()) => next.run(Request::from_parts(head, Body::from(body))).await,
        Err(refused) => refused.into_response(),
    }
}

fn check(server: &Server, head: &Parts, body: &[u8]) -> Result<(), Refused> {
    let signature = Signature::of(&head.headers)?;
    let mut scope = signature.scope.split('/');
    if scope.next().is_none_or(str::is_empty) || scope.next().is_none_or(str::is_empty) {
        return Err(Refused::new("IncompleteSignatureException", "Credential must have a scope"));
    }
    if (scope.next(), scope.next()) != (Some(SERVICE), Some("aws4_request")) {
        let text = format!("Credential should be scoped to correct service: '{SERVICE}'.");
        return Err(Refused::forbidden("InvalidSignatureException", text));
    }
    match &server.script().require_sigv4 {
        None => Ok(()),
        Some(key) => verify(key, &signature, head, body, server.now()),
    }
}

fn verify(key: &SigningKey, signature: &Signature, head: &Parts, body: &[u8], now: SystemTime) -> Result<(), Refused> {
    if signature.access_key != key.access_key {
        let text = "The security token included in the request is invalid.";
        return Err(Refused::forbidden("UnrecognizedClientException", text));
    }
    let date = head.headers.get("x-amz-date").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !signature.headers.contains(&"host") || !signature.headers.contains(&"x-amz-date") {
        let text = "'Host' and 'X-Amz-Date' must be signed";
        return Err(Refused::forbidden("InvalidSignatureException", text));
    }
    if !is_near(date, now) {
        let text = format!("Signature expired: {date} is not within 15 minutes of {}", moment::instant(now));
        return Err(Refused::forbidden("InvalidSignatureException", text));
    }
    let text = request_text(head, &signature.headers, body);
    if sign(&key.secret, date, signature.scope, &text) == signature.digest {
        return Ok(());
    }
    let text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
        Access Key and signing method. Consult the service documentation for details.";
    Err(Refused::forbidden("InvalidSignatureException", text))
}

/// Whether a date such as `20150830T123600Z` is close to now.
fn is_near(date: &str, now: SystemTime) -> bool {
    moment::from_basic(date).is_some_and(|at| millis_between(at, now).max(millis_between(now, at)) <= SKEW_MS)
}

/// The signature of a canonical request.
fn sign(secret: &str, date: &str, scope: &str, request: &str) -> String {
    let text = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&sha256(request.as_bytes())));
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    hex(&hmac(&key, text.as_bytes()))
}

impl<'a> Signature<'a> {
    fn of(headers: &'a HeaderMap) -> Result<Self, Refused> {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(given) = given else {
            return Err(Refused::forbidden("MissingAuthenticationTokenException", "Missing Authentication Token"));
        };
        let incomplete = |what: &str| {
            let text = format!("Authorization header requires '{what}' parameter. Authorization={ALGORITHM}");
            Refused::new("IncompleteSignatureException", text)
        };
        let Some(fields) = given.strip_prefix(ALGORITHM) else {
            return Err(Refused::forbidden("MissingAuthenticationTokenException", "Missing Authentication Token"));
        };
        let field = |name: &str| {
            let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let credential = field("Credential").ok_or_else(|| incomplete("Credential"))?;
        let headers = field("SignedHeaders").ok_or_else(|| incomplete("SignedHeaders"))?;
        let digest = field("Signature").ok_or_else(|| incomplete("Signature"))?;
        let (access_key, scope) = credential.split_once('/').ok_or_else(|| incomplete("Credential"))?;
        Ok(Self { access_key, scope, headers: headers.split(';').collect(), digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const DATE: &str = "20150830T123600Z";

    fn signed(uri: &str, headers: &[(&str, &str)], service: &str) -> String {
        let request =
            headers.iter().fold(hyper::Request::get(uri), |request, (name, value)| request.header(*name, *value));
        let (head, ()) = request.body(()).unwrap().into_parts();
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        sign(SECRET, DATE, &format!("20150830/us-east-1/{service}/aws4_request"), &request_text(&head, &names, b""))
    }

    /// `get-vanilla` of the test suite that AWS publishes.
    #[test]
    fn the_plainest_request_of_the_test_suite_has_its_signature() {
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", DATE)];
        let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert_eq!(signed("/", &headers, "service"), signature);
    }

    /// The example of the documentation: `ListUsers` of IAM.
    #[test]
    fn the_example_of_the_documentation_has_its_signature() {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", DATE),
        ];
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signed("/?Action=ListUsers&Version=2010-05-08", &headers, "iam"), signature);
    }

    #[test]
    fn a_header_without_all_its_parts_is_no_signature() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            Signature::of(&headers).is_ok()
        };
        assert!(of("AWS4-HMAC-SHA256 Credential=a/d/r/s/aws4_request, SignedHeaders=host, Signature=0"));
        assert!(!of("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0"));
        assert!(!of("AWS4-HMAC-SHA256 Credential=a/d, Signature=0"));
        assert!(!of("Bearer a"));
    }
}
