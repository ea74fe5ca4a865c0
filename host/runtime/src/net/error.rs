//! What can go wrong between us and a server, and what to do about it.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::origin::{OriginError, redact_url};
use super::policy::Denied;

/// How far an exchange had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Before the network: the request was looked at.
    Policy,
    /// Name resolution.
    Dns,
    /// TCP.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The request is being sent.
    Send,
    /// The request was sent, no answer came yet.
    FirstByte,
    /// The answer's body.
    Body,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetErrorKind {
    /// The URL cannot be used for a request.
    BadUrl,
    /// The answer's body is longer than the caller wanted.
    BodyTooLarge,
    /// The certificate is not valid yet, or not any more.
    CertificateExpired,
    /// The certificate is for other names.
    CertificateName,
    /// The certificate is refused for another reason.
    CertificateOther,
    /// No trusted authority issued the certificate.
    CertificateUnknownIssuer,
    /// The peer ended the connection too early.
    ConnectionClosed,
    /// No address accepted a connection in time.
    ConnectTimeout,
    /// Nobody allowed the origin.
    Denied,
    /// Name resolution failed; the host may exist.
    DnsFailed,
    /// Name resolution took too long.
    DnsTimeout,
    /// Too many headers, or too long ones.
    HeadersTooLarge,
    /// The answer is not HTTP/1.1, or the request cannot be put into it.
    Malformed,
    /// The host was only allowed by a pattern, and has no public address.
    PrivateAddress,
    /// The host is there, and nothing listens on the port.
    Refused,
    /// The source of the request body failed.
    RequestBody,
    /// The peer stopped sending or receiving.
    Timeout,
    /// The TLS handshake failed.
    TlsProtocol,
    /// The TLS handshake took too long.
    TlsTimeout,
    /// The host does not exist.
    UnknownHost,
    /// There is no way to the host.
    Unreachable,
    /// The bytes of an input file cannot be sent.
    Upload,
}

/// A failed exchange. Holds no query, header or body, so it may be shown and logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetError {
    /// How far the exchange had come.
    pub phase: Phase,
    /// What happened.
    pub kind: NetErrorKind,
    /// Where, see [`redact_url`]; empty when the request had no usable URL.
    pub url: String,
    /// The facts: addresses, names, limits.
    pub detail: String,
}

impl NetError {
    /// An error at `url`.
    #[must_use]
    pub fn new(phase: Phase, kind: NetErrorKind, url: &Url, detail: impl Into<String>) -> Self {
        Self { phase, kind, url: redact_url(url), detail: detail.into() }
    }

    /// Whether the request, or a part of it, may have reached the server. False only when provably nothing was sent,
    /// so that sending again cannot repeat anything.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.phase >= Phase::Send
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        use NetErrorKind as Kind;
        match self.kind {
            Kind::BadUrl => "correct the URL",
            Kind::BodyTooLarge => {
                "the answer is larger than any this import needs: check that the URL is the right one"
            }
            Kind::CertificateExpired => "renew the server's certificate, or correct this machine's clock",
            Kind::CertificateName => "use a host name that the certificate is for",
            Kind::CertificateOther => "check the server's certificate",
            Kind::CertificateUnknownIssuer => "if you trust its issuer, give the issuer's certificate: --ca FILE",
            Kind::ConnectionClosed => "try again; look at the server's log if it happens again",
            Kind::ConnectTimeout | Kind::Unreachable => "check host, port, network and firewall",
            Kind::Denied => "allow the origin if you trust it: --allow-origin ORIGIN",
            Kind::DnsFailed | Kind::DnsTimeout => "check this machine's DNS, then try again",
            Kind::HeadersTooLarge | Kind::Malformed => {
                "check that an HTTP server listens there, and https:// or http://"
            }
            Kind::PrivateAddress => "if the address is meant, allow the exact origin: --allow-origin ORIGIN",
            Kind::Refused => "check the port, and that the server runs",
            Kind::RequestBody => "try again",
            Kind::Timeout => "the server may be busy: try again later",
            Kind::TlsProtocol | Kind::TlsTimeout => "check that the port speaks TLS 1.2 or later",
            Kind::UnknownHost => "check the spelling of the host",
            Kind::Upload => "put the file back as it was, or start another import with what is there",
        }
    }

    /// What happened and how far the exchange had come, without the place.
    pub(crate) fn short(&self) -> String {
        format!("{} while {}", self.what(), self.phase)
    }

    fn what(&self) -> &'static str {
        use NetErrorKind as Kind;
        match self.kind {
            Kind::BadUrl => "the URL cannot be used",
            Kind::BodyTooLarge => "the answer is too large",
            Kind::CertificateExpired => "the certificate is out of date",
            Kind::CertificateName => "the certificate is for another host",
            Kind::CertificateOther => "the certificate was refused",
            Kind::CertificateUnknownIssuer => "the certificate's issuer is not trusted",
            Kind::ConnectionClosed => "the connection was closed",
            Kind::ConnectTimeout => "no connection in time",
            Kind::Denied => "the request is not allowed",
            Kind::DnsFailed => "the host name could not be resolved",
            Kind::DnsTimeout => "the host name was not resolved in time",
            Kind::HeadersTooLarge => "the answer's headers are too large",
            Kind::Malformed => "this is not usable HTTP",
            Kind::PrivateAddress => "the host has no public address",
            Kind::Refused => "the connection was refused",
            Kind::RequestBody => "the request body could not be read",
            Kind::Timeout => "no progress in time",
            Kind::TlsProtocol => "the TLS handshake failed",
            Kind::TlsTimeout => "no TLS handshake in time",
            Kind::UnknownHost => "the host is unknown",
            Kind::Unreachable => "the host cannot be reached",
            Kind::Upload => "the file cannot be sent",
        }
    }
}

