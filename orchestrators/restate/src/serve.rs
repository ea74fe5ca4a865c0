//! A worker: Restate calls it, never the other way round.

use std::future::Future;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use fhir_import::embed::Worker;
use restate_sdk::prelude::{Endpoint, HttpServer};
use tokio::net::{TcpListener, TcpSocket};

use crate::imports::Imports;
use crate::restate::{Place, Restate};

/// Takes work until `end`. Says `ready` once Restate knows where.
///
/// # Errors
/// When the address cannot be listened on, or Restate does not take it.
pub async fn serve(worker: Worker, place: Place, end: impl Future + Send + 'static) -> Result<()> {
    let listener = listen(place.listen).with_context(|| format!("cannot listen on {}", place.listen))?;
    let mut endpoint = Endpoint::builder().bind(Imports::new(worker));
    if let Some(key) = &place.identity {
        endpoint = endpoint.identity_key(key).context("identity")?;
    }
    let serving = tokio::spawn(async move { HttpServer::new(endpoint.build()).serve_with_cancel(listener, end).await });
    let (workers, shown) = (Restate::new(place.clone())?, place.workers);
    workers.register().await?;
    eprintln!("ready: Restate calls {shown}");
    serving.await.context("serving")
}

/// Workers on one machine share their address, so that the others go on when one dies.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}
