//! Who asks for the same again.
