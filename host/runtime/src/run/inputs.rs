//! The inputs of an import: found, opened, and told apart from those of another one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Progress, RunError, Server};
use crate::files::{ContentDigest, Discovered, InputFile, InputSource, OpenInput, RemoteInput};
use crate::secrets::Secret;

/// An input, opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) place: Place,
    pub(super) declared_type: Option<String>,
}

/// Where an input is.
#[derive(Debug)]
pub(super) enum Place {
    Local(Local),
    Remote(Remote),
}

/// A file on this machine.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) input: Arc<OpenInput>,
    pub(super) path: PathBuf,
    pub(super) digest: ContentDigest,
}

/// What the server finds by itself; its query may be a signature.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) url: String,
    pub(super) etag: Option<String>,
    pub(super) secret: Option<(String, Secret)>,
}

/// The secret queries of remote inputs. They are not stored: whoever goes on with an import before its kick-off gives
/// them again.
#[derive(Clone, Debug, Default)]
pub struct InputSecrets(Vec<(String, Secret)>);

impl InputSecrets {
    pub(super) fn of(opened: &[Opened]) -> Self {
        Self(opened.iter().filter_map(|input| input.remote()?.secret.clone()).collect())
    }

    pub(super) fn named(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Opened {
    pub(super) fn local(&self) -> Option<&Local> {
        match &self.place {
            Place::Local(local) => Some(local),
            Place::Remote(_) => None,
        }
    }

    pub(super) fn remote(&self) -> Option<&Remote> {
        match &self.place {
            Place::Remote(remote) => Some(remote),
            Place::Local(_) => None,
        }
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        match &self.place {
            Place::Local(local) => local.path.display().to_string(),
            Place::Remote(remote) => remote.url.clone(),
        }
    }
}

impl Remote {
    pub(super) fn new(place: usize, input: &RemoteInput) -> Self {
        let secret = input.query().map(|query| (format!("input-{}-query", place + 1), Secret::from(query)));
        Self { url: input.address().to_owned(), etag: input.etag().map(str::to_owned), secret }
    }

    /// The URL with a placeholder for its query.
    pub(super) fn with_placeholder(&self) -> String {
        match &self.secret {
            Some((name, _)) => format!("{}?{{{{secret:{name}}}}}", self.url),
            None => self.url.clone(),
        }
    }
}

/// Opens what was found and takes its digests.
pub(super) fn open(found: Discovered, say: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Vec<Opened>, RunError> {
    found.skipped.iter().for_each(|skipped| say(Progress::Skipped(skipped)));
    found.files.into_iter().enumerate().map(|(place, file)| open_one(place, file)).collect()
}

fn open_one(place: usize, file: InputFile) -> Result<Opened, RunError> {
    let place = match file.source {
        InputSource::Local(path) => Place::Local(open_local(path)?),
        InputSource::Remote(remote) => Place::Remote(Remote::new(place, &remote)),
    };
    Ok(Opened { place, declared_type: file.declared_type })
}

fn open_local(path: PathBuf) -> Result<Local, RunError> {
    let input = OpenInput::open(&path).map_err(RunError::Files)?;
    let digest = digest(&input)?;
    let path = std::path::absolute(&path).unwrap_or(path);
    Ok(Local { input: Arc::new(input), path, digest })
}

/// The digest of a file's content.
pub(super) fn digest(input: &OpenInput) -> Result<ContentDigest, RunError> {
    input.digest().map_err(|error| RunError::Read { path: input.path().to_owned(), error })
}

/// Equal for the same files to the same server: content, not names or times; a URL without its query, since each
/// signing makes another one.
pub(super) fn inputs_digest(server: &Server, opened: &[Opened]) -> String {
    let mut hasher = Sha256::new();
    let mut line = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(b"\n");
    };
    line(&server.base());
    for input in opened {
        line(input.declared_type.as_deref().unwrap_or_default());
        match &input.place {
            Place::Local(local) => line(&local.digest.to_string()),
            Place::Remote(remote) => {
                line(&remote.url);
                remote.etag.iter().for_each(|etag| line(etag));
            }
        }
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}

/// A name that needs no escaping in a URL: the file's own when it is such, else one by its type.
pub(super) fn served_name(path: &Path, resource_type: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let own = path.file_name().and_then(|name| name.to_str());
    let own = own.filter(|name| !name.starts_with('.') && name.bytes().all(plain));
    own.map_or_else(|| format!("{resource_type}.ndjson"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_a_placeholder_and_is_not_shown() {
        let found = crate::files::discover(["https://files.example.org/Patient.ndjson?sig=CANARY"]).unwrap();
        let InputSource::Remote(remote) = &found.files[0].source else { panic!("{found:?}") };
        let remote = Remote::new(0, remote);
        assert_eq!(remote.with_placeholder(), "https://files.example.org/Patient.ndjson?{{secret:input-1-query}}");
        assert!(!format!("{remote:?}").contains("CANARY"));
    }

    #[test]
    fn served_names_need_no_escaping() {
        assert_eq!(served_name(Path::new("/d/Patient.000.ndjson"), "Patient"), "Patient.000.ndjson");
        assert_eq!(served_name(Path::new("/d/mes données.ndjson"), "Patient"), "Patient.ndjson");
        assert_eq!(served_name(Path::new("/d/.hidden"), "Patient"), "Patient.ndjson");
    }
}
