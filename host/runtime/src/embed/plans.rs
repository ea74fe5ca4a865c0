//! Plans by their digest, in a folder that all workers see: an engine's history holds 64 characters instead of a
//! plan, which can be megabytes.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{error, fmt, fs};

use sha2::{Digest, Sha256};

use crate::files::ContentDigest;
use crate::journal::{create_private_folder, open_private, sync_folder};

/// Why a plan cannot be had.
#[derive(Debug)]
pub enum PlanError {
    /// It is not in this folder: a worker looks into another one, or somebody cleaned up.
    Missing {
        /// The plan.
        digest: ContentDigest,
        /// The folder.
        folder: PathBuf,
    },
    /// What is stored is not what was.
    Damaged {
        /// The file.
        file: PathBuf,
    },
    /// The folder cannot be read or written.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { digest, folder } => write!(
                out,
                "the plan {digest} is not in {}: let all workers use one folder, and keep plans until their imports end",
                folder.display()
            ),
            Self::Damaged { file } => {
                write!(out, "{} is not the plan that was stored there: restore it from a copy", file.display())
            }
            Self::Folder { folder, .. } => write!(out, "plans cannot be kept in {}", folder.display()),
        }
    }
}

impl error::Error for PlanError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Folder { error, .. } => Some(error),
            Self::Missing { .. } | Self::Damaged { .. } => None,
        }
    }
}

fn digest_of(plan: &str) -> ContentDigest {
    ContentDigest::new(Sha256::digest(plan).into())
}

fn file_name(digest: &ContentDigest) -> String {
    format!("{digest}.plan")
}

/// How many plans this process has written.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// A folder of plans. Only its owner may read it: plans name servers and sampled ids.
#[derive(Clone, Debug)]
pub struct Plans {
    folder: PathBuf,
}

impl Plans {
    /// Opens a folder, and makes it if it is not there.
    ///
    /// # Errors
    /// [`PlanError::Folder`].
    pub fn in_folder(folder: &Path) -> Result<Self, PlanError> {
        let plans = Self { folder: folder.to_owned() };
        create_private_folder(folder).map_err(|error| plans.unusable(error))?;
        Ok(plans)
    }

    /// Keeps a plan, durably. The same plan may be kept again, by several workers at once.
    ///
    /// # Errors
    /// [`PlanError::Folder`].
    pub fn keep(&self, plan: &str) -> Result<ContentDigest, PlanError> {
        let digest = digest_of(plan);
        self.write(&digest, plan).map_err(|error| self.unusable(error))?;
        Ok(digest)
    }

    fn write(&self, digest: &ContentDigest, plan: &str) -> io::Result<()> {
        let name = file_name(digest);
        // Two that keep the same plan do not write into one file.
        let number = WRITES.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{name}.{}-{number}", std::process::id()));
        let _leftover = fs::remove_file(&unfinished);
        let mut file = open_private(&unfinished)?;
        file.write_all(plan.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, self.folder.join(&name))?;
        sync_folder(&self.folder)
    }

    /// The plan.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn get(&self, digest: &ContentDigest) -> Result<String, PlanError> {
        let missing = || PlanError::Missing { digest: *digest, folder: self.folder.clone() };
        let file = self.folder.join(file_name(digest));
        let bytes = fs::read(&file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(),
            _ => self.unusable(error),
        })?;
        match String::from_utf8(bytes) {
            Ok(plan) if digest_of(&plan) == *digest => Ok(plan),
            _ => Err(PlanError::Damaged { file }),
        }
    }

    fn unusable(&self, error: io::Error) -> PlanError {
        PlanError::Folder { folder: self.folder.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> (tempfile::TempDir, Plans) {
        let folder = tempfile::tempdir().unwrap();
        let plans = Plans::in_folder(&folder.path().join("plans")).unwrap();
        (folder, plans)
    }

    #[test]
    fn a_plan_is_had_again_by_its_digest() {
        let (_folder, plans) = plans();
        let digest = plans.keep("{}\n{}").unwrap();
        assert_eq!((plans.keep("{}\n{}").unwrap(), plans.get(&digest).unwrap().as_str()), (digest, "{}\n{}"));
    }

    #[test]
    fn a_plan_that_is_not_there_is_named_with_its_folder() {
        let (folder, plans) = plans();
        let missing = plans.get(&digest_of("other")).unwrap_err();
        assert!(missing.to_string().contains(&folder.path().display().to_string()), "{missing}");
    }

    #[test]
    fn a_plan_that_was_changed_is_refused() {
        let (_folder, plans) = plans();
        let digest = plans.keep("plan").unwrap();
        std::fs::write(plans.folder.join(file_name(&digest)), "other").unwrap();
        assert!(matches!(plans.get(&digest), Err(PlanError::Damaged { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_a_plan() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, plans) = plans();
        let digest = plans.keep("plan").unwrap();
        let file = std::fs::metadata(plans.folder.join(file_name(&digest))).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}
