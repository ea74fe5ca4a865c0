//! One local file, opened once.

use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use super::{Change, ContentDigest, FilesError, Identity};

/// How much is read at a time, in bytes.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// A regular file, opened once; many readers share the descriptor, each with its own position.
///
/// A link put into the file's place afterwards is not followed, and a file put there is not read (CWE-367).
#[derive(Debug)]
pub struct OpenInput {
    path: PathBuf,
    file: File,
    identity: Identity,
}

impl OpenInput {
    /// Opens a file for reading. Links on the way to its folder are followed, the last component must not be one.
    ///
    /// # Errors
    /// When there is nothing, no permission, or something else than a regular file. A pipe does not block, a device is
    /// not opened.
    pub fn open(path: &Path) -> Result<Self, FilesError> {
        let metadata = fs::symlink_metadata(path).map_err(|error| FilesError::from_io(path.into(), error))?;
        expect_regular(path, &metadata)?;
        let file = open_without_links(path).map_err(|error| open_error(path, error))?;
        let metadata = file.metadata().map_err(|error| FilesError::from_io(path.into(), error))?;
        expect_regular(path, &metadata)?;
        Ok(Self { path: path.into(), file, identity: Identity::of(&metadata) })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it was when it was opened.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Its size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.identity.size
    }

    /// What happened to it since it was opened, both to the content and to the path; none when nothing.
    pub fn changed(&self) -> Option<Change> {
        let Ok(open) = self.file.metadata() else { return Some(Change::Vanished) };
        self.identity.change_to(&Identity::of(&open)).or_else(|| match fs::symlink_metadata(&self.path) {
            Ok(there) => self.identity.change_to(&Identity::of(&there)),
            Err(_) => Some(Change::Vanished),
        })
    }

    /// Reads from `offset` until the buffer is full or the file ends, and says how many bytes that are.
    ///
    /// # Errors
    /// When the operating system cannot read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Reads the whole content in chunks of [`CHUNK_BYTES`], in order.
    ///
    /// # Errors
    /// When the operating system cannot read; whatever `consume` returns.
    pub fn read_chunks<E: From<io::Error>>(&self, mut consume: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut offset = 0;
        loop {
            match self.read_at(&mut buffer, offset)? {
                0 => return Ok(()),
                count => {
                    consume(&buffer[..count])?;
                    offset += count as u64;
                }
            }
        }
    }

    /// The digest of the content as it is now.
    ///
    /// # Errors
    /// When the operating system cannot read.
    pub fn digest(&self) -> io::Result<ContentDigest> {
        let mut hasher = Sha256::new();
        self.read_chunks(|chunk| {
            hasher.update(chunk);
            io::Result::Ok(())
        })?;
        Ok(ContentDigest::new(hasher.finalize().into()))
    }
}

/// Refuses what is not a regular file.
pub(super) fn expect_regular(path: &Path, metadata: &Metadata) -> Result<(), FilesError> {
    let kind = metadata.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_symlink() {
        Err(FilesError::SymbolicLink { path: path.into() })
    } else {
        Err(FilesError::NotRegular { path: path.into(), found: describe(kind) })
    }
}

fn describe(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

fn open_error(path: &Path, error: io::Error) -> FilesError {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return FilesError::SymbolicLink { path: path.into() };
    }
    FilesError::from_io(path.into(), error)
}

/// `NONBLOCK`, because a pipe could take the place of the file between the look and the open.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

#[cfg(target_os = "linux")]
fn open_without_links(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, ResolveFlags, openat2};
    use rustix::io::Errno;

    let resolved = resolve_folder(path)?;
    match openat2(CWD, &resolved, FLAGS, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS) {
        Ok(file) => Ok(file.into()),
        // Linux before 5.6, and containers whose seccomp profile does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => open_no_follow(&resolved),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_without_links(path: &Path) -> io::Result<File> {
    open_no_follow(&resolve_folder(path)?)
}

fn open_no_follow(path: &Path) -> io::Result<File> {
    Ok(rustix::fs::open(path, FLAGS | OFlags::NOFOLLOW, Mode::empty())?.into())
}

