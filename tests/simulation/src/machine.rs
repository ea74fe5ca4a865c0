//! The person's own machine, where a server is sent files instead of fetching them.

use std::io;
use std::sync::Arc;

use fhir_import::Uploads;
use fhir_import::files::OpenInput;
use fhir_import::net::Origin;
use tempfile::TempDir;

/// Files on the disk of the machine, open to be sent.
pub struct Machine {
    /// What may be sent, and where to.
    pub uploads: Uploads,
    /// Where they are as long as they may be sent.
    _folder: TempDir,
}

impl Machine {
    /// A machine with these files, which may be sent to a server.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(server: Origin, files: &[(&str, String)]) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let open = |(kind, text): &(&str, String)| {
            let path = folder.path().join(kind);
            std::fs::write(&path, text)?;
            OpenInput::open(&path).map(|input| Some(Arc::new(input))).map_err(io::Error::other)
        };
        let inputs = files.iter().map(open).collect::<io::Result<_>>()?;
        Ok(Self { uploads: Uploads::new(server, inputs), _folder: folder })
    }
}
