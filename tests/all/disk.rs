//! The journal on a disk that fails, fills up or loses power.
//!
//! After each fault and each crash the journal opens and is as before or as after what was asked of it, and what was
//! answered with success is there.

/// A crash in the middle of what a journal is asked for.
mod crashes;
/// Files that are cut short, changed, swapped or somebody else's.
mod damage;
/// A fault in the middle of what a journal is asked for.
mod faults;
/// The disk itself.
mod itself;
/// What a journal is asked for.
mod requests;
/// A real full disk.
mod space;
