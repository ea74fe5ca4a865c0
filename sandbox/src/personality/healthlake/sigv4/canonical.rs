//! The text of a request that is signed.

use super::hmac::{hex, sha256};
use axum::extract::OriginalUri;
use hyper::http::request::Parts;

/// Method, path, query, headers and digest, each in the one form both sides know.
pub(super) fn request_text(head: &Parts, signed: &[&str], body: &[u8]) -> String {
    let uri = head.extensions.get::<OriginalUri>().map_or(&head.uri, |original| &original.0);
    let headers: String = signed.iter().map(|name| format!("{name}:{}\n", value(head, name))).collect();
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        head.method,
        encoded(uri.path(), b"/"),
        query(uri.query().unwrap_or_default()),
        signed.join(";"),
        hex(&sha256(body)),
    )
}

/// The values of a header, each trimmed and with single spaces.
fn value(head: &Parts, name: &str) -> String {
    let values = head.headers.get_all(name).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let values: Vec<_> = values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    values.join(",")
}

/// Names and values encoded once, in the order of the names.
fn query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let once = |text: &str| encoded_bytes(&decoded(text), b"");
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (once(name), once(value))
    };
    let mut pairs: Vec<_> = pairs.map(pair).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn encoded(text: &str, kept: &[u8]) -> String {
    encoded_bytes(text.as_bytes(), kept)
}

/// Everything but letters, digits and `-._~` as `%XX`. A path that is encoded already is encoded once more.
fn encoded_bytes(bytes: &[u8], kept: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || kept.contains(byte);
    let one = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    bytes.iter().map(one).collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let (mut rest, mut bytes) = (text.as_bytes(), Vec::new());
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_sorted_and_encoded_once() {
        assert_eq!(query("b=2&a=x%20y&a=%2F&flag"), "a=%2F&a=x%20y&b=2&flag=");
        assert_eq!(encoded("/a b/$x%20", b"/"), "/a%20b/%24x%2520");
    }
}
