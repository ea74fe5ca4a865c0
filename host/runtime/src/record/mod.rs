//! A transcript of all exchanges of an import, fit to be given away: from it, a test case can be made.
//!
//! [`Recorder`] is a [`Wire`] round another one. What it writes down holds no secret, no host, and nothing of a resource
//! but its type and a substitute for its id; sentences of a server are hidden as in reports. A person should still look
//! at it before giving it away: a rule knows shapes, not meanings.

mod blocks;
mod json;
mod scrub;
mod transcript;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use crate::net::{Carried, Carrying, NetError, Permission, Wire};
use crate::secrets::Secrets;

pub use transcript::{Subject, Transcript};

use blocks::Blocks;

/// Writes down what goes over another wire.
pub struct Recorder {
    wire: Arc<dyn Wire>,
    transcript: Transcript,
    secrets: Secrets,
}

impl Recorder {
    /// `secrets` are those that requests on this wire were filled with.
    #[must_use]
    pub fn new(wire: Arc<dyn Wire>, transcript: Transcript, secrets: Secrets) -> Self {
        Self { wire, transcript, secrets }
    }

    fn blocks(&self) -> Blocks<'_> {
        Blocks { scrub: self.transcript.scrub(), secrets: &self.secrets }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Recorder").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl Wire for Recorder {
    fn carry(&self, request: Request<Bytes>, permission: Permission) -> Carrying<'_> {
        Box::pin(async move {
            self.transcript.begin(&self.blocks().request(&request));
            let open = Open { recorder: self, ended: false };
            let outcome = self.wire.carry(request, permission).await;
            open.end(&outcome);
            outcome
        })
    }
}

/// An exchange whose end is not written down yet. One that is dropped had no answer.
struct Open<'a> {
    recorder: &'a Recorder,
    ended: bool,
}

impl Open<'_> {
    fn end(mut self, outcome: &Result<Carried, NetError>) {
        self.ended = true;
        self.recorder.transcript.write(&self.recorder.blocks().outcome(outcome));
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.recorder.transcript.write("FAILED left before the answer came\n\n");
        }
    }
}
