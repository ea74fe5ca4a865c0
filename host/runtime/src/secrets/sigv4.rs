//! AWS Signature Version 4: the algorithm that AWS publishes, for requests whose body is at hand.
//!
//! What is signed is what the wire carries: the path, query and host of the parsed URL, the digest of the body, the
//! content type and all `x-amz-*` headers. So it is the last thing that is done to a request.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::hmac;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use sha2::{Digest, Sha256};
use url::Url;

use super::error::SecretError;
use super::{Secret, sensitive};
use crate::journal::utc;
use crate::net::host_header;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const PAYLOAD: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs requests with one key, for one region and service.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<HeaderValue>,
    region: String,
    service: String,
}

/// The parts of a request that are signed, in their canonical spelling.
struct Canonical<'a> {
    method: &'a str,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    payload: String,
}

impl Signer {
    pub(super) fn new(
        access_key_id: &str,
        secret_access_key: &Secret,
        session_token: Option<&Secret>,
        region: &str,
        service: &str,
    ) -> Result<Self, SecretError> {
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !plain(region) || !plain(service) {
            return Err(SecretError::Region);
        }
        if !plain(access_key_id) || secret_access_key.expose().is_empty() {
            return Err(SecretError::AccessKey);
        }
        let token = session_token.map(|token| sensitive(token.expose()).ok_or(SecretError::Header)).transpose()?;
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.clone(),
            session_token: token,
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// Adds the headers that AWS wants, and the signature of all that is sent to `url`.
    pub(super) fn sign(&self, parts: &mut Parts, body: &[u8], url: &Url, now_ms: u64) {
        let time = basic_time(now_ms);
        let payload = hex(&Sha256::digest(body));
        let headers = &mut parts.headers;
        headers.insert(DATE, header(&time));
        headers.insert(PAYLOAD, header(&payload));
        headers.remove(TOKEN);
        headers.extend(self.session_token.clone().map(|token| (TOKEN, token)));
        let canonical = Canonical {
            method: parts.method.as_str(),
            path: canonical_path(url.path()),
            query: canonical_query(url),
            headers: signed_headers(headers, host_header(url)),
            payload,
        };
        let authorization = self.authorization(&canonical, &time);
        headers.insert(AUTHORIZATION, sensitive(&authorization).expect("its parts were checked or are digits"));
    }

    fn authorization(&self, canonical: &Canonical<'_>, time: &str) -> String {
        let date = &time[..8];
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical.text())));
        let signature = hex(mac(self.key(date).as_ref(), &to_sign).as_ref());
        let (id, names) = (&self.access_key_id, canonical.names());
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    /// The key of a day.
    fn key(&self, date: &str) -> hmac::Tag {
        let secret = format!("AWS4{}", self.secret_access_key.expose());
        let parts = [self.region.as_str(), &self.service, "aws4_request"];
        parts.iter().fold(mac(secret.as_bytes(), date), |key, part| mac(key.as_ref(), part))
    }
}

impl Canonical<'_> {
    fn names(&self) -> String {
        self.headers.keys().map(String::as_str).collect::<Vec<_>>().join(";")
    }

    fn text(&self) -> String {
        let Self { method, path, query, headers, payload } = self;
        let headers = headers.iter().fold(String::new(), |mut lines, (name, value)| {
            writeln!(lines, "{name}:{value}").expect("a String takes all text");
            lines
        });
        format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", self.names())
    }
}

/// The host, the content type, and whatever is AWS's own.
fn signed_headers(headers: &HeaderMap, host: &str) -> BTreeMap<String, String> {
    let ours = |name: &&HeaderName| **name == CONTENT_TYPE || name.as_str().starts_with("x-amz-");
    let values = |name: &HeaderName| {
        let values =
            headers.get_all(name).iter().map(|value| single_spaced(&String::from_utf8_lossy(value.as_bytes())));
        values.collect::<Vec<_>>().join(",")
    };
    let mut signed: BTreeMap<_, _> = headers.keys().filter(ours).map(|name| (name.to_string(), values(name))).collect();
    signed.insert("host".to_owned(), host.to_owned());
    signed
}

fn single_spaced(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path of the wire, each of its parts encoded once more, as every service but S3 reads it.
fn canonical_path(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty());
    let joined = parts.fold(String::new(), |joined, part| joined + "/" + &encoded(part.as_bytes()));
    if path.ends_with('/') { joined + "/" } else { joined }
}

/// Name by name, then value by value, each in the one spelling of RFC 3986.
fn canonical_query(url: &Url) -> String {
    let pair = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        (encoded(name.as_bytes()), encoded(value.as_bytes()))
    };
    let mut pairs: Vec<(String, String)> = url.query_pairs().map(pair).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes all text");
        }
        text
    })
}

