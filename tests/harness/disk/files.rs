//! The files of one disk.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Death;
use super::content::{Change, Content, Random};

/// By name.
#[derive(Debug, Default)]
pub(super) struct Files {
    known: BTreeMap<PathBuf, Known>,
    changes: u64,
}

#[derive(Debug, Default)]
struct Known {
    content: Content,
    handles: usize,
    inode: Option<(u64, u64)>,
}

impl Files {
    /// Looks at a file that is about to be opened or deleted. One that is open is not read: closing a file drops the
    /// locks that this process has on it.
    pub(super) fn look_at(&mut self, path: &Path) {
        if self.known.get(path).is_some_and(|known| known.handles > 0) {
            return;
        }
        self.follow_rename(path);
        let found = fs::read(path).ok();
        let known = self.known.entry(path.to_owned()).or_default();
        if known.content.written() != found.as_deref() {
            known.content = Content::durable(found);
        }
    }

    /// A file that was renamed takes what is known of it along.
    fn follow_rename(&mut self, path: &Path) {
        let Some(inode) = inode(path) else { return };
        let renamed = |(old, known): (&PathBuf, &Known)| {
            let moved = known.inode == Some(inode) && known.content.written().is_some();
            (moved && old != path && !old.exists()).then(|| old.clone())
        };
        if let Some(old) = self.known.iter().find_map(renamed) {
            let known = self.known.remove(&old).expect("it was just found");
            self.known.insert(path.to_owned(), known);
        }
    }

    /// The file was opened; it may have been made.
    pub(super) fn opened(&mut self, path: &Path) {
        let known = self.known.entry(path.to_owned()).or_default();
        known.handles += 1;
        known.inode = inode(path);
        if known.content.written().is_none() {
            self.changed(path, Change::Create);
        }
    }

    pub(super) fn closed(&mut self, path: &Path) {
        if let Some(known) = self.known.get_mut(path) {
            known.handles = known.handles.saturating_sub(1);
        }
    }

    pub(super) fn changed(&mut self, path: &Path, change: Change) {
        self.changes += 1;
        let number = self.changes;
        self.content(path).change(number, change);
    }

    /// As the unix VFS does: the first sync of a log or a rollback journal syncs its folder too.
    pub(super) fn sync(&mut self, path: &Path) {
        let names = self.content(path).has_new_name() && is_log(path);
        self.content(path).sync();
        if names {
            self.sync_names(path.parent());
        }
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_names(&mut self, folder: Option<&Path>) {
        let siblings = self.known.iter_mut().filter(|(path, _)| path.parent() == folder);
        siblings.for_each(|(_, known)| known.content.sync_name());
    }

    pub(super) fn content(&mut self, path: &Path) -> &mut Content {
        &mut self.known.entry(path.to_owned()).or_default().content
    }

    pub(super) fn crash(&mut self, death: Death, random: &mut Random) {
        for path in self.known.keys().cloned().collect::<Vec<_>>() {
            self.settle(&path);
        }
        if death == Death::Killed {
            return;
        }
        let latest = self.known.values().filter_map(|known| known.content.latest()).max().unwrap_or(0);
        for (path, known) in &mut self.known {
            let left = match death {
                Death::TornWrite => known.content.torn(latest, random),
                _ => known.content.synced_only(random),
            };
            if left.as_deref() != known.content.written() {
                put(path, left.as_deref());
            }
            known.content = Content::durable(left);
        }
    }

    /// Checks that the file is what was written to it. One that was deleted without SQLite is gone for good.
    fn settle(&mut self, path: &Path) {
        let known = &self.known[path];
        assert_eq!(known.handles, 0, "{} is open; drop what has it open before the crash", path.display());
        let found = fs::read(path).ok();
        if found.is_none() && known.content.written().is_some() {
            let here = known.inode;
            let siblings = fs::read_dir(path.parent().expect("a file is in a folder")).into_iter().flatten().flatten();
            match siblings.map(|entry| entry.path()).find(|other| here.is_some() && inode(other) == here) {
                Some(renamed) => self.follow_rename(&renamed),
                None => *self.content(path) = Content::default(),
            }
            return;
        }
        assert!(known.content.written() == found.as_deref(), "{} was changed without SQLite", path.display());
    }
}

fn is_log(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    name.ends_with(b"-wal") || name.ends_with(b"-journal")
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Gives a file this content, or removes it.
fn put(path: &Path, content: Option<&[u8]>) {
    let Some(content) = content else { return fs::remove_file(path).unwrap() };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).unwrap().write_all(content).unwrap();
}

/// Shared memory does not outlive the system.
pub(super) fn forget_shared_memory(folder: &Path) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.to_string_lossy().ends_with("-shm") {
            fs::remove_file(path).unwrap();
        }
    }
}
