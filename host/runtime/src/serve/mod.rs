//! Serves local files to the FHIR server.
//!
//! The list of files is frozen before the first byte is answered: a request is looked up among capability paths (128
//! random bits each), and no path on disk is ever built from it. What is sent is read from the descriptor that was
//! checked; when the file changes meanwhile, the answer is cut and marked, never finished with other content.
//!
//! Plain HTTP/1.1; TLS is a proxy's matter. [`reachability_hint`] says why a server may not come and fetch.
//!
//! Order of use: [`FileServer::start`]; or, when the URLs are needed before the documents are known, [`Listening::bind`]
//! and then [`Listening::serve`]. Both need a tokio runtime.

mod answer;
mod body;
mod conditions;
mod connections;
mod coverage;
mod error;
mod log;
mod path;
mod range;
mod reach;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use url::{Host, Url};

use crate::files::OpenInput;

pub use self::error::{AdvertiseProblem, ServeError};
pub use self::log::{Delivery, FetchState, Fetches, Item, Served};
pub use self::path::{CapabilityPath, PathError};
pub use self::range::ByteRange;
pub use self::reach::reachability_hint;

use self::answer::{Catalogue, Content, Entry};
use self::connections::{LIMITS, Limits};
use self::log::FetchLog;

/// How many connections may wait to be accepted; a FHIR server that reads files in parallel opens dozens.
const BACKLOG: u32 = 256;

/// What to serve, and where.
#[derive(Debug)]
pub struct ServeConfig {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// How the FHIR server reaches us, see [`Listening::bind`].
    pub advertise: Option<Url>,
    /// The input files.
    pub files: Vec<ServedFile>,
    /// The documents that the plan asks to publish.
    pub documents: Vec<ServedDocument>,
}

/// A file to serve as `application/fhir+ndjson`.
#[derive(Clone, Debug)]
pub struct ServedFile {
    /// Where it is served. The same path after a restart keeps the URLs that the FHIR server was given.
    pub path: CapabilityPath,
    /// What is served.
    pub input: Arc<OpenInput>,
}

/// A small text to serve, such as a manifest.
#[derive(Clone)]
pub struct ServedDocument {
    /// Where it is served.
    pub path: CapabilityPath,
    /// Its `Content-Type`.
    pub media_type: http::HeaderValue,
    /// Its text.
    pub content: Bytes,
}

/// Without the content, which holds the capability paths of the files.
impl std::fmt::Debug for ServedDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServedDocument").field("path", &self.path).field("bytes", &self.content.len()).finish()
    }
}

/// A bound port that does not answer yet: requests wait until [`Listening::serve`].
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    local: SocketAddr,
    advertise: Url,
}

impl Listening {
    /// Binds the port. A port that a killed process has just left can be bound at once (`SO_REUSEADDR`).
    ///
    /// `advertise` is the URL of our root as the FHIR server sees it. Its path, if any, may be stripped by a forwarder
    /// or not. Port 0 in it stands for the port that was bound; without any it is `http://` and the bound address.
    ///
    /// # Errors
    /// When the address cannot be bound, or `advertise` cannot be the root of our URLs.
    pub fn bind(bind: SocketAddr, advertise: Option<Url>) -> Result<Self, ServeError> {
        let failed = |error| ServeError::Bind { address: bind, error };
        let listener = listen(bind).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let advertise = advertised(advertise, local)?;
        Ok(Self { listener, local, advertise })
    }

    /// The address and port that are listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The URL that stands for our root at the FHIR server.
    pub fn advertise(&self) -> &Url {
        &self.advertise
    }

    /// The URL under which the FHIR server finds a path.
    pub fn url_of(&self, path: &CapabilityPath) -> Url {
        path.below(&self.advertise)
    }

    /// The URL of the folder that [`CapabilityPath::new`] puts `random`'s names into, without a trailing slash.
    pub fn folder_url(&self, random: [u8; 16]) -> Url {
        path::folder_below(&self.advertise, random)
    }

    /// Begins to answer. From now on the list of what is served is frozen.
    ///
    /// # Errors
    /// When two things are to be served at the same path.
    pub fn serve(self, files: Vec<ServedFile>, documents: Vec<ServedDocument>) -> Result<FileServer, ServeError> {
        self.serve_within(LIMITS, files, documents)
    }

