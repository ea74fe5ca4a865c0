//! What a server is, from its CapabilityStatement and its own OperationDefinition.

use serde::Deserialize;
use serde_json::Value;

use crate::dialect::{Confidence, Dialect, Signature};
use crate::json;
use crate::report::Detection;

/// The part of a CapabilityStatement that detection reads.
#[derive(Debug, Default, Deserialize)]
pub struct Capabilities {
    software: Option<Software>,
    #[serde(default)]
    rest: Vec<Rest>,
}

#[derive(Debug, Default, Deserialize)]
struct Software {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Rest {
    #[serde(default)]
    operation: Vec<Operation>,
    #[serde(default)]
    resource: Vec<RestResource>,
}

#[derive(Debug, Default, Deserialize)]
struct RestResource {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    operation: Vec<Operation>,
}

#[derive(Debug, Default, Deserialize)]
struct Operation {
    name: Option<String>,
    definition: Option<String>,
}

/// What a CapabilityStatement says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The dialect and how sure.
    pub detection: Detection,
    /// Its place in the list that was searched.
    pub index: Option<usize>,
    /// Where the server's own OperationDefinition is said to be.
    pub definition: Option<String>,
}

impl Capabilities {
    /// Reads a CapabilityStatement.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        if value["resourceType"] != "CapabilityStatement" {
            return None;
        }
        json::from_value(value).ok()
    }

    /// Finds the dialect whose signature fits best.
    #[must_use]
    pub fn find(&self, dialects: &[Dialect]) -> Finding {
        let mut fits: Vec<(usize, &Signature)> = Vec::new();
        for (index, dialect) in dialects.iter().enumerate() {
            let best = dialect.detect.signatures.iter().filter(|s| self.fits(s)).max_by_key(|s| s.confidence);
            fits.extend(best.map(|signature| (index, signature)));
        }
        fits.sort_unstable_by_key(|(index, signature)| (std::cmp::Reverse(signature.confidence), *index));
        match fits.first() {
            Some((index, signature)) => self.found(dialects, *index, signature, &fits),
            None => self.nothing(dialects),
        }
    }

    fn found(&self, all: &[Dialect], index: usize, by: &Signature, fits: &[(usize, &Signature)]) -> Finding {
        let tied = fits.iter().filter(|(_, s)| s.confidence == by.confidence).count() > 1;
        let confidence = if tied { by.confidence.min(Confidence::Low) } else { by.confidence };
        let others = fits.iter().filter(|(i, _)| *i != index);
        let detection = Detection {
            dialect: Some(all[index].name.clone()),
            confidence,
            evidence: self.evidence(by),
            software: self.software(),
            candidates: others.map(|(i, _)| all[*i].name.clone()).collect(),
        };
        Finding { detection, index: Some(index), definition: self.definition(&by.operation) }
    }

    fn nothing(&self, dialects: &[Dialect]) -> Finding {
        let mut evidence = Vec::new();
        for kind in self.types_with("import") {
            evidence.push(format!(
                "The CapabilityStatement has an import operation on {kind}, which is not a bulk import."
            ));
        }
        let unknown = self.system_operations().any(|(name, _)| name == "import");
        evidence.push(if unknown {
            "The CapabilityStatement has an operation named import that fits no known dialect.".to_owned()
        } else {
            "The CapabilityStatement has no system operation named import.".to_owned()
        });
        evidence.extend(self.switched_off(dialects).map(|advice| format!("Perhaps it is switched off: {advice}")));
        let detection = Detection { evidence, software: self.software(), ..Detection::default() };
        Finding { detection, index: None, definition: None }
    }

    /// The advice of a dialect whose servers can have import switched off.
    fn switched_off<'a>(&self, dialects: &'a [Dialect]) -> Option<&'a str> {
        let name = self.software.as_ref()?.name.as_ref()?;
        let rules = dialects.iter().filter_map(|d| d.detect.switched_off.as_ref());
        rules.into_iter().find(|rule| name.contains(&rule.software)).map(|rule| rule.advice.as_str())
    }

    fn fits(&self, signature: &Signature) -> bool {
        let ends = |definition: &str| signature.definition_ends.as_ref().is_none_or(|end| definition.ends_with(end));
        self.system_operations().any(|(name, definition)| name == signature.operation && ends(&definition))
            && signature.sibling.as_ref().is_none_or(|sibling| self.system_operations().any(|(n, _)| n == *sibling))
    }

    fn evidence(&self, signature: &Signature) -> Vec<String> {
        let mut lines = vec![format!("The CapabilityStatement has a system operation named {}.", signature.operation)];
        if let Some(end) = &signature.definition_ends {
            lines.push(format!("Its definition ends in {end}."));
        }
        if let Some(sibling) = &signature.sibling {
            lines.push(format!("Beside it stands an operation named {sibling}."));
        }
        lines
    }

    /// Names without a leading `$`, in lower case, and definitions without version.
    fn system_operations(&self) -> impl Iterator<Item = (String, String)> {
        self.rest.iter().flat_map(|r| &r.operation).map(|op| {
            let name = op.name.as_deref().unwrap_or_default();
            let definition = op.definition.as_deref().unwrap_or_default();
            let plain = definition.split_once('|').map_or(definition, |(canonical, _)| canonical);
            (name.trim_start_matches('$').to_ascii_lowercase(), plain.trim_end_matches('/').to_owned())
        })
    }

    fn types_with(&self, operation: &str) -> Vec<&str> {
        let named = |op: &Operation| op.name.as_deref().unwrap_or_default().trim_start_matches('$') == operation;
        let resources = self.rest.iter().flat_map(|r| &r.resource);
        resources.filter(|r| r.operation.iter().any(named)).filter_map(|r| r.kind.as_deref()).collect()
    }

    fn definition(&self, operation: &str) -> Option<String> {
        self.system_operations().find(|(name, definition)| name == operation && !definition.is_empty()).map(|(_, d)| d)
    }

    fn software(&self) -> Option<String> {
        let software = self.software.as_ref()?;
        let name = software.name.as_deref()?;
        Some(match &software.version {
            Some(version) => format!("{name} {version}"),
            None => name.to_owned(),
        })
    }
}

/// What the server's own OperationDefinition adds: more evidence, or proof that it is another operation.
pub fn consult_definition(detection: &mut Detection, dialect: &Dialect, definition: &Value) {
    let parameters = definition["parameter"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut names: Vec<&str> = parameters.iter().filter_map(|p| p["name"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let rule = &dialect.detect.definition;
    if let Some(name) = rule.refuses.iter().find(|name| names.contains(&name.as_str())) {
        detection.evidence.push(format!("Its OperationDefinition has a parameter {name}: this is another operation."));
        detection.confidence = Confidence::None;
        detection.candidates.extend(detection.dialect.take());
        return;
    }
    let seen: Vec<&str> = rule.expects.iter().map(String::as_str).filter(|name| names.contains(name)).collect();
    detection.evidence.push(if names.is_empty() {
        "Its OperationDefinition lists no parameters.".to_owned()
    } else if seen.len() == rule.expects.len() {
        format!("Its OperationDefinition has the parameters {}.", seen.join(", "))
    } else {
        format!("Its OperationDefinition lists other parameters than expected: {}.", names.join(", "))
    });
    if !rule.expects.is_empty() && seen.len() == rule.expects.len() && detection.confidence == Confidence::Low {
        detection.confidence = Confidence::Medium;
    }
}
