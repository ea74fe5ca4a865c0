//! Bulk data that is sent instead of fetched. The guest never sees it: it sends `{{input:INDEX:OFFSET:MAX}}`, and the
//! host puts in the lines of that input from OFFSET on, as many as fit into MAX bytes.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderName;

use crate::files::{CHUNK_BYTES, Change, OpenInput};
use crate::net::Origin;

/// What the answer to an upload says of it: `bytes START-END/TOTAL`, END not included.
pub(crate) const UPLOADED: HeaderName = HeaderName::from_static("fhir-import-uploaded");

/// The longest piece that can be asked for, in bytes: it is held in memory.
const MAX_PIECE: u64 = 8 << 20;
/// The longest line that is sent although it is longer than a piece, in bytes: longer ones are no input.
const MAX_LINE: usize = 16 << 20;

const OPEN: &str = "{{input:";
const CLOSE: &str = "}}";

/// The local inputs that may be sent, and where to. By default none.
#[derive(Clone, Debug, Default)]
pub struct Uploads(Option<Arc<Sendable>>);

#[derive(Debug)]
struct Sendable {
    server: Origin,
    inputs: Vec<Option<Arc<OpenInput>>>,
}

impl Uploads {
    /// The inputs of a request, in its order, without those that are not files of this machine. They are sent to
    /// `server` and to nobody else.
    #[must_use]
    pub fn new(server: Origin, inputs: Vec<Option<Arc<OpenInput>>>) -> Self {
        Self(Some(Arc::new(Sendable { server, inputs })))
    }

    /// The piece that a body asks for; none when the body is an ordinary one.
    pub(crate) async fn asked(&self, body: &[u8], to: &Origin) -> Result<Option<Piece>, UploadError> {
        let Some(marker) = Marker::read(body) else { return Ok(None) };
        let marker = marker?;
        let input = Arc::clone(self.input(marker.index, to)?);
        let read = tokio::task::spawn_blocking(move || marker.piece(&input));
        read.await.unwrap_or_else(|died| Err(UploadError::Unreadable(died.into()))).map(Some)
    }

    fn input(&self, index: usize, to: &Origin) -> Result<&Arc<OpenInput>, UploadError> {
        let sendable = self.0.as_ref().ok_or(UploadError::Unknown(index))?;
        if sendable.server != *to {
            return Err(UploadError::OtherOrigin);
        }
        sendable.inputs.get(index).and_then(Option::as_ref).ok_or(UploadError::Unknown(index))
    }
}

/// Whole lines of an input.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    start: u64,
    total: u64,
}

impl Piece {
    /// The value of [`UPLOADED`].
    pub(crate) fn range(&self) -> String {
        format!("bytes {}-{}/{}", self.start, self.start + self.bytes.len() as u64, self.total)
    }
}

/// What the guest asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marker {
    index: usize,
    offset: u64,
    max: u64,
}

impl Marker {
    /// None when the body is something else.
    fn read(body: &[u8]) -> Option<Result<Self, UploadError>> {
        let text = std::str::from_utf8(body).ok()?;
        let numbers = text.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
        let mut numbers = numbers.split(':').map(decimal);
        let read = (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten(), numbers.next());
        Some(match read {
            (Some(index), Some(offset), Some(max), None) if (1..=MAX_PIECE).contains(&max) => {
                usize::try_from(index).map(|index| Self { index, offset, max }).map_err(|_| UploadError::Marker)
            }
            _ => Err(UploadError::Marker),
        })
    }

    /// Reads the piece; that the file is what was checked is looked at afterwards, so that it was while it was read.
    fn piece(self, input: &OpenInput) -> Result<Piece, UploadError> {
        let read = self.lines(input);
        if let Some(change) = input.changed() {
            return Err(UploadError::Changed { path: input.path().display().to_string(), change });
        }
        Ok(Piece { bytes: read?.into(), start: self.offset, total: input.size() })
    }

    fn lines(self, input: &OpenInput) -> Result<Vec<u8>, UploadError> {
        let left = input.size().checked_sub(self.offset).filter(|left| *left > 0).ok_or(UploadError::Offset)?;
        if self.offset > 0 && read(input, self.offset - 1, 1)? != b"\n" {
            return Err(UploadError::Offset);
        }
        let mut bytes = read(input, self.offset, self.max.min(left))?;
        if bytes.len() as u64 == left {
            return Ok(bytes);
        }
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => bytes.truncate(end + 1),
            None => finish_line(input, self.offset, &mut bytes)?,
        }
        Ok(bytes)
    }
}

/// Reads on to the end of a line that is longer than was asked for.
fn finish_line(input: &OpenInput, offset: u64, bytes: &mut Vec<u8>) -> Result<(), UploadError> {
    loop {
        let more = read(input, offset + bytes.len() as u64, CHUNK_BYTES as u64)?;
        let end = more.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        bytes.extend_from_slice(&more[..end.unwrap_or(more.len())]);
        if bytes.len() > MAX_LINE {
            return Err(UploadError::LongLine);
        }
        if end.is_some() || more.is_empty() {
            return Ok(());
        }
    }
}