/// `20150830T123600Z`.
fn basic_time(now_ms: u64) -> String {
    utc(now_ms).replace(['-', ':'], "")
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits and letters are a valid field value")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::net::request_url;

    /// 2015-08-30T12:36:00Z, the time of AWS's test suite.
    const NOW_MS: u64 = 1_440_938_160_000;
    const TIME: &str = "20150830T123600Z";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const SUITE_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP\
                               fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDY\
                               wT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scq\
                               Kmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn signer(service: &str, token: Option<&str>) -> Signer {
        let token = token.map(Secret::from);
        Signer::new("AKIDEXAMPLE", &SECRET.into(), token.as_ref(), "us-east-1", service).unwrap()
    }

    /// The suite signs no digest header, so its requests are put together here. Its paths with other than plain characters
    /// are left out: it has them encoded once, as no service reads them.
    fn of_suite(method: &str, url: &str, headers: &[(&'static str, &str)], body: &str) -> String {
        let url = Url::parse(url).unwrap();
        let map: HeaderMap = headers
            .iter()
            .chain(&[("x-amz-date", TIME)])
            .map(|(name, value)| (HeaderName::from_static(name), header(value)))
            .collect();
        let canonical = Canonical {
            method,
            path: canonical_path(url.path()),
            query: canonical_query(&url),
            headers: signed_headers(&map, host_header(&url)),
            payload: hex(&Sha256::digest(body)),
        };
        let text = signer("service", None).authorization(&canonical, TIME);
        text.replace("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ", "")
    }

    const ROOT: &str = "https://example.amazonaws.com/";
    const FORM: &str = "application/x-www-form-urlencoded";
    const FORM_UTF8: &str = "application/x-www-form-urlencoded; charset=utf8";

    type Headers = &'static [(&'static str, &'static str)];

    /// Name, method, URL, headers and body of the suite, and the signature that it publishes.
    const SUITE: [(&str, &str, &str, Headers, &str, &str); 6] = [
        ("get-vanilla", "GET", ROOT, &[], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            &[],
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("post-vanilla", "POST", ROOT, &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "post-x-www-form-urlencoded",
            "POST",
            ROOT,
            &[("content-type", FORM)],
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "post-x-www-form-urlencoded-parameters",
            "POST",
            ROOT,
            &[("content-type", FORM_UTF8)],
            "Param1=value1",
            "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
        ),
        (
            "post-sts-header-before",
            "POST",
            ROOT,
            &[("x-amz-security-token", SUITE_TOKEN)],
            "",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ];

    #[test]
    fn signatures_are_those_of_the_suite_that_aws_publishes() {
        for (name, method, url, headers, body, signature) in SUITE {
            let names: String = headers.iter().map(|(name, _)| format!("{name};")).collect();
            let names = match headers {
                [("content-type", _)] => format!("{names}host;x-amz-date"),
                _ => format!("host;x-amz-date;{names}").trim_end_matches(';').to_owned(),
            };
            let wanted = format!("SignedHeaders={names}, Signature={signature}");
            assert_eq!(of_suite(method, url, headers, body), wanted, "{name}");
        }
    }

    fn signed(signer: &Signer, request: http::request::Builder, body: &[u8]) -> Parts {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let url = request_url(&parts.uri).unwrap();
        signer.sign(&mut parts, body, &url, NOW_MS);
        parts
    }

    #[test]
    fn digest_date_token_and_type_are_sent_and_signed() {
        let request = Request::post("https://healthlake.us-east-1.amazonaws.com/datastore/d/r4/$import")
            .header("Content-Type", "application/json")
            .header("X-Amz-Security-Token", "left over");
        let parts = signed(&signer("healthlake", Some(SUITE_TOKEN)), request, b"{}");
        assert_eq!(parts.headers["x-amz-date"], TIME);
        assert_eq!(parts.headers["x-amz-content-sha256"], hex(&Sha256::digest("{}")));
        assert_eq!(parts.headers.get_all("x-amz-security-token").iter().collect::<Vec<_>>(), [SUITE_TOKEN]);
        let text = parts.headers["authorization"].to_str().unwrap();
        let names = "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, ";
        assert!(text.contains(names), "{text}");
        assert!(text.contains("Credential=AKIDEXAMPLE/20150830/us-east-1/healthlake/aws4_request"), "{text}");
        assert!(parts.headers["authorization"].is_sensitive() && parts.headers["x-amz-security-token"].is_sensitive());
    }

    #[test]
    fn every_part_of_a_request_changes_its_signature() {
        let signature = |request: http::request::Builder, body: &[u8]| {
            signed(&signer("healthlake", None), request, body).headers["authorization"].clone()
        };
        let all = [
            signature(Request::get("https://h.example/a"), b""),
            signature(Request::post("https://h.example/a"), b""),
            signature(Request::get("https://h.example/b"), b""),
            signature(Request::get("https://h.example/a?q=1"), b""),
            signature(Request::get("https://h.example:8443/a"), b""),
            signature(Request::get("https://h.example/a").header("X-Amz-Target", "x"), b""),
            signature(Request::get("https://h.example/a"), b"body"),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn paths_and_queries_have_one_spelling() {
        for (path, wanted) in
            [("/", "/"), ("/a//b/", "/a/b/"), ("/r4/$import", "/r4/%24import"), ("/a%20b", "/a%2520b")]
        {
            assert_eq!(canonical_path(path), wanted);
        }
        let url = Url::parse("https://h/?b=2&a=%7e&a=&c&d=x+y&e=a/b").unwrap();
        assert_eq!(canonical_query(&url), "a=&a=~&b=2&c=&d=x%20y&e=a%2Fb");
    }

    #[test]
    fn what_cannot_be_part_of_a_credential_is_refused() {
        let refused = |id: &str, region: &str| Signer::new(id, &SECRET.into(), None, region, "healthlake").unwrap_err();
        assert_eq!(refused("AKID EXAMPLE", "us-east-1"), SecretError::AccessKey);
        assert_eq!(refused("", "us-east-1"), SecretError::AccessKey);
        assert_eq!(refused("AKIDEXAMPLE", "us/east"), SecretError::Region);
        let token = Secret::from("a\nb");
        let error = Signer::new("AKIDEXAMPLE", &SECRET.into(), Some(&token), "us-east-1", "healthlake").unwrap_err();
        assert_eq!(error, SecretError::Header);
    }
}
