//! The little of URLs that decisions need. What is allowed to be dialled is the host's business, which has a full
//! parser; here an origin is compared and a reference resolved.

/// The longest URL of a server's that is kept, in bytes.
pub const MAX_URL: usize = 2048;

/// The FHIR base URL of a plan.
#[derive(Debug, Clone, Copy)]
pub struct BaseUrl<'a> {
    text: &'a str,
}

/// Where a status URL lies, seen from the base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the server's own origin.
    SameOrigin(String),
    /// On another origin but below the same path: a server behind an ingress. The URL is on the operator's origin.
    Rebased(String),
    /// Somewhere else.
    Foreign(String),
}

impl<'a> BaseUrl<'a> {
    /// A base URL; a trailing slash is ignored.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text: text.trim_end_matches('/') }
    }

    /// Whether a text can be a base URL.
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        let Some((origin, path)) = split(text) else { return false };
        let authority = origin.split_once("//").map_or("", |(_, a)| a);
        !authority.is_empty()
            && !authority.contains(['@', '\\'])
            && !path.contains(['?', '#', '\\'])
            && text.chars().all(|c| c.is_ascii_graphic())
    }

    /// A URL below the base.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.text, path.trim_start_matches('/'))
    }

    /// Whether a URL lies below the base.
    #[must_use]
    pub fn holds(&self, url: &str) -> bool {
        url.strip_prefix(self.text).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    }

    /// Resolves a status URL (RFC 3986 §5.3 for absolute, absolute-path and path references; the text itself is kept
    /// verbatim, percent signs and all) and says where it lies.
    #[must_use]
    pub fn place(&self, reference: &str) -> Place {
        let Some((base_origin, base_path)) = split(self.text) else { return Place::Foreign(reference.to_owned()) };
        let Some((origin, rest)) = split(reference) else { return Place::SameOrigin(self.resolve(reference)) };
        if origin.eq_ignore_ascii_case(base_origin) {
            return Place::SameOrigin(reference.to_owned());
        }
        let fits = !base_path.is_empty() && BaseUrl::new(base_path).holds(rest);
        if fits { Place::Rebased(format!("{base_origin}{rest}")) } else { Place::Foreign(reference.to_owned()) }
    }

    fn resolve(&self, reference: &str) -> String {
        let origin = split(self.text).map_or("", |(origin, _)| origin);
        if let Some(rest) = reference.strip_prefix("//") {
            let scheme = origin.split_once("//").map_or("", |(s, _)| s);
            return format!("{scheme}//{rest}");
        }
        if reference.starts_with('/') {
            return format!("{origin}{reference}");
        }
        self.join(reference)
    }
}

/// Splits an absolute http(s) URL into origin and the rest.
fn split(url: &str) -> Option<(&str, &str)> {
    let scheme = ["https://", "http://"].into_iter().find(|s| starts_with_ignore_case(url, s))?;
    let authority_end = url[scheme.len()..].find(['/', '?', '#']).map_or(url.len(), |i| scheme.len() + i);
    Some(url.split_at(authority_end))
}

fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// A base URL without so many segments at its end (`up1`, `up2`, …), its `origin`, or as it is.
#[must_use]
pub fn up(base: &str, levels: &str) -> Option<String> {
    let (origin, path) = split(base)?;
    if levels == "origin" {
        return Some(origin.to_owned());
    }
    let levels = if levels.is_empty() { 0 } else { levels.strip_prefix("up")?.parse().ok()? };
    let kept = (0..levels).try_fold(path.trim_end_matches('/'), |path, _| Some(path.rsplit_once('/')?.0))?;
    Some(format!("{origin}{kept}"))
}

/// The host of a URL, without port.
#[must_use]
pub fn host(url: &str) -> Option<String> {
    let (origin, _) = split(url)?;
    let authority = origin.split_once("//")?.1;
    let named = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    Some(named.map_or(authority, |(host, _)| host).to_ascii_lowercase())
}

/// The scheme of a URL, in lower case.
#[must_use]
pub fn scheme(url: &str) -> String {
    url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase()
}

/// Whether a text can be a server's name for a job, to be put into a path or a body.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'.' | b':' | b'~' | b'-' | b'$');
    text.bytes().all(plain) && !text.contains("..")
}

/// Appends a value of a query; all but letters, digits and `-._~` is encoded (RFC 3986, section 2.3).
pub fn push_encoded(url: &mut String, value: &str) {
    let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble & 15)]);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            url.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
}

/// A URL without its query, for people.
#[must_use]
pub fn redact(url: &str) -> String {
    match url.split_once('?') {
        Some((head, _)) => format!("{head}?…"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_url_is_placed_relative_to_the_base() {
        let base = BaseUrl::new("https://fhir.example.org/fhir/");
        let cases = [
            (
                "https://fhir.example.org/fhir/$x?_jobId=a%3D%3D",
                Place::SameOrigin("https://fhir.example.org/fhir/$x?_jobId=a%3D%3D".into()),
            ),
            ("/v2/$import/7", Place::SameOrigin("https://fhir.example.org/v2/$import/7".into())),
            ("jobs/7", Place::SameOrigin("https://fhir.example.org/fhir/jobs/7".into())),
            ("http://localhost:8080/fhir/jobs/7", Place::Rebased("https://fhir.example.org/fhir/jobs/7".into())),
            ("http://localhost:8080/other/7", Place::Foreign("http://localhost:8080/other/7".into())),
            ("http://localhost:8080/fhirx/7", Place::Foreign("http://localhost:8080/fhirx/7".into())),
        ];
        for (reference, place) in cases {
            assert_eq!(base.place(reference), place, "{reference}");
        }
    }

    #[test]
    fn a_base_url_has_no_user_query_or_fragment() {
        for good in ["http://127.0.0.1:8080/fhir", "https://x.example", "HTTPS://x.example/a/b"] {
            assert!(BaseUrl::is_valid(good), "{good}");
        }
        for bad in
            ["", "ftp://x", "https://u:p@x/fhir", "https://x/fhir?a=1", "https://x/#a", "https:///fhir", "x/fhir"]
        {
            assert!(!BaseUrl::is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn scheme_relative_references_are_foreign_hosts_not_paths() {
        let base = BaseUrl::new("https://fhir.example.org/fhir");
        assert_eq!(base.resolve("//evil.example/x"), "https://evil.example/x");
    }
}
