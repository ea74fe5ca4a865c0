//! The files of a server that has no network.

use bytes::Bytes;

/// Where a job reads its inputs when there is no socket. Any closure of this form will do.
pub trait Files: Send + Sync {
    /// The content of the file at this URL. `None`: its host is unreachable, or its store has no such object.
    fn read(&self, url: &str) -> Option<Bytes>;

    /// The URLs of the files that begin with this, in any order. Servers that are given a store and a prefix ask it.
    fn list(&self, _prefix: &str) -> Vec<String> {
        Vec::new()
    }
}

impl<F: Fn(&str) -> Option<Bytes> + Send + Sync> Files for F {
    fn read(&self, url: &str) -> Option<Bytes> {
        self(url)
    }
}
