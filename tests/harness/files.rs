//! Files served to a FHIR server by the project's own file server.

use std::path::Path;
use std::sync::{Arc, Mutex};

use fhir_import::files::OpenInput;
use fhir_import::serve::{CapabilityPath, FileServer, ServeConfig, ServedFile};
use tempfile::TempDir;

/// One server for each file: simple, and every one has its own port.
pub(crate) struct FileHost {
    folder: TempDir,
    servers: Mutex<Vec<FileServer>>,
}

impl FileHost {
    pub(crate) fn start() -> Self {
        Self { folder: TempDir::new().unwrap(), servers: Mutex::new(Vec::new()) }
    }

    /// Serves a text and answers its URL.
    pub(crate) fn add(&self, kind: &str, text: &str) -> String {
        let mut servers = self.servers.lock().unwrap();
        let path = self.folder.path().join(format!("{}-{kind}.ndjson", servers.len()));
        std::fs::write(&path, text).unwrap();
        servers.push(serve(&path, kind));
        let server = servers.last().unwrap();
        server.url_of(0).unwrap().to_string()
    }
}

fn serve(path: &Path, kind: &str) -> FileServer {
    let input = Arc::new(OpenInput::open(path).unwrap());
    let path = CapabilityPath::new([7; 16], &format!("{kind}.ndjson")).unwrap();
    let files = vec![ServedFile { path, input }];
    let bind = "127.0.0.1:0".parse().unwrap();
    FileServer::start(ServeConfig { bind, advertise: None, files, documents: Vec::new() }).unwrap()
}
