//! Exchanges with real sockets and peers that behave badly.

use std::convert::Infallible;
use std::future::pending;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::TcpListener;

use super::super::error::{NetErrorKind, Phase};
use super::super::exchange::MAX_HEADERS;
use super::super::testing::{SHORT, closed_port, get, peer, read_head, sender};
use super::*;

const NO_ROOTS: TlsRoots = TlsRoots { extra_pem: Vec::new() };
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// What a GET yields from a peer that answers with `answer`, does something more, and closes.
async fn answered(
    answer: &'static [u8],
    and_then: impl Future<Output = ()> + Send + 'static,
    limits: impl FnOnce(&mut PhaseLimits),
) -> Result<(u16, String), NetError> {
    let (port, _peer) = peer(async move |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(answer).await.unwrap();
        and_then.await;
    })
    .await;
    get(&sender(&NO_ROOTS, limits), &format!("http://127.0.0.1:{port}/fhir?sig=CANARY")).await
}

/// What the request looks like on the wire, once the peer has answered.
async fn wire(request: http::request::Builder, body: &'static str) -> String {
    let length = body.len();
    let (port, served) = peer(async move |mut stream| {
        let mut sent = read_head(&mut stream).await;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        sent.push_str(&String::from_utf8(body).unwrap());
        stream.write_all(OK).await.unwrap();
        sent
    })
    .await;
    let request = request.uri(format!("http://127.0.0.1:{port}/a?b=c")).body(Full::new(Bytes::from(body))).unwrap();
    let answer = sender(&NO_ROOTS, |_| ()).send(request, Permission::AnyAddress).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hi");
    served.await.unwrap().replace(&port.to_string(), "PORT").replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[tokio::test]
async fn a_get_has_these_bytes() {
    assert_eq!(
        wire(Request::builder().header("Accept", "application/fhir+json"), "").await,
        "GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\nuser-agent: fhir-import/VERSION\r\naccept-encoding: identity\r\n\
         accept: application/fhir+json\r\nconnection: close\r\n\r\n"
    );
}

#[tokio::test]
async fn a_post_has_these_bytes() {
    assert_eq!(
        wire(
            Request::builder().method("POST").header("Content-Length", "2").header("Transfer-Encoding", "chunked"),
            "{}"
        )
        .await,
        "POST /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\nuser-agent: fhir-import/VERSION\r\naccept-encoding: identity\r\n\
         content-length: 2\r\nconnection: close\r\n\r\n{}"
    );
}

#[tokio::test]
async fn nobody_listens() {
    let url = format!("http://127.0.0.1:{}/", closed_port().await);
    let error = get(&sender(&NO_ROOTS, |_| ()), &url).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Connect, NetErrorKind::Refused));
    assert!(!error.may_have_been_sent());
}

#[tokio::test]
async fn a_private_address_is_not_dialled_for_a_pattern() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let request = Request::get(url).body(Empty::new()).unwrap();
    let error = sender(&NO_ROOTS, |_| ()).send(request, Permission::PublicAddressOnly).await.unwrap_err();
    assert_eq!((error.kind, error.may_have_been_sent()), (NetErrorKind::PrivateAddress, false));
    let mut accept = pin!(listener.accept());
    assert!(matches!(look_at(&mut accept).await, Poll::Pending));
}

/// One look at a future.
async fn look_at<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

#[tokio::test]
async fn an_ambiguous_url_is_not_sent() {
    let request = Request::get("http://127.1/?sig=CANARY").body(Empty::new()).unwrap();
    let error = sender(&NO_ROOTS, |_| ()).send(request, Permission::AnyAddress).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Policy, NetErrorKind::BadUrl));
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[tokio::test]
async fn half_a_head_costs_its_limit() {
    let error =
        answered(b"HTTP/1.1 200 OK\r\nContent-Le", pending(), |limits| limits.first_byte = SHORT).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::FirstByte, NetErrorKind::Timeout));
    assert!(error.may_have_been_sent());
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let (port, _peer) = peer(async |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let error = get(&sender(&NO_ROOTS, |_| ()), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::FirstByte, NetErrorKind::HeadersTooLarge));
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let (port, _peer) = peer(async |mut stream| {
        read_head(&mut stream).await;
        let many = "A: b\r\n".repeat(MAX_HEADERS + 1);
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{many}\r\n").as_bytes()).await.unwrap();
    })
    .await;
    let error = get(&sender(&NO_ROOTS, |_| ()), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::HeadersTooLarge);
}

#[tokio::test]
async fn something_else_than_http_is_refused() {
    let error = answered(b"SSH-2.0-OpenSSH_9.9\r\n", pending(), |_| ()).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::FirstByte, NetErrorKind::Malformed));
}

