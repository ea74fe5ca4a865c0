//! What becomes of an answer on its way: marks that the routes set and the carrier of the answer obeys.

/// The connection is closed instead of sending the answer.
#[derive(Clone, Copy)]
pub(crate) struct HangUp;

/// The connection breaks after the body, which is less than what was announced.
#[derive(Clone, Copy)]
pub(crate) struct CutShort;

/// The answer is this many milliseconds late. Where the server waits itself it has done so.
#[derive(Clone, Copy)]
pub(crate) struct Late(pub(crate) u64);
