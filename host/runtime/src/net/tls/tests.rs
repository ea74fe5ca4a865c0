//! Handshakes with real sockets.

use std::future::pending;

use tokio::io::AsyncWriteExt;

use super::super::testing::{Authority, SHORT, get, peer, read_head, sender};
use super::*;

/// A GET from a server at 127.0.0.1 that has a certificate of an authority.
async fn get_from(
    authority: &Authority,
    name: &str,
    last_year: i32,
    roots: &TlsRoots,
) -> Result<(u16, String), NetError> {
    let acceptor = authority.acceptor(name, last_year);
    let (port, _peer) = peer(async move |stream| {
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
    })
    .await;
    get(&sender(roots, |_| ()), &format!("https://127.0.0.1:{port}/fhir?sig=CANARY")).await
}

#[tokio::test]
async fn an_extra_authority_is_trusted() {
    let authority = Authority::new("Ours");
    assert_eq!(get_from(&authority, "127.0.0.1", 4000, &authority.roots()).await, Ok((200, "hi".to_owned())));
}

#[test]
#[cfg(target_os = "linux")]
fn an_extra_authority_is_enough_where_the_system_has_none() {
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", concat!("net::tls::tests::", "an_extra_authority_is_trusted")])
        .env("SSL_CERT_FILE", "/dev/null")
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let error =
        get_from(&Authority::new("Theirs"), "127.0.0.1", 4000, &Authority::new("Ours").roots()).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Tls, NetErrorKind::CertificateUnknownIssuer));
    assert!(error.to_string().contains("--ca FILE"), "{error}");
    assert!(!error.may_have_been_sent());
}

#[tokio::test]
async fn an_authority_that_was_made_anew_is_not_trusted() {
    let error =
        get_from(&Authority::new("Ours"), "127.0.0.1", 4000, &Authority::new("Ours").roots()).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Tls, NetErrorKind::CertificateUnknownIssuer));
    assert!(error.detail.contains("same name"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_host_names_both() {
    let authority = Authority::new("Ours");
    let error = get_from(&authority, "fhir.example.org", 4000, &authority.roots()).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Tls, NetErrorKind::CertificateName));
    assert_eq!(error.detail, "expected 127.0.0.1, the certificate is for fhir.example.org");
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new("Ours");
    let error = get_from(&authority, "127.0.0.1", 2001, &authority.roots()).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Tls, NetErrorKind::CertificateExpired));
    assert!(error.detail.starts_with("it ended "), "{error}");
}

#[tokio::test]
async fn a_silent_peer_costs_its_limit() {
    let (port, _peer) = peer(async |stream| {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let roots = Authority::new("Ours").roots();
    let sender = sender(&roots, |limits| limits.tls = SHORT);
    let error = get(&sender, &format!("https://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Tls, NetErrorKind::TlsTimeout));
    assert!(!error.may_have_been_sent());
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_told_from_one_that_hangs_up() {
    for (answer, kind) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), NetErrorKind::TlsProtocol),
        (b"", NetErrorKind::ConnectionClosed),
    ] {
        let (port, _peer) = peer(async move |mut stream| {
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
        })
        .await;
        let roots = Authority::new("Ours").roots();
        let error = get(&sender(&roots, |_| ()), &format!("https://127.0.0.1:{port}/")).await.unwrap_err();
        assert_eq!((error.phase, error.kind), (Phase::Tls, kind), "{error}");
    }
}

#[test]
fn extra_certificates_must_be_certificates() {
    let tls = |pem: &str| Tls::new(&TlsRoots { extra_pem: pem.as_bytes().to_vec() });
    assert!(matches!(tls("not pem"), Err(TlsRootsError::NoCertificate)));
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(tls(key), Err(TlsRootsError::NoCertificate)));
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(tls(junk), Err(TlsRootsError::Certificate(_))));
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    assert!(matches!(tls(cut), Err(TlsRootsError::Pem(_))));
}

#[test]
fn a_key_beside_the_certificate_is_not_shown() {
    let roots = TlsRoots { extra_pem: b"CANARY".to_vec() };
    assert_eq!(format!("{roots:?}"), "TlsRoots { extra_pem_bytes: 6 }");
}

#[test]
fn a_certificate_out_of_date_says_by_how_much() {
    let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400));
    let old = CertificateError::ExpiredContext { time: at(100), not_after: at(97) };
    assert_eq!(certificate_failure(&old), (NetErrorKind::CertificateExpired, "it ended 3 days ago".to_owned()));
    let new = CertificateError::NotValidYetContext { time: at(1), not_before: at(2) };
    assert_eq!(certificate_failure(&new), (NetErrorKind::CertificateExpired, "it begins in 1 day".to_owned()));
}
