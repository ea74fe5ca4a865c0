//! The request as it goes on the wire, built anew from its parsed URL.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, request::Parts};
use url::{Position, Url};

use super::error::{NetError, NetErrorKind, Phase};
use super::origin::{Origin, OriginError, parse_strictly};

const OUR_NAME: HeaderValue = HeaderValue::from_static(concat!("fhir-import/", env!("CARGO_PKG_VERSION")));

/// Headers that steer the connection and are ours to write (RFC 9110 §7.6.1, §7.2, §10.1.1).
const CONNECTION_HEADERS: [HeaderName; 11] = [
    CONNECTION,
    EXPECT,
    HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The URL of a request: the one spelling that policy, resolver, TLS and wire all use.
///
/// # Errors
///
/// When the URI is not absolute, has no usable origin ([`Origin::of`]), or when two parsers could read its host or
/// port differently.
pub fn request_url(uri: &Uri) -> Result<Url, OriginError> {
    let url = parse_strictly(&uri.to_string())?;
    Origin::of(&url)?;
    let same_host = uri.host().zip(url.host_str()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
    let same_port = uri.port_u16().or(url.port_or_known_default()) == url.port_or_known_default();
    if same_host && same_port { Ok(url) } else { Err(OriginError::Ambiguous) }
}

/// What is sent as `Host`.
pub(crate) fn host_header(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// Puts the request into origin form (RFC 9112 §3.2.1) with one `Host` and one `Content-Length` at most.
pub(super) fn into_wire_form(parts: &mut Parts, url: &Url) -> Result<(), NetError> {
    let malformed = |detail: &str| NetError::new(Phase::Policy, NetErrorKind::Malformed, url, detail);
    if parts.method == Method::CONNECT {
        return Err(malformed("CONNECT asks for a tunnel"));
    }
    if parts.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(malformed("more than one Content-Length"));
    }
    let target = &url[Position::BeforePath..Position::AfterQuery];
    parts.uri = target.parse().map_err(|_| malformed("the path or query cannot be put into a request line"))?;
    parts.version = Version::HTTP_11;
    let host =
        HeaderValue::from_str(host_header(url)).map_err(|_| malformed("the host cannot be put into a header"))?;
    parts.headers = wire_headers(host, std::mem::take(&mut parts.headers));
    Ok(())
}

fn wire_headers(host: HeaderValue, mut given: HeaderMap) -> HeaderMap {
    for name in &CONNECTION_HEADERS {
        given.remove(name);
    }
    let mut headers = HeaderMap::with_capacity(given.len() + 4);
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, OUR_NAME);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.extend(given);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn url_of(text: &str) -> Result<String, OriginError> {
        let uri: Uri = text.parse().map_err(|_| OriginError::Ambiguous)?;
        request_url(&uri).map(String::from)
    }

    fn wire(request: http::request::Builder) -> Result<Parts, NetError> {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let url = request_url(&parts.uri).unwrap();
        into_wire_form(&mut parts, &url).map(|()| parts)
    }

    #[test]
    fn a_plain_url_is_taken_as_it_is() {
        for text in [
            "https://fhir.example.org/fhir/metadata?_format=json",
            "http://127.0.0.1:8080/fhir",
            "https://[2001:db8::1]:8443/",
            "https://a.example/x?sv=2024&sig=a%2Fb%3D&token={{secret:SAS}}",
            "https://a.example/Patient?identifier=http://x|y",
        ] {
            assert_eq!(url_of(text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for text in [
            "/relative",
            "fhir.example.org:443",
            "https://user@good.example/",
            "https://good.example:80@evil.example/",
            "https://good.example\\@evil.example/",
            "https://good.example/\\evil.example",
            "https://good.example\t.evil/",
            "https://good.example\r\nHost: evil.example/",
            "https://good.example./",
            "https://GOOD.example./",
            "http://127.1/",
            "http://0x7f.0.0.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fe80::1%25eth0]/",
            "https://good%2eexample/",
            "https://ｇood.example/",
            "https://gööd.example/",
            "https://good.example:0443:80/",
            "https://good.example:99999/",
            "https:///evil.example/",
            "https://",
            "ftp://good.example/",
            "file:///etc/passwd",
        ] {
            assert!(url_of(text).is_err(), "{text:?}: {:?}", url_of(text));
        }
    }

    #[test]
    fn the_target_is_in_origin_form_and_the_host_from_the_url() {
        let request = Request::get("http://a.example:8080/x/../y?q=1").header("Host", "evil.example");
        let parts = wire(request).unwrap();
        assert_eq!(parts.uri, "/y?q=1");
        assert_eq!(parts.headers.get_all("host").iter().collect::<Vec<_>>(), ["a.example:8080"]);
    }

    #[test]
    fn headers_of_the_connection_are_ours() {
        let request = Request::post("http://a.example/")
            .header("Connection", "keep-alive, X-Evil")
            .header("Transfer-Encoding", "chunked")
            .header("Upgrade", "h2c")
            .header("Expect", "100-continue")
            .header("Accept", "application/fhir+json");
        let parts = wire(request).unwrap();
        let mut names: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "accept-encoding", "connection", "host", "user-agent"]);
        assert_eq!(parts.headers["connection"], "close");
        assert_eq!(parts.headers["accept-encoding"], "identity");
    }

    #[test]
    fn what_the_caller_chose_stays() {
        let request = Request::get("http://a.example/").header("User-Agent", "mine").header("Accept-Encoding", "gzip");
        let parts = wire(request).unwrap();
        assert_eq!(parts.headers.get_all("user-agent").iter().collect::<Vec<_>>(), ["mine"]);
        assert_eq!(parts.headers.get_all("accept-encoding").iter().collect::<Vec<_>>(), ["gzip"]);
    }

    #[test]
    fn two_lengths_and_tunnels_are_refused() {
        let request = Request::post("http://a.example/").header("Content-Length", "1").header("Content-Length", "2");
        assert_eq!(wire(request).unwrap_err().kind, NetErrorKind::Malformed);
        let request = Request::builder().method("CONNECT").uri("http://a.example/");
        assert_eq!(wire(request).unwrap_err().phase, Phase::Policy);
    }
}
