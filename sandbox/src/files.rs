//! The files of a server that has no network.

use bytes::Bytes;

/// Where a job reads its inputs when there is no socket. Any closure of this form will do.
pub trait Files: Send + Sync {
    /// The content of the file at this URL. `None`: its host is unreachable.
    fn read(&self, url: &str) -> Option<Bytes>;
}

impl<F: Fn(&str) -> Option<Bytes> + Send + Sync> Files for F {
    fn read(&self, url: &str) -> Option<Bytes> {
        self(url)
    }
}
