//! TCP: from checked addresses to a connection.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use url::Url;

use super::error::{NetError, NetErrorKind, Phase, shown_limit};
use super::phase::{Budget, OutOfTime};

/// Dials the addresses in order until one accepts.
pub(super) async fn dial(url: &Url, addresses: &[SocketAddr], budget: &Budget) -> Result<TcpStream, NetError> {
    let mut kind = NetErrorKind::Unreachable;
    let mut tried = Vec::with_capacity(addresses.len());
    for address in addresses {
        match budget.within(budget.limits.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only latency is lost when the system refuses.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(cause)) => {
                kind = connect_kind(&cause);
                tried.push(address.to_string());
            }
            Err(OutOfTime(limit)) => {
                kind = NetErrorKind::ConnectTimeout;
                tried.push(format!("{address}, {}", shown_limit(limit)));
            }
        }
    }
    Err(NetError::new(Phase::Connect, kind, url, tried.join("; ")))
}

fn connect_kind(cause: &io::Error) -> NetErrorKind {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => NetErrorKind::Refused,
        io::ErrorKind::TimedOut => NetErrorKind::ConnectTimeout,
        _ => NetErrorKind::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::phase::PhaseLimits;
    use super::super::testing::closed_port;
    use super::*;

    async fn dialled(addresses: &[SocketAddr]) -> Result<SocketAddr, NetError> {
        let url = Url::parse("http://a.example/").unwrap();
        let stream = dial(&url, addresses, &Budget::start(PhaseLimits::default())).await?;
        Ok(stream.peer_addr().unwrap())
    }

    #[tokio::test]
    async fn the_next_address_is_tried() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = SocketAddr::from(([127, 0, 0, 1], closed_port().await));
        assert_eq!(dialled(&[closed, open]).await, Ok(open));
    }

    #[tokio::test]
    async fn every_address_that_was_tried_is_named() {
        let closed = SocketAddr::from(([127, 0, 0, 1], closed_port().await));
        let error = dialled(&[closed, closed]).await.unwrap_err();
        assert_eq!((error.phase, error.kind), (Phase::Connect, NetErrorKind::Refused));
        assert_eq!(error.detail, format!("{closed}; {closed}"));
    }
}
