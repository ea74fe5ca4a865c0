//! TLS: which authorities are trusted, and what a failed handshake means.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::error::{NetError, NetErrorKind, Phase, shown_limit};
use super::phase::{Budget, OutOfTime};

/// Which authorities are trusted: the system's own, always, and these.
#[derive(Clone, Default)]
pub struct TlsRoots {
    /// Certificates in PEM (RFC 7468), added to the system's; empty for none. Other PEM sections are skipped.
    pub extra_pem: Vec<u8>,
}

impl fmt::Debug for TlsRoots {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The file may hold a private key beside the certificate.
        out.debug_struct("TlsRoots").field("extra_pem_bytes", &self.extra_pem.len()).finish()
    }
}

impl TlsRoots {
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsRootsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.extra_pem).collect();
        match found {
            Ok(none) if none.is_empty() && !self.extra_pem.is_empty() => Err(TlsRootsError::NoCertificate),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(TlsRootsError::Pem(error)),
        }
    }
}

/// Why extra certificates cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsRootsError {
    /// Something else than an X.509 certificate of an authority.
    Certificate(rustls::Error),
    /// No `BEGIN CERTIFICATE`: perhaps DER, or a key.
    NoCertificate,
    /// Damaged PEM.
    Pem(pem::Error),
}

impl fmt::Display for TlsRootsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => write!(out, "the certificate cannot be used: {error}"),
            Self::NoCertificate => out.write_str("no certificate in it: a PEM file with BEGIN CERTIFICATE is expected"),
            Self::Pem(_) => out.write_str("damaged PEM: copy the file again"),
        }
    }
}

impl std::error::Error for TlsRootsError {}

/// Secures connections. Without any trusted authority on the machine it refuses all of them.
#[derive(Clone)]
pub(super) struct Tls(Option<TlsConnector>);

impl Tls {
    pub(super) fn new(roots: &TlsRoots) -> Result<Self, TlsRootsError> {
        let extra = roots.certificates()?;
        let no_extra = extra.is_empty();
        let provider = Arc::new(aws_lc_rs::default_provider());
        match Verifier::new_with_extra_roots(extra, provider.clone()) {
            Ok(verifier) => Ok(Self(Some(connector(provider, Arc::new(verifier))))),
            // Only the system's roots were asked for and it has none: plain http still works.
            Err(_) if no_extra => Ok(Self(None)),
            Err(error) => Err(TlsRootsError::Certificate(error)),
        }
    }

    /// The handshake, within its limit.
    pub(super) async fn secure(
        &self,
        url: &Url,
        stream: TcpStream,
        budget: &Budget,
    ) -> Result<TlsStream<TcpStream>, NetError> {
        let error = |kind, detail: String| NetError::new(Phase::Tls, kind, url, detail);
        let Some(connector) = &self.0 else {
            let detail = "this machine has no trusted certificates".to_owned();
            return Err(error(NetErrorKind::CertificateUnknownIssuer, detail));
        };
        let name = server_name(url).ok_or_else(|| error(NetErrorKind::CertificateName, "no such name".to_owned()))?;
        match budget.within(budget.limits.tls, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(cause)) => {
                let (kind, detail) = handshake_failure(&cause);
                Err(error(kind, detail))
            }
            Err(OutOfTime(limit)) => Err(error(NetErrorKind::TlsTimeout, shown_limit(limit))),
        }
    }
}

/// TLS 1.2 or later (NIST SP 800-52r2; SMART App Launch asks for 1.2), HTTP/1.1 by ALPN.
fn connector(provider: Arc<CryptoProvider>, verifier: Arc<dyn ServerCertVerifier>) -> TlsConnector {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::IpAddress(std::net::IpAddr::V4(address).into())),
        Host::Ipv6(address) => Some(ServerName::IpAddress(std::net::IpAddr::V6(address).into())),
    }
}

fn handshake_failure(cause: &io::Error) -> (NetErrorKind, String) {
    match cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(error)) => certificate_failure(error),
        Some(error) => (NetErrorKind::TlsProtocol, error.to_string()),
        None => (NetErrorKind::ConnectionClosed, cause.to_string()),
    }
}

fn certificate_failure(error: &CertificateError) -> (NetErrorKind, String) {
    use CertificateError as Cert;
    match error {
        Cert::NotValidForNameContext { expected, presented } => (
            NetErrorKind::CertificateName,
            format!("expected {}, the certificate is for {}", expected.to_str(), names(presented)),
        ),
        Cert::NotValidForName => (NetErrorKind::CertificateName, String::new()),
        Cert::ExpiredContext { time, not_after } => {
            (NetErrorKind::CertificateExpired, format!("it ended {} ago", days(*not_after, *time)))
        }
        Cert::NotValidYetContext { time, not_before } => {
            (NetErrorKind::CertificateExpired, format!("it begins in {}", days(*time, *not_before)))
        }
        Cert::Expired | Cert::NotValidYet => (NetErrorKind::CertificateExpired, String::new()),
        Cert::UnknownIssuer => (NetErrorKind::CertificateUnknownIssuer, String::new()),
        Cert::BadSignature => (
            NetErrorKind::CertificateUnknownIssuer,
            "an issuer of the same name is trusted, with another key: it may have been made anew".to_owned(),
        ),
        other => (NetErrorKind::CertificateOther, other.to_string()),
    }
}

/// The names in a certificate, which webpki gives as `DnsName("a.example")` and `IpAddress(…)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")"));
        inner.unwrap_or(name).to_owned()
    };
    match presented.len() {
        0 => "no name (it has no subjectAltName)".to_owned(),
        _ => presented.iter().map(bare).collect::<Vec<_>>().join(", "),
    }
}

fn days(from: UnixTime, to: UnixTime) -> String {
    let span = Duration::from_secs(to.as_secs().saturating_sub(from.as_secs()));
    match span.as_secs() / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
