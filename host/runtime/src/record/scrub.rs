//! Taking out of a text what tells whose server and whose patients it speaks of. The same thing always gets the same
//! substitute, so that a transcript still tells what refers to what.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use url::{Position, Url};

use crate::journal::ImportId;

/// The FHIR server's name in a transcript.
const SERVER: &str = "server.example.org";
/// Hosts of the standard stay: its URLs are names.
const STANDARD: &str = "hl7.org";

/// Types that describe a server; their ids are names.
const DEFINITIONS: [&str; 4] = ["CapabilityStatement", "OperationDefinition", "SearchParameter", "StructureDefinition"];

/// What is known of one import.
#[derive(Debug)]
pub(super) struct Scrub {
    import: String,
    /// Path of the base URL, with a slash at its end.
    base_path: String,
    hosts: Mutex<BTreeMap<String, String>>,
}

impl Scrub {
    /// `known` are URLs of hosts that this import speaks of, always in the same order: another process must give them
    /// the same names.
    pub(super) fn new(import: ImportId, server: &Url, known: &[String]) -> Self {
        let server_host = (server[Position::BeforeHost..Position::AfterPort].to_owned(), SERVER.to_owned());
        let scrub = Self {
            import: import.to_string(),
            base_path: format!("{}/", server.path().trim_end_matches('/')),
            hosts: Mutex::new(BTreeMap::from([server_host])),
        };
        known.iter().for_each(|url| drop(scrub.urls(url)));
        scrub
    }

    /// A text without hosts, ids of resources and long hexadecimal numbers, which may be keys to what we serve.
    pub(super) fn text(&self, text: &str) -> String {
        let text = text.replace(&hyphenated(&self.import), "import-id");
        let text = self.known_hosts(self.urls(&self.reference(&text)));
        self.hexadecimal(&text)
    }

    /// The same substitute for the same id within an import.
    pub(super) fn id(&self, id: &str) -> String {
        format!("id-{}", self.digest(id))
    }

    fn digest(&self, text: &str) -> String {
        let bytes = Sha256::new().chain_update(&self.import).chain_update(b"\n").chain_update(text).finalize();
        bytes[..6].iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes all text");
            text
        })
    }

    /// A relative reference and nothing else: `Type/id` with what follows, or `Type?search`.
    fn reference(&self, text: &str) -> String {
        let kind = text.split(['/', '?']).next().unwrap_or_default();
        let behind = &text[kind.len()..];
        let id = behind.strip_prefix('/').and_then(|path| path.split(['/', '?']).next());
        let tells = behind.starts_with('?') || id.is_some_and(is_id);
        if is_data(kind) && tells && !text.ends_with(".ndjson") { self.below_base(text) } else { text.to_owned() }
    }

    /// Each URL in a text with another host, and what stands below the base URL without ids.
    fn urls(&self, text: &str) -> String {
        let mut scrubbed = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("://") {
            let (before, after) = (&rest[..at + 3], &rest[at + 3..]);
            let (authority, path) = after.split_at(after.find(is_end_of_authority).unwrap_or(after.len()));
            let (path, behind) = path.split_at(path.find(is_end_of_url).unwrap_or(path.len()));
            let name = self.name_of(authority);
            scrubbed += before;
            scrubbed += &name;
            match path.strip_prefix(&self.base_path).filter(|_| name == SERVER) {
                Some(below) => {
                    scrubbed += &self.base_path;
                    scrubbed += &self.below_base(below);
                }
                None => scrubbed += &self.urls(path),
            }
            rest = behind;
        }
        scrubbed + rest
    }

    fn name_of(&self, authority: &str) -> String {
        let authority = authority.to_ascii_lowercase();
        let host = authority.split(':').next().unwrap_or_default();
        if host.is_empty() || host == STANDARD || host.ends_with(&format!(".{STANDARD}")) {
            return authority;
        }
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let next = hosts.len();
        hosts.entry(authority).or_insert_with(|| format!("other-{next}.example.org")).clone()
    }

    /// `Patient/p1` and `Patient?identifier=x` tell of a patient; `$import` does not.
    fn below_base(&self, below: &str) -> String {
        let (path, query) = below.split_once('?').map_or((below, None), |(path, query)| (path, Some(query)));
        let mut parts = path.split('/');
        let kind = parts.next().unwrap_or_default();
        if !is_data(kind) {
            return self.urls(below);
        }
        let id = parts.next().map(|id| if is_id(id) { self.id(id) } else { id.to_owned() });
        let rest = parts.map(str::to_owned);
        let path = std::iter::once(kind.to_owned()).chain(id).chain(rest).collect::<Vec<_>>().join("/");
        query.map_or(path.clone(), |query| format!("{path}?{}", self.search(query)))
    }

    fn search(&self, query: &str) -> String {
        let scrubbed = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if name.starts_with('_') && name != "_id" => format!("{name}={value}"),
            Some((name, value)) => {
                let values: Vec<String> = value.split("%2C").flat_map(|v| v.split(',')).map(|v| self.id(v)).collect();
                format!("{name}={}", values.join(","))
            }
            None => self.id(pair),
        });
        scrubbed.collect::<Vec<_>>().join("&")
    }

    /// Hosts that were seen in URLs, wherever else they stand.
    fn known_hosts(&self, text: String) -> String {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let text =
            hosts.iter().fold(
                text,
                |text, (authority, name)| {
                    if is_telling(authority) { replace_word(&text, authority, name) } else { text }
                },
            );
        hosts.iter().fold(text, |text, (authority, name)| {
            let host = authority.split(':').next().unwrap_or_default();
            if is_telling(host) { replace_word(&text, host, name) } else { text }
        })
    }

    fn hexadecimal(&self, text: &str) -> String {
        let mut scrubbed = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            let (before, from) = rest.split_at(at);
            let (word, after) = from.split_at(from.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(from.len()));
            let key = word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
            scrubbed += before;
            scrubbed += &if key { format!("hex-{}", self.digest(word)) } else { word.to_owned() };
            rest = after;
        }
        scrubbed + rest
    }
}