#[tokio::test]
async fn a_connection_that_closes_is_not_tried_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let accepted = tokio::spawn(async move {
        read_head(&mut listener.accept().await.unwrap().0).await;
        listener
    });
    let error = get(&sender(&NO_ROOTS, |_| ()), &url).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::FirstByte, NetErrorKind::ConnectionClosed));
    assert!(error.may_have_been_sent());
    let listener = accepted.await.unwrap();
    let mut again = pin!(listener.accept());
    assert!(matches!(look_at(&mut again).await, Poll::Pending));
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let location = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {url}next\r\nContent-Length: 0\r\n\r\n");
    let accepted = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        read_head(&mut stream).await;
        stream.write_all(location.as_bytes()).await.unwrap();
        listener
    });
    assert_eq!(get(&sender(&NO_ROOTS, |_| ()), &url).await, Ok((307, String::new())));
    let listener = accepted.await.unwrap();
    let mut again = pin!(listener.accept());
    assert!(matches!(look_at(&mut again).await, Poll::Pending));
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(answered(answer, pending(), |_| ()).await, Ok((200, "hi".to_owned())));
}

#[tokio::test]
async fn a_body_that_stalls_costs_its_limit() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    let error = answered(answer, pending(), |limits| limits.between_bytes = SHORT).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Body, NetErrorKind::Timeout));
    assert_eq!(error.detail, "limit 40 ms");
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error() {
    for answer in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".as_slice(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let error = answered(answer, async {}, |_| ()).await.unwrap_err();
        assert_eq!((error.phase, error.kind), (Phase::Body, NetErrorKind::ConnectionClosed));
    }
}

#[tokio::test]
async fn a_body_that_drips_ends_with_the_exchange() {
    let (port, _peer) = peer(async |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let sender = sender(&NO_ROOTS, |limits| limits.total = 5 * SHORT);
    let error = get(&sender, &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Body, NetErrorKind::Timeout));
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_an_error() {
    let (port, _peer) = peer(async |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let request = Request::get(format!("http://127.0.0.1:{port}/")).body(Empty::new()).unwrap();
    let answer = sender(&NO_ROOTS, |_| ()).send(request, Permission::AnyAddress).await.unwrap();
    let error = answer.into_body().limited(100_000).collect().await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Body, NetErrorKind::BodyTooLarge));
}

/// A request body that never ends, and is sent as fast as the peer takes it.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

#[tokio::test]
async fn a_peer_that_stops_reading_costs_its_limit() {
    let (port, _peer) = peer(async |stream| {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let request = Request::post(format!("http://127.0.0.1:{port}/")).body(Endless).unwrap();
    let sender = sender(&NO_ROOTS, |limits| limits.first_byte = SHORT);
    let error = sender.send(request, Permission::AnyAddress).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Send, NetErrorKind::Timeout));
    assert!(error.may_have_been_sent());
}

#[tokio::test]
async fn a_request_body_that_fails_is_no_fault_of_the_peer() {
    let (port, _peer) = peer(async |mut stream| copy(&mut stream, &mut sink()).await).await;
    let request = Request::post(format!("http://127.0.0.1:{port}/")).body(Broken).unwrap();
    let error = sender(&NO_ROOTS, |_| ()).send(request, Permission::AnyAddress).await.unwrap_err();
    assert_eq!((error.phase, error.kind), (Phase::Send, NetErrorKind::RequestBody));
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

/// A request body that fails at once.
struct Broken;

impl Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("CANARY"))))
    }
}

#[tokio::test]
async fn an_answer_before_the_request_ends_is_not_lost() {
    let (port, _peer) = peer(async |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        let _ = copy(&mut stream, &mut sink()).await;
    })
    .await;
    let request = Request::post(format!("http://127.0.0.1:{port}/")).body(Endless).unwrap();
    let answer = sender(&NO_ROOTS, |_| ()).send(request, Permission::AnyAddress).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "no");
}

#[tokio::test]
async fn dropping_the_body_ends_the_connection() {
    let (port, served) = peer(async |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nstart").await.unwrap();
        copy(&mut stream, &mut sink()).await
    })
    .await;
    let request = Request::get(format!("http://127.0.0.1:{port}/")).body(Empty::new()).unwrap();
    drop(sender(&NO_ROOTS, |_| ()).send(request, Permission::AnyAddress).await.unwrap());
    assert_eq!(served.await.unwrap().unwrap_or(0), 0);
}

#[tokio::test]
async fn dropping_the_exchange_ends_the_connection() {
    let (received, seen) = tokio::sync::oneshot::channel();
    let (port, served) = peer(async move |mut stream| {
        read_head(&mut stream).await;
        received.send(()).unwrap();
        copy(&mut stream, &mut sink()).await
    })
    .await;
    let sender = sender(&NO_ROOTS, |_| ());
    let url = format!("http://127.0.0.1:{port}/");
    let exchange = tokio::spawn(async move { get(&sender, &url).await });
    seen.await.unwrap();
    exchange.abort();
    assert_eq!(served.await.unwrap().unwrap_or(0), 0);
}
