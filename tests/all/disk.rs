//! The journal on a disk that fails, fills up or loses power.
//!
//! After each fault and each crash the journal opens and is as before or as after what was asked of it, and what was
//! answered with success is there.

/// The disk itself.
mod itself;
