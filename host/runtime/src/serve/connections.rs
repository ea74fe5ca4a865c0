//! Accepts connections, few enough at a time that strangers cannot use the machine up.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::answer::{Catalogue, answer};
use super::log::{FetchLog, Transfer};
use super::socket::WatchedStream;

/// How long accepting pauses after the operating system refused, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many bytes of request head, and of answers beyond the chunk being sent, a connection may hold.
const BUFFER_BYTES: usize = 64 * 1024;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time.
    pub(super) connections: usize,
    /// From the end of an answer (or the start of the connection) to the end of the next request's head.
    pub(super) request_head: Duration,
    /// How long a peer may take nothing of an answer. Generous, because FHIR servers stop reading while they store.
    pub(super) stalled: Duration,
}

/// The limits of every server outside tests.
pub(super) const LIMITS: Limits =
    Limits { connections: 128, request_head: Duration::from_secs(30), stalled: Duration::from_secs(600) };

/// Accepts until it is dropped, which ends all its connections.
pub(super) async fn accept(listener: TcpListener, catalogue: Arc<Catalogue>, log: Arc<FetchLog>, limits: Limits) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let strangers = Arc::new(Strangers::default());
    let mut connections = JoinSet::new();
    for id in 0.. {
        while connections.try_join_next().is_some() {}
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(slot) = free_slot(&slots, &strangers).await else { return };
        let connection = Connection::new(id, peer, Arc::clone(&log), Arc::clone(&strangers));
        let talking = talk(stream, connection, Arc::clone(&catalogue), limits, slot);
        // Locked first, so that the connection cannot be trusted before it is listed.
        let mut waiting = strangers.waiting();
        waiting.push_back((id, connections.spawn(talking)));
    }
}

/// Takes a slot, if need be that of the oldest connection that has not yet named anything we serve.
async fn free_slot(slots: &Arc<Semaphore>, strangers: &Strangers) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Some(slot);
    }
    let oldest = strangers.waiting().pop_front();
    if let Some((_, oldest)) = oldest {
        oldest.abort();
    }
    Arc::clone(slots).acquire_owned().await.ok()
}

async fn talk(
    stream: TcpStream,
    connection: Arc<Connection>,
    catalogue: Arc<Catalogue>,
    limits: Limits,
    _slot: OwnedSemaphorePermit,
) {
    // Only makes small answers faster.
    let _ = stream.set_nodelay(true);
    let stream = WatchedStream::new(stream, Arc::clone(&connection), limits.stalled);
    let service = service_fn(|request| {
        let (catalogue, connection) = (&catalogue, &connection);
        async move { Ok::<_, Infallible>(answer(request, catalogue, connection).await) }
    });
    // How it ended is in the fetch log; what strangers do wrong is their business.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request_head)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What is known about one connection.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    peer: SocketAddr,
    log: Arc<FetchLog>,
    strangers: Arc<Strangers>,
    leaving: Mutex<Vec<Transfer>>,
}

impl Connection {
    fn new(id: u64, peer: SocketAddr, log: Arc<FetchLog>, strangers: Arc<Strangers>) -> Arc<Self> {
        Arc::new(Self { id, peer, log, strangers, leaving: Mutex::default() })
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn log(&self) -> &Arc<FetchLog> {
        &self.log
    }

    /// The peer knows a capability path, so it keeps its slot.
    pub(super) fn trust(&self) {
        self.strangers.remove(self.id);
    }

    /// Every byte of an answer is in the connection's buffer: it is complete when they have left.
    pub(super) fn handed_over(&self, transfer: Transfer) {
        self.leaving().push(transfer);
    }

    /// All that was in the buffer has left. What has not by the end of the connection is dropped, and so logged as cut.
    pub(super) fn flushed(&self) {
        self.leaving().drain(..).for_each(Transfer::complete);
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Transfer>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.strangers.remove(self.id);
    }
}

/// Connections that have not yet named anything we serve, oldest first.
#[derive(Debug, Default)]
struct Strangers {
    waiting: Mutex<VecDeque<(u64, AbortHandle)>>,
}

impl Strangers {
    fn remove(&self, id: u64) {
        self.waiting().retain(|(waiting, _)| *waiting != id);
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(u64, AbortHandle)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
