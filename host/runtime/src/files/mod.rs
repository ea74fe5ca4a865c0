//! The operator's input files: which ones there are, and proof that they stay what they were.
//!
//! [`discover`] turns what a person typed into a list of inputs. [`OpenInput`] opens one local file, once: everything
//! that reads it afterwards (the check, the file server, the join of errors to lines) reads the same descriptor, so
//! that a file renamed or linked into its place is never read. [`OpenInput::changed`] tells when the content is no
//! longer what was checked; such an import ends as *input changed*.

mod digest;
mod discover;
mod error;
mod identity;
mod open;
mod remote;
mod resource_type;

pub use digest::ContentDigest;
pub use discover::{Discovered, InputFile, InputSource, SkipReason, Skipped, discover};
pub use error::FilesError;
pub use identity::{Change, Identity};
pub use open::{CHUNK_BYTES, OpenInput};
pub use remote::RemoteInput;