/// At most `length` bytes, which is at most [`MAX_PIECE`].
fn read(input: &OpenInput, offset: u64, length: u64) -> Result<Vec<u8>, UploadError> {
    let mut bytes = vec![0; usize::try_from(length.min(MAX_PIECE)).expect("a piece fits into memory")];
    let filled = input.read_at(&mut bytes, offset).map_err(UploadError::Unreadable)?;
    bytes.truncate(filled);
    Ok(bytes)
}

fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Why nothing was sent.
#[derive(Debug)]
pub(crate) enum UploadError {
    Changed { path: String, change: Change },
    LongLine,
    Marker,
    Offset,
    OtherOrigin,
    Unknown(usize),
    Unreadable(io::Error),
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { path, change } => write!(f, "{path} {change} since it was checked; nothing was sent"),
            Self::LongLine => write!(f, "a line is longer than {MAX_LINE} bytes"),
            Self::Marker => write!(f, "wanted is {OPEN}INDEX:OFFSET:MAX{CLOSE} with at most {MAX_PIECE} bytes"),
            Self::Offset => f.write_str("no line of the file begins there"),
            Self::OtherOrigin => f.write_str("files are sent to the server's own origin and to nobody else"),
            Self::Unknown(index) => write!(f, "input {index} is no file of this machine, or not at hand"),
            Self::Unreadable(error) => write!(f, "the file cannot be read: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn server() -> Origin {
        "https://fhir.example.org".parse().unwrap()
    }

    fn uploads(content: &str) -> (tempfile::TempDir, Uploads) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Patient.ndjson");
        fs::write(&path, content).unwrap();
        let input = Arc::new(OpenInput::open(&path).unwrap());
        (folder, Uploads::new(server(), vec![None, Some(input)]))
    }

    async fn piece(uploads: &Uploads, body: &str) -> Result<(String, String), String> {
        let asked = uploads.asked(body.as_bytes(), &server()).await.map_err(|error| error.to_string())?;
        let piece = asked.expect("the body is a marker");
        Ok((String::from_utf8(piece.bytes.to_vec()).unwrap(), piece.range()))
    }

    #[tokio::test]
    async fn pieces_are_whole_lines_and_give_the_file_together() {
        let content = "one\ntwo\n\na much longer line\nlast";
        let (_folder, uploads) = uploads(content);
        for max in 1..=content.len() as u64 + 1 {
            let (mut at, mut all) = (0, String::new());
            while at < content.len() {
                let (text, range) = piece(&uploads, &format!("{{{{input:1:{at}:{max}}}}}")).await.unwrap();
                assert_eq!(range, format!("bytes {at}-{}/{}", at + text.len(), content.len()));
                assert!(text.len() as u64 <= max || text.lines().count() == 1, "{text:?} for {max}");
                assert!(text.ends_with('\n') || text.ends_with("last"), "{text:?}");
                at += text.len();
                all += &text;
            }
            assert_eq!(all, content, "in pieces of {max}");
        }
    }

    #[tokio::test]
    async fn a_line_longer_than_several_chunks_is_sent_whole() {
        let long = "x".repeat(3 * CHUNK_BYTES);
        let (_folder, uploads) = uploads(&format!("{long}\nnext\n"));
        let (text, _) = piece(&uploads, "{{input:1:0:10}}").await.unwrap();
        assert_eq!(text.len(), long.len() + 1);
    }

    #[tokio::test]
    async fn other_bodies_are_no_markers() {
        for body in ["", "{}", "{{input", "x{{input:1:0:10}}", "{{input:1:0:10}}\n", "{{secret:a}}"] {
            assert!(Uploads::default().asked(body.as_bytes(), &server()).await.unwrap().is_none(), "{body}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_refused_with_the_reason() {
        let (folder, uploads) = uploads("one\ntwo\n");
        for (body, wanted) in [
            ("{{input:0:0:10}}", "no file of this machine"),
            ("{{input:2:0:10}}", "no file of this machine"),
            ("{{input:1:8:10}}", "no line of the file begins there"),
            ("{{input:1:2:10}}", "no line of the file begins there"),
            ("{{input:1:0:8388609}}", "at most 8388608 bytes"),
            ("{{input:1:0:0}}", "wanted is"),
            ("{{input:1:0}}", "wanted is"),
            ("{{input:1:0:1:1}}", "wanted is"),
            ("{{input:+1:0:1}}", "wanted is"),
        ] {
            let error = piece(&uploads, body).await.unwrap_err();
            assert!(error.contains(wanted), "{body}: {error}");
        }
        let elsewhere: Origin = "https://evil.example".parse().unwrap();
        let error = uploads.asked(b"{{input:1:0:10}}", &elsewhere).await.unwrap_err().to_string();
        assert!(error.contains("own origin"), "{error}");
        fs::write(folder.path().join("Patient.ndjson"), "one\ntwo\nthree\n").unwrap();
        let error = piece(&uploads, "{{input:1:0:10}}").await.unwrap_err();
        assert!(error.contains("Patient.ndjson grew by 6 bytes since it was checked"), "{error}");
    }
}
