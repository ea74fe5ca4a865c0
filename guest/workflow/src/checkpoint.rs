//! Where an import stands, as text: what a state needs and nothing else. No credential, no resource content.

use serde::Serialize;

use crate::error::Error;
use crate::json;
use crate::json::read::{read_object, read_whole};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::state::State;

/// The form of checkpoint that this version writes.
pub const VERSION: u32 = 1;

/// The longest checkpoint, in bytes: engines store every one of them.
pub const MAX_BYTES: usize = 16 << 10;

/// Where an import stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Checkpoint {
    version: u32,
    /// The id of the plan it belongs to.
    import: String,
    /// What is known so far.
    pub progress: Progress,
    /// Where it stands.
    pub state: State,
}

impl Checkpoint {
    /// A checkpoint of a plan.
    #[must_use]
    pub fn new(plan: &Plan, progress: Progress, state: State) -> Self {
        Self { version: VERSION, import: plan.id.clone(), progress, state }
    }

    /// Reads a checkpoint back.
    ///
    /// # Errors
    /// [`Error::InvalidCheckpoint`] when it is not a checkpoint, of a newer form, or of another plan.
    pub fn decode(text: &str, plan: &Plan) -> Result<Self, Error> {
        let refuse = |why: String| Error::InvalidCheckpoint(why);
        if text.len() > MAX_BYTES {
            return Err(refuse(format!("{} bytes, more than the {MAX_BYTES} that any checkpoint has", text.len())));
        }
        let value = json::parse(text.as_bytes()).map_err(|e| refuse(format!("not a checkpoint: {e}")))?;
        let form = value["version"].as_u64();
        if let Some(form) = form.filter(|form| *form != u64::from(VERSION)) {
            return Err(refuse(format!(
                "it has form {form}, this component reads form {VERSION}: use the component that made it"
            )));
        }
        let checkpoint: Self = read_whole(&value).map_err(|e| refuse(format!("damaged: {e}")))?;
        if checkpoint.import != plan.id {
            return Err(refuse("it belongs to another import".to_owned()));
        }
        Ok(checkpoint)
    }

    /// The checkpoint as text, at most [`MAX_BYTES`] long: what is least needed goes first, here too, so that a call
    /// answers the same before and after the text was stored.
    pub fn encode(&mut self) -> String {
        let sacrifices: [fn(&mut Progress); 5] = [
            |p| p.detection.evidence.truncate(2),
            |p| p.tally.fold_errors(5),
            |p| p.tally.by_type.clear(),
            |p| p.read_back.totals.clear(),
            |p| p.tally.fold_errors(0),
        ];
        let mut text = self.text();
        for sacrifice in sacrifices {
            if text.len() <= MAX_BYTES {
                break;
            }
            sacrifice(&mut self.progress);
            text = self.text();
        }
        text
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("a checkpoint has only strings as map keys")
    }
}

read_object!(Checkpoint { version, import, progress, state });
