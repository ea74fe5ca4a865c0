//! Files and folders that only their owner may read: the journal names servers and holds sampled ids.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a folder (and those above it) with mode 0700, durably. One that exists is left as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync_folder)
}

/// Opens a file to be written on at its end, with mode 0600.
pub(crate) fn open_private(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    owner_only(&mut options);
    let file = options.open(path)?;
    tighten(path)?;
    Ok(file)
}

/// Makes a file that these options create have mode 0600.
pub(super) fn owner_only(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// Takes away what others than the owner may do with a file.
#[cfg(unix)]
pub(super) fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    permissions.set_mode(0o600);
    fs::set_permissions(path, permissions)
}

/// Elsewhere the folder's access list decides.
#[cfg(not(unix))]
pub(super) fn tighten(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}

/// Makes the names in a folder durable: a file survives a power cut only when its name does.
#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let here = path.as_os_str().is_empty();
    fs::File::open(if here { Path::new(".") } else { path })?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and the file system logs names itself.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}
