//! Where a request goes: scheme, host and port.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Scheme, host and port of an `http` or `https` URL (RFC 6454 §4), compared in serialised form (§6.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// The origin of `url`.
    ///
    /// # Errors
    ///
    /// When the URL is of another scheme, or holds something that has no place in a request: a user name or password,
    /// a fragment, a host that ends in a dot.
    pub fn of(url: &Url) -> Result<Self, OriginError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(OriginError::Fragment);
        }
        if matches!(url.host(), Some(Host::Domain(name)) if name.ends_with('.')) {
            return Err(OriginError::TrailingDot);
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// The origin in serialised form, without a port that is the scheme's own.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Reads an origin that a person typed: `https://host`, with or without a port, without a path.
    fn from_str(typed: &str) -> Result<Self, OriginError> {
        parse_bare(typed).and_then(|url| Self::of(&url))
    }
}

/// Why something is not an origin that can be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Two parsers could disagree about the host: control characters, spaces, `\`, or a host that is not in its
    /// canonical form.
    Ambiguous,
    /// A part after `#`.
    Fragment,
    /// A path or a query where only scheme, host and port make sense.
    Path,
    /// Neither `http` nor `https`.
    Scheme,
    /// A host that ends in a dot, which names the same place in another spelling.
    TrailingDot,
    /// Not a URL.
    Unreadable(url::ParseError),
    /// A user name or password.
    UserInfo,
    /// A `*` elsewhere than as the first label of a host with at least two more labels.
    Wildcard,
}

impl fmt::Display for OriginError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous => out.write_str("the URL is ambiguous: write the host in its plain form"),
            Self::Fragment => out.write_str("the URL has a fragment: remove the part from '#' on"),
            Self::Path => out.write_str("an origin is scheme, host and port: remove path and query"),
            Self::Scheme => out.write_str("the URL must begin with https:// or http://"),
            Self::TrailingDot => out.write_str("the host ends in a dot: remove it"),
            Self::Unreadable(error) => write!(out, "not a URL: {error}"),
            Self::UserInfo => {
                out.write_str("the URL has a user name or password: give credentials by their own option")
            }
            Self::Wildcard => out.write_str("a pattern is https://*.HOST, where HOST has at least two labels"),
        }
    }
}

impl std::error::Error for OriginError {}

/// Parses a URL, refusing what the parser would silently repair: tabs and line ends are dropped and `\` becomes `/`
/// by the URL Standard, other software reads them otherwise.
pub(super) fn parse_strictly(text: &str) -> Result<Url, OriginError> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(OriginError::Ambiguous);
    }
    Url::parse(text).map_err(OriginError::Unreadable)
}

/// Parses a URL that has nothing beyond its origin.
pub(super) fn parse_bare(text: &str) -> Result<Url, OriginError> {
    let url = parse_strictly(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err(OriginError::Path);
    }
    Origin::of(&url).map(|_| url)
}

/// Scheme, host, port and path of a URL; a query, which may be a signature, only as `?…`.
#[must_use]
pub fn redact_url(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only for URLs without a host, which have no user either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    shown.set_query(None);
    let mark = if url.query().is_some() { "?…" } else { "" };
    format!("{shown}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Origin, OriginError> {
        Origin::of(&Url::parse(text).unwrap())
    }

    #[test]
    fn different_spellings_of_one_origin_are_equal() {
        let plain: Origin = "https://fhir.example.org".parse().unwrap();
        for spelling in [
            "HTTPS://FHIR.example.org/",
            "https://fhir.example.org:443/a?b",
            "https://fhir%2Eexample.org/",
            "https:fhir.example.org",
        ] {
            assert_eq!(of(spelling), Ok(plain.clone()), "{spelling}");
        }
    }

    #[test]
    fn scheme_host_and_port_tell_origins_apart() {
        let origins = [
            "https://a.example",
            "http://a.example",
            "https://b.example",
            "https://a.example:8443",
            "https://a.example.b.example",
        ];
        for (i, a) in origins.iter().enumerate() {
            for (j, b) in origins.iter().enumerate() {
                assert_eq!(of(a) == of(b), i == j, "{a} {b}");
            }
        }
    }

    #[test]
    fn what_has_no_place_in_a_request_is_refused() {
        assert_eq!(of("https://user@a.example/"), Err(OriginError::UserInfo));
        assert_eq!(of("https://:secret@a.example/"), Err(OriginError::UserInfo));
        assert_eq!(of("https://a.example/#here"), Err(OriginError::Fragment));
        assert_eq!(of("https://a.example./"), Err(OriginError::TrailingDot));
        assert_eq!(of("ftp://a.example/"), Err(OriginError::Scheme));
        assert_eq!(of("file:///etc/passwd"), Err(OriginError::Scheme));
        assert_eq!(of("data:,x"), Err(OriginError::Scheme));
    }

    #[test]
    fn a_typed_origin_is_read_strictly() {
        assert_eq!("https://a.example/fhir".parse::<Origin>(), Err(OriginError::Path));
        assert_eq!("https://a.example/?x".parse::<Origin>(), Err(OriginError::Path));
        assert_eq!("https://good.example\t.evil".parse::<Origin>(), Err(OriginError::Ambiguous));
        assert_eq!("https:\\\\a.example".parse::<Origin>(), Err(OriginError::Ambiguous));
        assert_eq!(" https://a.example".parse::<Origin>(), Err(OriginError::Ambiguous));
        assert!(matches!("a.example".parse::<Origin>(), Err(OriginError::Unreadable(_))));
    }

    #[test]
    fn a_shown_url_keeps_no_secret() {
        let url = Url::parse("https://me:pw@a.example:8443/files/1.ndjson?sig=CANARY#CANARY").unwrap();
        assert_eq!(redact_url(&url), "https://a.example:8443/files/1.ndjson?…");
        assert_eq!(redact_url(&Url::parse("https://a.example/x").unwrap()), "https://a.example/x");
    }
}
