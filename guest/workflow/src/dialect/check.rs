//! What a dialect says that cannot be meant, beyond what the types of its fields exclude.

use serde_json::Value;

use super::{CancelShape, Delivery, Dialect, Handle, Order, RecoveryClass, ResultShape};

/// Most bytes of a file that a host sends at a time.
const MAX_UPLOAD: u32 = 8 << 20;

impl Dialect {
    /// Why this dialect could not work, a sentence a piece; empty when it can.
    #[must_use]
    pub fn contradictions(&self) -> Vec<&'static str> {
        let upload = matches!(self.inputs.delivery, Delivery::Upload(_));
        let named = |variable: &str| self.sends(variable);
        let checks = [
            (
                self.kick_off.accepted.is_empty(),
                "`kick-off.accepted` names no status, so that nothing could be accepted",
            ),
            (
                self.kick_off.handle == Handle::StatusRequest && self.poll.status_request.is_none(),
                "`kick-off.handle` is \"status-request\", and there is no [poll.status-request]",
            ),
            (
                self.recovery.class == RecoveryClass::List && self.recovery.list.is_none(),
                "`recovery.class` is \"list\", and there is no [recovery.list]",
            ),
            (
                self.recovery.class == RecoveryClass::CallerKey && !named("${job.id}"),
                "`recovery.class` is \"caller-key\", and no template of the kick-off has ${job.id}",
            ),
            (
                self.result.shape == ResultShape::Members && self.result.members.is_none(),
                "`result.shape` is \"members\", and there is no [result.members]",
            ),
            (
                self.cancel.shape == CancelShape::Post && self.cancel.url.is_none(),
                "`cancel.shape` is \"post\", and there is no `cancel.url`",
            ),
            (
                named("${document.url}") && self.document.is_none(),
                "a template has ${document.url}, and there is no [document]",
            ),
            (
                self.document.is_some() && self.inputs.in_one_job().is_some(),
                "a [document] tells of all files of an import, so that they cannot be split into several jobs",
            ),
            (
                upload && !(1..=MAX_UPLOAD).contains(&self.inputs.upload_bytes()),
                "`inputs.delivery` uploads 1 to 8388608 bytes at a time",
            ),
            (
                upload != named("${job.upload}"),
                "`inputs.delivery` is \"upload\" where the kick-off has ${job.upload}, and only there",
            ),
            (
                upload && self.inputs.order != Order::Given,
                "uploaded files are sent in the order in which they are given",
            ),
        ];
        checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, why)| why).collect()
    }

    /// Whether the kick-off, the document, or a default of what they name has a variable, written as `${NAME}`.
    #[must_use]
    pub fn sends(&self, variable: &str) -> bool {
        let mut defaults = self.settings.rows().filter_map(|(_, setting)| setting.default.as_deref());
        has(&self.kick_off.body, variable)
            || self.document.as_ref().is_some_and(|document| has(&document.content, variable))
            || self.kick_off.url.contains(variable)
            || defaults.any(|default| default.contains(variable))
    }
}

fn has(template: &Value, variable: &str) -> bool {
    match template {
        Value::String(text) => text.contains(variable),
        Value::Array(items) => items.iter().any(|item| has(item, variable)),
        Value::Object(members) => members.values().any(|member| has(member, variable)),
        _ => false,
    }
}