fn hyphenated(id: &str) -> String {
    match id.len() {
        32 => [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-"),
        _ => id.to_owned(),
    }
}

/// A type whose resources are somebody's data, by the shape of its name.
fn is_data(kind: &str) -> bool {
    kind.len() > 1
        && !DEFINITIONS.contains(&kind)
        && kind.starts_with(|first: char| first.is_ascii_uppercase())
        && kind.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn is_end_of_authority(c: char) -> bool {
    c == '/' || c == '?' || c == '#' || c == '\\' || is_end_of_url(c)
}

fn is_end_of_url(c: char) -> bool {
    c.is_whitespace() || "\"'<>`()[]".contains(c)
}

/// Whether a host is no everyday word, as the name of a bucket may be.
fn is_telling(host: &str) -> bool {
    host.len() > 3 && (host == "localhost" || host.contains(['.', '-']))
}

/// Replaces a host where it stands for itself, or after an escaped slash.
fn replace_word(text: &str, from: &str, to: &str) -> String {
    let of_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut replaced = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices(from) {
        let end = at + from.len();
        let alone = (!text[..at].ends_with(of_host) || text[..at].to_ascii_lowercase().ends_with("%2f"))
            && !text[end..].starts_with(|c: char| c != '.' && of_host(c));
        if alone && at >= copied {
            replaced += &text[copied..at];
            replaced += to;
            copied = end;
        }
    }
    replaced + &text[copied..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub() -> Scrub {
        let import = "0123456789abcdef0123456789abcdef".parse().unwrap();
        Scrub::new(import, &Url::parse("http://fhir.hospital.example:8080/fhir").unwrap(), &[])
    }

    #[test]
    fn hosts_get_the_same_names_everywhere() {
        let scrub = scrub();
        for (text, wanted) in [
            ("http://fhir.hospital.example:8080/fhir/$import", "http://server.example.org/fhir/$import"),
            ("s3://hospital-bucket/x/Patient.ndjson", "s3://other-1.example.org/x/Patient.ndjson"),
            ("https://files.hospital.example/a?b", "https://other-2.example.org/a?b"),
            ("refused by fhir.hospital.example:8080.", "refused by server.example.org."),
            ("Host: fhir.hospital.example", "Host: server.example.org"),
            ("s3://hospital-bucket/y", "s3://other-1.example.org/y"),
            (
                "http://hl7.org/fhir/R4 http://terminology.hl7.org/x",
                "http://hl7.org/fhir/R4 http://terminology.hl7.org/x",
            ),
            ("file:///srv/x", "file:///srv/x"),
        ] {
            assert_eq!(scrub.text(text), wanted);
        }
    }

    #[test]
    fn ids_of_resources_are_hidden_and_stay_equal() {
        let scrub = scrub();
        let id = scrub.id("p1");
        let base = "http://fhir.hospital.example:8080/fhir";
        assert_eq!(scrub.text("Patient/p1"), format!("Patient/{id}"));
        assert_eq!(scrub.text("Patient/p1/_history/1"), format!("Patient/{id}/_history/1"));
        assert_eq!(scrub.text("Patient?_id=p1"), format!("Patient?_id={id}"));
        let search = scrub.text("Patient?identifier=http://hospital.example/mrn|MRN-1");
        assert!(search.starts_with("Patient?identifier=id-") && !search.contains("MRN-1"), "{search}");
        for name in ["Patient.ndjson", "Patient/1.ndjson", "Input/output error", "Patient"] {
            assert_eq!(scrub.text(name), name);
        }
        assert_eq!(
            scrub.text(&format!("{base}/Patient/p1/_history/1")),
            format!("http://server.example.org/fhir/Patient/{id}/_history/1")
        );
        assert_eq!(
            scrub.text(&format!("{base}/Patient?_id=p1,p1&_summary=count&name=p1")),
            format!("http://server.example.org/fhir/Patient?_id={id},{id}&_summary=count&name={id}")
        );
        let definition = format!("{base}/OperationDefinition/-s-import");
        assert_eq!(scrub.text(&definition), "http://server.example.org/fhir/OperationDefinition/-s-import");
        let poll = "/$import-poll-status?_jobId=5a1f";
        assert_eq!(scrub.text(&format!("{base}{poll}")), format!("http://server.example.org/fhir{poll}"));
        assert_eq!(scrub.text("application/json"), "application/json");
    }

    #[test]
    fn keys_to_what_we_serve_are_hidden() {
        let scrub = scrub();
        let text = scrub.text(&format!("http://127.0.0.1:9/{}/Patient.ndjson", "a1".repeat(16)));
        assert!(text.starts_with("http://other-1.example.org/hex-") && text.ends_with("/Patient.ndjson"), "{text}");
        assert_eq!(scrub.text("01234567-89ab-cdef-0123-456789abcdef"), "import-id");
        assert!(!scrub.text("0123456789abcdef0123456789abcdef").contains("abcdef0123456789"));
    }
}
