//! The FHIR server that a person named.

use url::{Host, Url};

use super::RunError;
use crate::net::{Origin, OriginError, redact_url};

/// A FHIR base URL that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    url: Url,
    origin: Origin,
}

impl Server {
    /// Reads a FHIR base URL.
    ///
    /// # Errors
    /// [`RunError::Server`] when it is not an `http` or `https` URL, or holds a user name, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, RunError> {
        let read = |text: &str| {
            let url = Url::parse(text).map_err(OriginError::Unreadable)?;
            let origin = Origin::of(&url)?;
            if url.query().is_some() { Err(OriginError::Path) } else { Ok(Self { url, origin }) }
        };
        read(text).map_err(|error| RunError::Server { error })
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL without a slash at its end, as requests carry it.
    #[must_use]
    pub fn base(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// For people.
    #[must_use]
    pub fn shown(&self) -> String {
        redact_url(&self.url).trim_end_matches('/').to_owned()
    }

    /// Whether it is on this machine, as far as its name tells.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_with_or_without_a_slash() {
        for text in ["http://127.0.0.1:8080/fhir", "http://127.0.0.1:8080/fhir/"] {
            let server = Server::parse(text).unwrap();
            assert_eq!(server.base(), "http://127.0.0.1:8080/fhir");
            assert!(server.is_loopback());
        }
        assert!(!Server::parse("https://fhir.example.org").unwrap().is_loopback());
    }

    #[test]
    fn what_cannot_be_a_base_url_is_refused_without_showing_it() {
        for text in
            ["", "fhir", "ftp://h/fhir", "https://me:CANARY@h/fhir", "https://h/fhir?token=CANARY", "https://h/#x"]
        {
            let error = Server::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
    }
}
