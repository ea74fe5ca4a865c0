//! Truth table.
