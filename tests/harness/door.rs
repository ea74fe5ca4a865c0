//! An address that stays, while what is behind it changes: a practice server, nobody, or a net that swallows.

use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::harness::tls;

/// What is behind a door.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Behind {
    /// Connections are taken, and not a word is said, not even of TLS.
    Nobody,
    /// Everything is read, and nothing answered.
    Swallow,
    /// The server at this port; its answers are kept back.
    Holds(u16),
    /// The server at this port.
    Server(u16),
}

/// A door on a free port of the loopback address.
pub(crate) struct Door {
    scheme: &'static str,
    port: u16,
    behind: watch::Sender<Behind>,
    came: Arc<Mutex<Came>>,
    task: JoinHandle<()>,
}

/// What came to a door.
#[derive(Default)]
struct Came {
    connections: usize,
    swallowed: Vec<u8>,
}

impl Door {
    pub(crate) async fn open(behind: Behind) -> Self {
        Self::open_with("http", None, behind).await
    }

    /// A door behind which TLS is spoken.
    pub(crate) async fn open_tls(key: &CertifiedKey<KeyPair>, behind: Behind) -> Self {
        Self::open_with("https", Some(tls::acceptor(key)), behind).await
    }

    async fn open_with(scheme: &'static str, tls: Option<TlsAcceptor>, behind: Behind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (behind, came) = (watch::Sender::new(behind), Arc::default());
        let task = tokio::spawn(accept(listener, tls, behind.clone(), Arc::clone(&came)));
        Self { scheme, port, behind, came, task }
    }

    /// The FHIR base URL of a practice server behind the door.
    pub(crate) fn base_url(&self) -> String {
        format!("{}://127.0.0.1:{}/fhir", self.scheme, self.port)
    }

    pub(crate) fn put_behind(&self, behind: Behind) {
        self.behind.send_replace(behind);
    }

    pub(crate) fn connections(&self) -> usize {
        self.came.lock().unwrap().connections
    }

    /// What was swallowed.
    pub(crate) fn swallowed(&self) -> String {
        String::from_utf8_lossy(&self.came.lock().unwrap().swallowed).into_owned()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    behind: watch::Sender<Behind>,
    came: Arc<Mutex<Came>>,
) {
    let mut guests = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        came.lock().unwrap().connections += 1;
        guests.spawn(receive(stream, tls.clone(), behind.subscribe(), Arc::clone(&came)));
    }
}

/// Who comes while nobody is there stays with nobody: a later server knows nothing of it.
async fn receive(stream: TcpStream, tls: Option<TlsAcceptor>, behind: watch::Receiver<Behind>, came: Arc<Mutex<Came>>) {
    let now = *behind.borrow();
    let port = match now {
        Behind::Nobody => return std::future::pending().await,
        Behind::Swallow => return swallow(stream, &came).await,
        Behind::Holds(port) | Behind::Server(port) => port,
    };
    match tls {
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                pass(stream, port, behind).await;
            }
        }
        None => pass(stream, port, behind).await,
    }
}

async fn swallow(mut stream: TcpStream, came: &Mutex<Came>) {
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut part).await {
        came.lock().unwrap().swallowed.extend_from_slice(&part[..read]);
    }
}

/// Bytes in both directions until one side ends; answers wait as long as they are kept back.
async fn pass(guest: impl AsyncRead + AsyncWrite, port: u16, mut behind: watch::Receiver<Behind>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut guest_reads, mut guest_writes) = tokio::io::split(guest);
    let (mut server_reads, mut server_writes) = server.into_split();
    let there = async { tokio::io::copy(&mut guest_reads, &mut server_writes).await.map(|_| ()) };
    let back = async {
        let mut part = [0; 4096];
        loop {
            let read = server_reads.read(&mut part).await?;
            let free = behind.wait_for(|behind| !matches!(behind, Behind::Holds(_))).await.is_ok();
            if read == 0 || !free {
                return guest_writes.shutdown().await;
            }
            guest_writes.write_all(&part[..read]).await?;
        }
    };
    // How a connection ends is for its two sides to notice.
    let _ended = tokio::select! { ended = there => ended, ended = back => ended };
}
