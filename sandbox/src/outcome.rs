//! OperationOutcomes, the form in which FHIR servers talk about success and failure.

use serde_json::{Value, json};

/// One issue. HAPI leaves `code` out in answers to polls although FHIR requires it.
pub(crate) struct Issue {
    severity: &'static str,
    code: Option<&'static str>,
    diagnostics: Option<String>,
}

impl Issue {
    pub(crate) fn error(code: &'static str, diagnostics: impl Into<String>) -> Self {
        Self { severity: "error", code: Some(code), diagnostics: Some(diagnostics.into()) }
    }

    pub(crate) fn information(diagnostics: impl Into<String>) -> Self {
        Self { severity: "information", code: Some("informational"), diagnostics: Some(diagnostics.into()) }
    }

    /// An issue as HAPI 8.8.0 writes it in answers to polls: without a code, and at times without any text.
    pub(crate) fn uncoded(severity: &'static str, diagnostics: Option<String>) -> Self {
        Self { severity, code: None, diagnostics }
    }

    fn to_json(&self) -> Value {
        let mut issue = json!({"severity": self.severity});
        if let Some(code) = self.code {
            issue["code"] = code.into();
        }
        if let Some(diagnostics) = &self.diagnostics {
            issue["diagnostics"] = diagnostics.as_str().into();
        }
        issue
    }
}

/// An OperationOutcome of these issues.
pub(crate) fn outcome(issues: &[Issue]) -> Value {
    json!({"resourceType": "OperationOutcome", "issue": issues.iter().map(Issue::to_json).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_has_only_what_it_was_given() {
        let issues = [Issue::error("invalid", "no"), Issue::information("yes"), Issue::uncoded("error", None)];
        assert_eq!(
            outcome(&issues)["issue"],
            json!([{"severity": "error", "code": "invalid", "diagnostics": "no"},
                {"severity": "information", "code": "informational", "diagnostics": "yes"}, {"severity": "error"}])
        );
    }
}
