//! What makes a file the same file, and how it can stop being that.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

/// What the file system says about a file's place and content; stored in the journal and compared when an import goes on.
///
/// Equal identities mean equal content as far as the file system can tell. Different ones do not prove the contrary
/// (the device number changes across reboots and remounts): compare [`ContentDigest`](super::ContentDigest)s then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The file system's device number.
    pub device: u64,
    /// The file's number within the file system.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last modification, whole seconds since the Unix epoch.
    pub modified_s: i64,
    /// Last modification, nanoseconds within the second.
    pub modified_ns: i64,
}

impl Identity {
    /// What differs in `now`; none when it is the same file with the same content.
    pub fn change_to(&self, now: &Identity) -> Option<Change> {
        if (self.device, self.inode) != (now.device, now.inode) {
            Some(Change::Replaced)
        } else if now.size > self.size {
            Some(Change::Appended { bytes: now.size - self.size })
        } else if now.size < self.size {
            Some(Change::Truncated { bytes: self.size - now.size })
        } else if (self.modified_s, self.modified_ns) != (now.modified_s, now.modified_ns) {
            Some(Change::Touched)
        } else {
            None
        }
    }

    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }
}

/// How a file differs from what was opened. Reads as the end of a sentence that begins with the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is longer.
    Appended {
        /// By how many bytes.
        bytes: u64,
    },
    /// Another file took its path.
    Replaced,
    /// Same length, but written or touched since: the content may differ.
    Touched,
    /// It is shorter.
    Truncated {
        /// By how many bytes.
        bytes: u64,
    },
    /// Nothing can be seen at its path any more.
    Vanished,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appended { bytes } => write!(f, "grew by {bytes} bytes"),
            Self::Replaced => f.write_str("was replaced by another file"),
            Self::Touched => f.write_str("was written again"),
            Self::Truncated { bytes } => write!(f, "lost {bytes} bytes at its end"),
            Self::Vanished => f.write_str("is gone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Identity = Identity { device: 1, inode: 2, size: 30, modified_s: 4, modified_ns: 5 };

    #[test]
    fn each_difference_has_its_name() {
        let cases = [
            (THEN, None),
            (Identity { device: 9, ..THEN }, Some(Change::Replaced)),
            (Identity { inode: 9, size: 1, ..THEN }, Some(Change::Replaced)),
            (Identity { size: 31, ..THEN }, Some(Change::Appended { bytes: 1 })),
            (Identity { size: 0, ..THEN }, Some(Change::Truncated { bytes: 30 })),
            (Identity { modified_ns: 6, ..THEN }, Some(Change::Touched)),
            (Identity { modified_s: 3, ..THEN }, Some(Change::Touched)),
        ];
        for (now, change) in cases {
            assert_eq!(THEN.change_to(&now), change, "{now:?}");
        }
    }

    #[test]
    fn an_identity_survives_the_journal() {
        let odd = Identity { inode: u64::MAX, modified_s: i64::MIN, ..THEN };
        let text = serde_json::to_string(&odd).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), odd);
    }
}
