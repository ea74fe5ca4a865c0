//! How a server is reached: allowed origins, trusted authorities, credentials.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::notes::{HostNotes, InputNote};
use super::{InputSecrets, RunError, Server};
use crate::clock::SharedClock;
use crate::journal::ImportId;
use crate::net::{AllowList, PhaseLimits, Sender, TlsRoots};
use crate::outgoing::Network;
use crate::record::{Recorder, Subject, Transcript};
use crate::secrets::{Credential, Secrets};

/// How the server is reached, beside its URL.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Origins, and patterns such as `https://*.example.org`, that may be reached beside the server's own.
    pub allow: Vec<String>,
    /// A PEM file of authorities that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// Who we are toward the server.
    pub credential: Option<Credential>,
    /// A folder for a transcript of all exchanges, see [`crate::record`].
    pub record: Option<PathBuf>,
}

impl Access {
    /// # Errors
    /// When an origin, a certificate or a credential cannot be used.
    pub(crate) fn network(&self, server: &Server, secrets: &InputSecrets) -> Result<Network, RunError> {
        Ok(Network::new(self.allowed(server)?, self.secrets(server, secrets)?, Arc::new(self.sender()?)))
    }

    /// The network of an import, written down if that is wanted.
    pub(super) fn recorded(&self, network: &mut Network, of: Recorded<'_>) -> Result<Option<Transcript>, RunError> {
        let Some(folder) = &self.record else { return Ok(None) };
        let Recorded { import, began_ms, server, notes, clock } = of;
        let subject = Subject { import, began_ms, server: server.url(), known: spoken_of(notes) };
        let transcript = Transcript::open(folder, &subject, clock)
            .map_err(|error| RunError::Record { folder: folder.clone(), error })?;
        let wire = Arc::clone(&network.wire);
        network.wire = Arc::new(Recorder::new(wire, transcript.clone(), network.secrets.clone()));
        Ok(Some(transcript))
    }

    fn allowed(&self, server: &Server) -> Result<AllowList, RunError> {
        let own = AllowList::new(server.url()).map_err(|error| RunError::Server { error })?;
        self.allow.iter().try_fold(own, |list, typed| {
            list.allow(typed).map_err(|error| RunError::AllowOrigin { typed: typed.clone(), error })
        })
    }

    fn secrets(&self, server: &Server, inputs: &InputSecrets) -> Result<Secrets, RunError> {
        let mut secrets = Secrets::default();
        for (name, value) in inputs.named() {
            secrets.insert(name, value.clone(), [server.origin().clone()]).map_err(RunError::Secret)?;
        }
        if let Some(credential) = &self.credential {
            secrets.authorize(server.origin().clone(), credential).map_err(RunError::Secret)?;
        }
        Ok(secrets)
    }

    fn sender(&self) -> Result<Sender, RunError> {
        let extra_pem = self.ca.as_deref().map(read_ca).transpose()?.unwrap_or_default();
        Sender::new(&TlsRoots { extra_pem }, PhaseLimits::default())
            .map_err(|error| RunError::Authorities { path: self.ca.clone(), error })
    }
}

fn read_ca(path: &Path) -> Result<Vec<u8>, RunError> {
    fs::read(path).map_err(|error| RunError::AuthoritiesFile { path: path.to_owned(), error })
}

/// The import whose exchanges are written down.
pub(super) struct Recorded<'a> {
    pub(super) import: ImportId,
    pub(super) began_ms: u64,
    pub(super) server: &'a Server,
    pub(super) notes: &'a HostNotes,
    pub(super) clock: SharedClock,
}

/// The hosts that requests of an import speak of, as its notes have them.
fn spoken_of(notes: &HostNotes) -> Vec<String> {
    let served = notes.serve.iter().map(|at| at.advertise.to_string());
    let remote = notes.inputs.iter().filter_map(|input| match input {
        InputNote::Remote(url) => Some(url.clone()),
        InputNote::Local(_) => None,
    });
    served.chain(remote).chain(notes.allow.iter().cloned()).collect()
}
