//! Results as JSON. Every one says how it ended and what to do next.

use fhir_import::run::Outcome;
use serde_json::{Value, json};

/// A result: `data`, and beside it `outcome`, `exit_code`, `retry` and `next_command`.
pub fn result(outcome: Outcome, next_command: Option<String>, mut data: Value) -> Value {
    data["outcome"] = json!(outcome.name());
    data["exit_code"] = json!(outcome.code());
    // A report is over, which its own advice knows.
    if data["retry"].is_null() {
        data["retry"] = json!(outcome.retry());
    }
    data["next_command"] = next_command.map_or(Value::Null, Value::String);
    data
}

/// Prints a result, on one line.
pub fn print(outcome: Outcome, next_command: Option<String>, data: Value) {
    super::out(&format!("{}\n", result(outcome, next_command, data)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_says_what_to_do() {
        let result = result(Outcome::StillRunning, Some("fhir-import wait 1".to_owned()), json!({ "job": "1" }));
        let wanted = json!({
            "job": "1", "outcome": "still-running", "exit_code": 9, "retry": "resume",
            "next_command": "fhir-import wait 1"
        });
        assert_eq!(result, wanted);
    }
}
