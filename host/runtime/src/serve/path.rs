//! Paths that only those know who were told.

use std::{error, fmt};

use serde::{Deserialize, Serialize};
use url::Url;

/// `/<32 hex digits>/<name>`: whoever knows it may read, so 128 random bits stand in it, and it is never shown.
///
/// A capability in a URL is the Bulk Data specification's own way for servers that send no credential with their
/// requests. The caller draws the bits and stores the path, so that a restarted server answers to the same URLs.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CapabilityPath(String);

impl CapabilityPath {
    /// A path of 128 random bits and a name such as `Patient.ndjson`, or several names with `/` between them.
    ///
    /// # Errors
    /// When a name is empty, begins with a dot, or has other characters than ASCII letters, digits, `.`, `-` and `_`:
    /// those need no escaping (RFC 3986 §2.3), so everybody writes the path alike.
    pub fn new(random: [u8; 16], name: &str) -> Result<Self, PathError> {
        if name.split('/').all(is_plain) { Ok(Self(format!("{}/{name}", folder(random)))) } else { Err(PathError) }
    }

    /// The path as it is requested.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn below(&self, root: &Url) -> Url {
        join(root, &self.0)
    }
}

/// Shows the name, not the random bits.
impl fmt::Debug for CapabilityPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.splitn(3, '/').last().unwrap_or_default();
        write!(f, "/…/{name}")
    }
}

impl From<CapabilityPath> for String {
    fn from(path: CapabilityPath) -> Self {
        path.0
    }
}

impl TryFrom<String> for CapabilityPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        let (random, name) = text.strip_prefix('/').and_then(|rest| rest.split_once('/')).ok_or(PathError)?;
        let hex = random.len() == 32 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hex && name.split('/').all(is_plain) { Ok(Self(text)) } else { Err(PathError) }
    }
}

/// The text cannot be a [`CapabilityPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError;

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected 32 hex digits and a name of ASCII letters, digits, '.', '-' and '_' that begins with no dot",
        )
    }
}

impl error::Error for PathError {}

pub(super) fn folder_below(root: &Url, random: [u8; 16]) -> Url {
    join(root, &folder(random))
}

fn folder(random: [u8; 16]) -> String {
    format!("/{:032x}", u128::from_be_bytes(random))
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

fn join(root: &Url, path: &str) -> Url {
    let mut url = root.clone();
    url.set_path(&format!("{}{path}", root.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_the_journal_and_hides_its_bits() {
        let path = CapabilityPath::new([0x0f; 16], "Patient.ndjson").unwrap();
        assert_eq!(path.as_str(), "/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f/Patient.ndjson");
        let text = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<CapabilityPath>(&text).unwrap(), path);
        assert_eq!(format!("{path:?}"), "/…/Patient.ndjson");
    }

    #[test]
    fn names_that_need_escaping_are_refused() {
        for name in ["", "..", ".x", "a/../b", "a//b", "/a", "a b", "a%2fb", "a?b", "ä", "a\\b", "a\0"] {
            assert_eq!(CapabilityPath::new([0; 16], name), Err(PathError), "{name:?}");
            assert!(CapabilityPath::try_from(format!("/{}/{name}", "0".repeat(32))).is_err(), "{name:?}");
        }
        for text in ["", "/", "/a", "/0f/a", &format!("/{}/a", "F".repeat(32)), &"0".repeat(33)] {
            assert!(CapabilityPath::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_path_goes_below_the_path_of_its_root() {
        let path = CapabilityPath::new([0; 16], "a/b.json").unwrap();
        let zeros = "0".repeat(32);
        for root in ["https://h.example", "https://h.example/x", "https://h.example/x/"] {
            let wanted = format!("{}/{zeros}/a/b.json", root.trim_end_matches('/'));
            assert_eq!(path.below(&Url::parse(root).unwrap()).as_str(), wanted);
        }
    }
}