    fn serve_within(
        self,
        limits: Limits,
        files: Vec<ServedFile>,
        documents: Vec<ServedDocument>,
    ) -> Result<FileServer, ServeError> {
        let file_paths = files.iter().map(|file| file.path.clone()).collect();
        let document_paths = documents.iter().map(|document| document.path.clone()).collect();
        let log = Arc::new(FetchLog::new(&files, &documents));
        let catalogue = Arc::new(catalogue(&self.advertise, files, documents)?);
        let accepting = tokio::spawn(connections::accept(self.listener, catalogue, Arc::clone(&log), limits));
        Ok(FileServer { local: self.local, advertise: self.advertise, file_paths, document_paths, log, accepting })
    }
}

/// A running file server. Stops when it is dropped.
#[derive(Debug)]
pub struct FileServer {
    local: SocketAddr,
    advertise: Url,
    file_paths: Vec<CapabilityPath>,
    document_paths: Vec<CapabilityPath>,
    log: Arc<FetchLog>,
    accepting: JoinHandle<()>,
}

impl FileServer {
    /// Binds and serves.
    ///
    /// # Errors
    /// As [`Listening::bind`] and [`Listening::serve`].
    pub fn start(config: ServeConfig) -> Result<Self, ServeError> {
        Listening::bind(config.bind, config.advertise)?.serve(config.files, config.documents)
    }

    /// The address and port that are listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The URL that stands for our root at the FHIR server.
    pub fn advertise(&self) -> &Url {
        &self.advertise
    }

    /// The URL of a file, by its place in `files`; none beyond its end.
    pub fn url_of(&self, file: usize) -> Option<Url> {
        Some(self.file_paths.get(file)?.below(&self.advertise))
    }

    /// The URL of a document, by its place in `documents`; none beyond its end.
    pub fn document_url(&self, document: usize) -> Option<Url> {
        Some(self.document_paths.get(document)?.below(&self.advertise))
    }

    /// What was fetched of each file since the start, in the order of `files`.
    pub fn fetches(&self) -> Vec<Fetches> {
        self.log.files()
    }

    /// What was fetched of each document since the start, in the order of `documents`.
    pub fn document_fetches(&self) -> Vec<Fetches> {
        self.log.documents()
    }

    /// Every answer from now on, when it ends. A receiver that is too slow misses some; [`FileServer::fetches`] does not.
    pub fn events(&self) -> broadcast::Receiver<Served> {
        self.log.subscribe()
    }

    /// Stops at once and frees the port; answers that are under way are cut.
    pub async fn stop(mut self) {
        self.accepting.abort();
        // The task was told to end; that it was cancelled is no news.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn advertised(advertise: Option<Url>, local: SocketAddr) -> Result<Url, ServeError> {
    let Some(mut url) = advertise else {
        return Ok(Url::parse(&format!("http://{local}/")).expect("a socket address is a valid authority"));
    };
    let problem = if !matches!(url.scheme(), "http" | "https") {
        Some(AdvertiseProblem::Scheme)
    } else if !url.username().is_empty() || url.password().is_some() {
        Some(AdvertiseProblem::Credentials)
    } else if url.query().is_some() || url.fragment().is_some() {
        Some(AdvertiseProblem::Query)
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err(ServeError::Advertise { host: url.host().map(|host: Host<&str>| host.to_string()), problem });
    }
    if url.port() == Some(0) {
        url.set_port(Some(local.port())).expect("an http URL has a host, so it takes a port");
    }
    Ok(url)
}

fn catalogue(advertise: &Url, files: Vec<ServedFile>, documents: Vec<ServedDocument>) -> Result<Catalogue, ServeError> {
    let files = files
        .into_iter()
        .enumerate()
        .map(|(index, file)| (file.path, Entry::new(Item::File(index), answer::ndjson(), Content::File(file.input))));
    let documents = documents.into_iter().enumerate().map(|(index, document)| {
        (document.path, Entry::new(Item::Document(index), document.media_type, Content::Document(document.content)))
    });
    let mut entries = HashMap::new();
    for (path, entry) in files.chain(documents) {
        let entry = Arc::new(entry);
        let forwarded = path.below(advertise).path().to_owned();
        // The two differ when `advertise` has a path.
        let taken = [path.as_str().to_owned(), forwarded].map(|key| entries.insert(key, Arc::clone(&entry)));
        if taken.into_iter().flatten().any(|other| !Arc::ptr_eq(&other, &entry)) {
            return Err(ServeError::SamePath { path });
        }
    }
    Ok(Catalogue::new(entries))
}