/// The same path with the links in its folder part resolved: a data folder behind a link is common and harmless.
fn resolve_folder(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else { return fs::canonicalize(path) };
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => Ok(fs::canonicalize(folder)?.join(name)),
        _ => Ok(fs::canonicalize(".")?.join(name)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn patients(folder: &tempfile::TempDir, content: &str) -> PathBuf {
        let path = folder.path().join("Patient.ndjson");
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let not_regular = [(folder.path(), "a folder"), (&fifo, "a named pipe"), (&socket, "a socket")];
        for (path, wanted) in not_regular.into_iter().chain([(Path::new("/dev/zero"), "a device")]) {
            let error = OpenInput::open(path).unwrap_err();
            assert!(matches!(error, FilesError::NotRegular { found, .. } if found == wanted), "{error}");
        }
    }

    #[test]
    fn a_link_is_refused_but_a_linked_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = patients(&folder, "{}\n");
        let link = folder.path().join("link.ndjson");
        symlink(&path, &link).unwrap();
        assert!(matches!(OpenInput::open(&link), Err(FilesError::SymbolicLink { .. })));
        // The race: a link that appears after the look.
        assert!(matches!(open_error(&link, open_without_links(&link).unwrap_err()), FilesError::SymbolicLink { .. }));
        assert!(matches!(open_error(&link, open_no_follow(&link).unwrap_err()), FilesError::SymbolicLink { .. }));

        let elsewhere = tempfile::tempdir().unwrap();
        symlink(folder.path(), elsewhere.path().join("data")).unwrap();
        assert_eq!(OpenInput::open(&elsewhere.path().join("data/Patient.ndjson")).unwrap().size(), 3);
    }

    #[test]
    fn a_pipe_that_appears_after_the_look_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let opened = open_without_links(&fifo).unwrap();
        assert!(expect_regular(&fifo, &opened.metadata().unwrap()).is_err());
    }

    #[test]
    fn errors_name_the_path_and_what_to_do() {
        let missing = OpenInput::open(Path::new("/no/such/Patient.ndjson")).unwrap_err();
        assert_eq!(missing.to_string(), "/no/such/Patient.ndjson does not exist; check the spelling");
    }

    #[test]
    fn every_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = patients(&folder, "{}\n{}\n");
        let writer = || OpenOptions::new().append(true).open(&path).unwrap();

        let input = OpenInput::open(&path).unwrap();
        assert_eq!(input.changed(), None);
        writer().write_all(b"{}\n").unwrap();
        assert_eq!(input.changed(), Some(Change::Appended { bytes: 3 }));

        let input = OpenInput::open(&path).unwrap();
        writer().set_len(1).unwrap();
        assert_eq!(input.changed(), Some(Change::Truncated { bytes: 8 }));

        let input = OpenInput::open(&path).unwrap();
        writer().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(input.changed(), Some(Change::Touched));

        let input = OpenInput::open(&path).unwrap();
        fs::rename(&path, folder.path().join("old")).unwrap();
        assert_eq!(input.changed(), Some(Change::Vanished));
        symlink(folder.path().join("old"), &path).unwrap();
        assert_eq!(input.changed(), Some(Change::Replaced));
    }

    #[test]
    fn the_first_content_is_read_after_a_replacement() {
        let folder = tempfile::tempdir().unwrap();
        let path = patients(&folder, "first\n");
        let input = OpenInput::open(&path).unwrap();
        fs::rename(&path, folder.path().join("old")).unwrap();
        fs::write(&path, "other\n").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(input.read_at(&mut buffer, 0).unwrap(), 6);
        assert_eq!(&buffer[..6], b"first\n");
    }

    #[test]
    fn the_digest_is_that_of_the_whole_content() {
        let folder = tempfile::tempdir().unwrap();
        let content = "0123456789abcdef".repeat(CHUNK_BYTES / 16 * 2) + "end";
        let input = OpenInput::open(&patients(&folder, &content)).unwrap();
        assert_eq!(input.digest().unwrap().as_bytes(), <[u8; 32]>::from(Sha256::digest(&content)).as_slice());
        assert_eq!(
            OpenInput::open(&patients(&folder, "")).unwrap().digest().unwrap().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