impl From<OriginError> for NetError {
    /// An error without its URL, which may hold anything.
    fn from(error: OriginError) -> Self {
        Self { phase: Phase::Policy, kind: NetErrorKind::BadUrl, url: String::new(), detail: error.to_string() }
    }
}

impl From<Denied> for NetError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Origin(origin) => Self {
                phase: Phase::Policy,
                kind: NetErrorKind::Denied,
                url: origin.to_string(),
                detail: String::new(),
            },
            Denied::Url(error) => error.into(),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Policy => "checking the request",
            Self::Dns => "resolving the host",
            Self::Connect => "connecting",
            Self::Tls => "securing the connection",
            Self::Send => "sending the request",
            Self::FirstByte => "waiting for the answer",
            Self::Body => "reading the answer",
        })
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.url.is_empty() {
            write!(out, "{}: ", self.url)?;
        }
        write!(out, "{} while {}", self.what(), self.phase)?;
        if !self.detail.is_empty() {
            write!(out, " ({})", self.detail)?;
        }
        write!(out, "; {}", self.hint())
    }
}

impl std::error::Error for NetError {}

/// How a limit is written: `90 s`, `50 ms`.
pub(super) fn shown_limit(limit: Duration) -> String {
    match limit.as_millis() {
        millis if millis % 1000 == 0 => format!("limit {} s", millis / 1000),
        millis => format!("limit {millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(phase: Phase) -> NetError {
        let url = Url::parse("https://fhir.example.org:8443/fhir?sig=CANARY").unwrap();
        NetError::new(phase, NetErrorKind::Refused, &url, "192.0.2.1:8443")
    }

    #[test]
    fn it_says_what_where_and_what_to_try() {
        assert_eq!(
            error(Phase::Connect).to_string(),
            "https://fhir.example.org:8443/fhir?…: the connection was refused while connecting (192.0.2.1:8443); \
             check the port, and that the server runs"
        );
    }

    #[test]
    fn a_denied_origin_is_named_and_a_bad_url_is_not() {
        let denied = NetError::from(Denied::Origin("https://evil.example".parse().unwrap()));
        assert!(denied.to_string().starts_with("https://evil.example: the request is not allowed"), "{denied}");
        let bad = NetError::from(Denied::Url(OriginError::UserInfo));
        assert_eq!((bad.kind, bad.url.as_str()), (NetErrorKind::BadUrl, ""));
    }

    #[test]
    fn nothing_was_sent_before_the_request() {
        for phase in [Phase::Policy, Phase::Dns, Phase::Connect, Phase::Tls] {
            assert!(!error(phase).may_have_been_sent(), "{phase:?}");
        }
        for phase in [Phase::Send, Phase::FirstByte, Phase::Body] {
            assert!(error(phase).may_have_been_sent(), "{phase:?}");
        }
    }

    #[test]
    fn a_query_is_never_shown() {
        let error = error(Phase::Body);
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }

    #[test]
    fn limits_are_written_in_their_unit() {
        assert_eq!(shown_limit(Duration::from_secs(90)), "limit 90 s");
        assert_eq!(shown_limit(Duration::from_millis(50)), "limit 50 ms");
    }
}
