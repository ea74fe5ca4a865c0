//! The digest that every record carries.
//!
//! A digest covers the kind of record, the import, the generation and every value, each with its length, so that a
//! record neither changes nor takes another's place unseen. A second store uses the same functions.

use sha2::{Digest, Sha256};

use super::ImportId;
use super::types::{Head, Intent, StoredTransition};

/// A SHA-256 digest (FIPS 180-4) over a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal([u8; 32]);

impl Seal {
    /// The 32 bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of a plan; also its address.
    #[must_use]
    pub fn of_plan(plan: &str) -> Self {
        Sealer::new("plan").text(plan).seal()
    }

    /// Of what never changes in an import.
    #[must_use]
    pub fn of_import(import: &ImportRecord<'_>) -> Self {
        Sealer::new("import")
            .id(import.id)
            .optional(import.key.map(str::as_bytes))
            .text(import.inputs_digest)
            .text(import.server)
            .number(import.created_ms)
            .field(import.plan)
            .seal()
    }

    /// Of what the host needs to go on.
    #[must_use]
    pub fn of_host(import: ImportId, host: &str) -> Self {
        Sealer::new("host").id(import).text(host).seal()
    }

    /// Of where an import stands.
    #[must_use]
    pub fn of_head(import: ImportId, head: &Head) -> Self {
        Sealer::new("head").id(import).number(head.generation).number(head.epoch).number(head.intents).seal()
    }

    /// Of a transition with its events, and the lease under which it was written.
    #[must_use]
    pub fn of_transition(import: ImportId, generation: u64, epoch: u64, transition: &StoredTransition) -> Self {
        let sealer = Sealer::new("transition")
            .id(import)
            .number(generation)
            .number(epoch)
            .number(transition.at_ms)
            .text(&transition.checkpoint)
            .text(transition.next_kind.word())
            .text(&transition.next)
            .optional(transition.outcome.as_ref().map(std::slice::from_ref))
            .number(transition.events.len() as u64);
        let events = transition.events.iter();
        events.fold(sealer, |sealer, event| sealer.number(event.at_ms).text(&event.kind).text(&event.text)).seal()
    }

    /// Of an intent.
    #[must_use]
    pub fn of_intent(import: ImportId, intent: &Intent) -> Self {
        Sealer::new("intent").id(import).number(intent.generation).number(intent.at_ms).number(intent.epoch).seal()
    }

    /// Of how many imports a journal holds: a record that vanished has no digest to fail.
    #[must_use]
    pub fn of_count(imports: u64) -> Self {
        Sealer::new("count").number(imports).seal()
    }
}

/// What never changes in an import.
#[derive(Clone, Copy)]
pub struct ImportRecord<'a> {
    /// Its name.
    pub id: ImportId,
    /// The caller's name for the request.
    pub key: Option<&'a str>,
    /// Equal for imports of the same files to the same server.
    pub inputs_digest: &'a str,
    /// The server's base URL, redacted.
    pub server: &'a str,
    /// When it was asked for, in Unix milliseconds.
    pub created_ms: u64,
    /// The address of its plan, see [`Seal::of_plan`].
    pub plan: &'a [u8],
}

/// The length that stands for "no value"; no value is that long.
const ABSENT: u64 = u64::MAX;

struct Sealer(Sha256);

impl Sealer {
    fn new(kind: &str) -> Self {
        Self(Sha256::new()).text("fhir-import journal 1").text(kind)
    }

    fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    fn optional(mut self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.field(bytes),
            None => {
                self.0.update(ABSENT.to_le_bytes());
                self
            }
        }
    }

    fn text(self, text: &str) -> Self {
        self.field(text.as_bytes())
    }

    fn number(self, number: u64) -> Self {
        self.field(&number.to_le_bytes())
    }

    fn id(self, id: ImportId) -> Self {
        self.text(&id.to_string())
    }

    fn seal(self) -> Seal {
        Seal(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ImportId = ImportId::from_bytes([7; 16]);

    fn import<'a>(key: Option<&'a str>, server: &'a str) -> ImportRecord<'a> {
        ImportRecord { id: ID, key, inputs_digest: "in", server, created_ms: 1, plan: b"p" }
    }

    #[test]
    fn no_two_records_share_a_digest() {
        let head = Head { generation: 1, epoch: 2, intents: 3 };
        let intent = Intent { generation: 1, at_ms: 2, epoch: 3 };
        let seals = [
            Seal::of_import(&import(None, "server")),
            Seal::of_import(&import(Some(""), "server")),
            Seal::of_import(&import(Some("ser"), "ver")),
            Seal::of_import(&import(Some("s"), "erver")),
            Seal::of_plan("text"),
            Seal::of_host(ID, "text"),
            Seal::of_host(ImportId::from_bytes([8; 16]), "text"),
            Seal::of_head(ID, &head),
            Seal::of_intent(ID, &intent),
            Seal::of_count(1),
        ];
        for (i, seal) in seals.iter().enumerate() {
            assert!(!seals[i + 1..].contains(seal), "{i}");
        }
    }

    #[test]
    fn the_digest_of_a_released_form_never_changes() {
        let hex: String = Seal::of_count(1).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "e4ca60d1d266d8cb78d369f6808e0a1e4e8c28ee61b3e22d2341119fac7fec47");
    }
}
