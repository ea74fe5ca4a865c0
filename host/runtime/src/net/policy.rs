//! Which places may be talked to: what the operator typed, and nothing else.

use std::fmt;

use url::{Host, Url};

use super::origin::{Origin, OriginError, parse_bare};

/// The places that the operator typed.
#[derive(Clone, Debug)]
pub struct AllowList {
    origins: Vec<Origin>,
    hosts: Vec<HostPattern>,
}

/// What a request to an allowed place may dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// The origin was typed in full: whatever it resolves to, private or not, is what the operator meant.
    AnyAddress,
    /// The host was only allowed by a pattern: it may resolve to public addresses only, see [`super::is_public`].
    PublicAddressOnly,
}

impl AllowList {
    /// A list that allows the FHIR server's own origin.
    ///
    /// # Errors
    ///
    /// When the URL has no usable origin, see [`Origin::of`].
    pub fn new(server: &Url) -> Result<Self, OriginError> {
        Ok(Self { origins: vec![Origin::of(server)?], hosts: Vec::new() })
    }

    /// Adds what `--allow-origin` takes: an origin, or a pattern such as `https://*.blob.core.windows.net` whose `*`
    /// stands for one label or more.
    ///
    /// # Errors
    ///
    /// When `pattern` is neither.
    pub fn allow(mut self, pattern: &str) -> Result<Self, OriginError> {
        if pattern.contains('*') {
            self.hosts.push(HostPattern::parse(pattern)?);
        } else {
            self.origins.push(pattern.parse()?);
        }
        Ok(self)
    }

    /// Whether a request to `url` is allowed, and at which addresses.
    ///
    /// # Errors
    ///
    /// [`Denied`] when nothing that the operator typed covers the URL.
    pub fn check(&self, url: &Url) -> Result<Permission, Denied> {
        let origin = Origin::of(url).map_err(Denied::Url)?;
        if self.origins.contains(&origin) {
            return Ok(Permission::AnyAddress);
        }
        if self.hosts.iter().any(|pattern| pattern.matches(url)) {
            return Ok(Permission::PublicAddressOnly);
        }
        Err(Denied::Origin(origin))
    }
}

/// Why a request is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nobody allowed the origin.
    Origin(Origin),
    /// The URL has no usable origin.
    Url(OriginError),
}

impl fmt::Display for Denied {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(origin) => {
                write!(out, "requests to {origin} are not allowed; to allow them: --allow-origin {origin}")
            }
            Self::Url(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Denied {}

/// `scheme://*.suffix[:port]`.
#[derive(Clone, Debug)]
struct HostPattern {
    scheme: String,
    suffix: String,
    port: Option<u16>,
}

impl HostPattern {
    fn parse(pattern: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = pattern.split_once("://*.").ok_or(OriginError::Wildcard)?;
        let url = parse_bare(&format!("{scheme}://{rest}"))?;
        match url.host() {
            Some(Host::Domain(suffix)) if suffix.contains('.') && !suffix.contains('*') => Ok(Self {
                scheme: url.scheme().to_owned(),
                suffix: format!(".{suffix}"),
                port: url.port_or_known_default(),
            }),
            _ => Err(OriginError::Wildcard),
        }
    }

    fn matches(&self, url: &Url) -> bool {
        let Some(Host::Domain(host)) = url.host() else { return false };
        let labels = host.strip_suffix(&self.suffix);
        labels.is_some_and(|labels| !labels.is_empty())
            && url.scheme() == self.scheme
            && url.port_or_known_default() == self.port
    }
}

#[cfg(test)]
mod tests {
    use super::Permission::{AnyAddress, PublicAddressOnly};
    use super::*;

    fn list() -> AllowList {
        let server = Url::parse("http://10.0.0.5:8080/fhir").unwrap();
        let list = AllowList::new(&server).unwrap();
        list.allow("https://files.example.org").unwrap().allow("https://*.blob.core.windows.net").unwrap()
    }

    fn check(url: &str) -> Option<Permission> {
        list().check(&Url::parse(url).unwrap()).ok()
    }

    #[test]
    fn what_the_operator_typed_is_allowed_at_any_address() {
        assert_eq!(check("http://10.0.0.5:8080/other?x"), Some(AnyAddress));
        assert_eq!(check("https://files.example.org/a"), Some(AnyAddress));
        assert_eq!(check("https://FILES.example.org:443/a"), Some(AnyAddress));
    }

    #[test]
    fn a_pattern_covers_one_label_or_more_at_public_addresses() {
        assert_eq!(check("https://acct.blob.core.windows.net/c/f?sig=1"), Some(PublicAddressOnly));
        assert_eq!(check("https://acct.z1.blob.core.windows.net/"), Some(PublicAddressOnly));
    }

    #[test]
    fn everything_else_is_denied() {
        for url in [
            "https://10.0.0.5:8080/fhir",
            "http://10.0.0.5/fhir",
            "http://files.example.org/",
            "https://files.example.org:8443/",
            "https://files.example.org.evil.example/",
            "https://evil.example/files.example.org",
            "https://user@files.example.org/",
            "https://files.example.org@evil.example/",
            "https://files.example.org./",
            "https://files.example.org/#f",
            "https://blob.core.windows.net/",
            "https://evilblob.core.windows.net/",
            "https://.blob.core.windows.net/",
            "http://acct.blob.core.windows.net/",
            "https://acct.blob.core.windows.net:444/",
            "https://acct.blob.core.windows.net.evil.example/",
            "https://evil.example/?.blob.core.windows.net",
            "http://169.254.169.254/latest/meta-data/",
            "http://0x0a000005/fhir",
        ] {
            assert_eq!(check(url), None, "{url}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_allow_it() {
        let denied = list().check(&Url::parse("https://evil.example/x?sig=CANARY").unwrap()).unwrap_err();
        assert_eq!(
            denied.to_string(),
            "requests to https://evil.example are not allowed; to allow them: --allow-origin https://evil.example"
        );
    }

    #[test]
    fn a_pattern_that_is_too_wide_is_refused() {
        for pattern in [
            "*",
            "https://*",
            "https://*.net",
            "*.example.org",
            "https://a.*.example.org",
            "https://*.*.org",
            "https://*.0.0.1",
            "https://*.example.org/path",
            "https://*.example.org/#x",
            "ftp://*.example.org",
            "https://*example.org",
            "https://x*.example.org",
        ] {
            assert!(list().allow(pattern).is_err(), "{pattern}");
        }
    }
}
