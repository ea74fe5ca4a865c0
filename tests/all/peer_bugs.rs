//! Peer bugs.
