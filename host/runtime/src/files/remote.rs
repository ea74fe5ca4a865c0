//! Inputs that the FHIR server reads by itself.

use std::fmt;

use url::Url;

use super::FilesError;

/// What stands between a URL and the entity tag of what is there.
const ETAG: &str = "#etag=";
/// What stands before a name in a server's own store.
const STORE: &str = "store:";

/// Where a FHIR server finds an input: a URL of any scheme (a web server, a bucket, the server's own disk), or a name in
/// the server's own store. Kept byte for byte as it was typed, since `+`, `*` and `%` mean different things to different
/// servers. Which of them a server reads is the dialect's matter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RemoteInput {
    address: String,
    query: Option<String>,
    etag: Option<String>,
}

impl RemoteInput {
    /// Reads what was typed; none when it is a path on this machine.
    pub(super) fn read(text: &str) -> Option<Result<Self, FilesError>> {
        let (place, etag) = match text.rsplit_once(ETAG) {
            Some((place, etag)) if !etag.is_empty() => (place, Some(etag.to_owned())),
            _ => (text, None),
        };
        if let Some(name) = place.strip_prefix(STORE) {
            return Some(stored(name).map(|input| Self { etag, ..input }));
        }
        let (scheme, rest) = place.split_once("://")?;
        Some(address(place, scheme, rest).map(|()| Self { etag, ..Self::split(place) }))
    }

    fn split(text: &str) -> Self {
        match text.split_once('?') {
            Some((address, query)) => Self { address: address.to_owned(), query: Some(query.to_owned()), etag: None },
            None => Self { address: text.to_owned(), query: None, etag: None },
        }
    }

    /// The URL without its query, or the name in the server's store.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The query, which may be a signature.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The entity tag of what is there, which was typed behind it: `URL#etag=VALUE`.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The last part of its path.
    pub(super) fn file_name(&self) -> &str {
        self.address.rsplit('/').next().unwrap_or_default()
    }
}

/// Presigned URLs carry their credential in the query, so only what comes before it is shown.
impl fmt::Display for RemoteInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Debug for RemoteInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn stored(name: &str) -> Result<RemoteInput, FilesError> {
    if name.is_empty() || has_blank(name) {
        let text = format!("{STORE}{name}");
        return Err(FilesError::InvalidUrl {
            text,
            reason: "write the name of a file in the server's store after the colon",
        });
    }
    Ok(RemoteInput { address: name.to_owned(), query: None, etag: None })
}

/// Refuses what is no URL at all (RFC 3986 §3.1), or one that would carry a credential into the request.
fn address(text: &str, scheme: &str, rest: &str) -> Result<(), FilesError> {
    let invalid = |reason| FilesError::InvalidUrl { text: without_credentials(text), reason };
    if !is_scheme(scheme) || rest.is_empty() || has_blank(rest) {
        return Err(invalid("it is not a URL (RFC 3986)"));
    }
    let on_the_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    if on_the_web && Url::parse(text).is_err() {
        return Err(invalid("it is not a URL (RFC 3986)"));
    }
    // In abfss://container@account/… and hdfs://user@host/… the part before the @ is a name, not a secret.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    if user.is_some_and(|user| on_the_web || user.contains(':')) {
        return Err(invalid("it holds a user name or password, which would be stored and sent to the FHIR server"));
    }
    if on_the_web && rest.contains('#') {
        return Err(invalid("it has a fragment (#…), which a server never sees; write %23 for a # in a name"));
    }
    Ok(())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn has_blank(text: &str) -> bool {
    text.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn without_credentials(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…{}", &text[..scheme], &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RemoteInput, FilesError> {
        RemoteInput::read(text).unwrap()
    }

    #[test]
    fn every_byte_stays_as_it_was_typed() {
        for text in [
            "s3://bucket/prefix/Patient.ndjson",
            "s3a://bucket/prefix/",
            "gs://bucket/x/*.ndjson",
            "gs://bucket/a+b%2fc/../d#1.ndjson",
            "hdfs://namenode:8020/x//y/Patient.ndjson",
            "file:///srv/import/Patient.ndjson",
            "abfss://container@account.dfs.core.windows.net/x",
            "https://account.blob.core.windows.net/c/Patient%20+1.ndjson",
            "HTTPS://Files.Example.org/x/./Patient.ndjson",
            "file:///srv/Ärzte.ndjson",
        ] {
            let input = read(text).unwrap();
            assert_eq!((input.address(), input.query()), (text, None));
        }
    }

    #[test]
    fn a_query_is_kept_apart_and_not_shown() {
        let input = read("s3://b/Patient.ndjson?versionId=CANARY?x").unwrap();
        assert_eq!((input.address(), input.query()), ("s3://b/Patient.ndjson", Some("versionId=CANARY?x")));
        assert!(!format!("{input} {input:?}").contains("CANARY"));
    }

    #[test]
    fn an_entity_tag_stands_behind_the_url() {
        for (text, address) in [
            ("https://h.example/Patient.ndjson?sig=1#etag=0x8D92A7342657F4F", "https://h.example/Patient.ndjson"),
            ("store:a/Patient.ndjson#etag=0x8D92A7342657F4F", "a/Patient.ndjson"),
        ] {
            let input = read(text).unwrap();
            assert_eq!((input.address(), input.etag()), (address, Some("0x8D92A7342657F4F")));
        }
        assert!(read("https://h.example/Patient.ndjson#etag=").is_err());
    }

    #[test]
    fn a_name_in_the_servers_store_is_the_name_alone() {
        for name in ["test-import/Patient.ndjson", "a?b", "s3://x"] {
            assert_eq!(read(&format!("store:{name}")).unwrap().address(), name);
        }
        assert!(read("store:").is_err());
    }

    #[test]
    fn what_is_no_url_is_refused_without_showing_a_credential() {
        for text in [
            "://x",
            "1s3://b/x",
            "s3://",
            "s3://b/a b",
            "gs://b/a\nb",
            "https://",
            "https://me:CANARY@h/x",
            "https://CANARY@h/x",
            "hdfs://me:CANARY@h/x",
            "https://h/x#CANARY",
            "ht tp://me:CANARY@h/?CANARY",
        ] {
            let error = read(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
        assert!(RemoteInput::read("data/Patient.ndjson").is_none());
    }
}
