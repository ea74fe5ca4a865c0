//! What a server is, from its CapabilityStatement and its own OperationDefinition.

use serde_json::Value;

use crate::dialect::{Confidence, Dialect, Signature};
use crate::json::read::{read_lenient, read_part};
use crate::report::Detection;
use crate::text::clip;
use crate::url;

/// The part of a CapabilityStatement that detection reads.
#[derive(Debug, Default)]
pub struct Capabilities {
    software: Option<Software>,
    rest: Vec<Rest>,
}

#[derive(Debug, Default)]
struct Software {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Default)]
struct Rest {
    operation: Vec<Operation>,
    resource: Vec<RestResource>,
}

#[derive(Debug, Default)]
struct RestResource {
    kind: Option<String>,
    operation: Vec<Operation>,
}

#[derive(Debug, Default)]
struct Operation {
    name: Option<String>,
    definition: Option<String>,
}

read_part!(Capabilities { software, rest });
read_part!(Software { name, version });
read_part!(Rest { operation, resource });
read_part!(RestResource { kind: "type", operation });
read_part!(Operation { name, definition });

/// What a CapabilityStatement says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The dialect and how sure.
    pub detection: Detection,
    /// Its place in the list that was searched.
    pub index: Option<u32>,
    /// Where the server's own OperationDefinition is said to be; none when no operation was looked for.
    pub definition: Option<Option<String>>,
}

/// What the name of a host says by itself: nothing else answers there.
#[must_use]
pub fn by_host(dialects: &[(u32, &Dialect)], base_url: &str) -> Option<Finding> {
    let host = url::host(base_url)?;
    let (index, dialect, signature) = dialects.iter().find_map(|(index, dialect)| {
        let mut signatures = dialect.detect.signatures.iter();
        Some((*index, dialect, signatures.find(|s| s.host.as_ref().is_some_and(|pattern| is_host(pattern, &host)))?))
    })?;
    let detection = Detection {
        dialect: Some(dialect.name.clone()),
        confidence: signature.confidence,
        evidence: vec![format!("The host is {}; the server was not asked.", signature.host.as_deref().unwrap_or(""))],
        ..Detection::default()
    };
    Some(Finding { detection, index: Some(index), definition: None })
}

fn is_host(pattern: &str, host: &str) -> bool {
    match pattern.split_once('*') {
        None => host == pattern,
        Some((head, tail)) => host.len() > head.len() + tail.len() && host.starts_with(head) && host.ends_with(tail),
    }
}

impl Capabilities {
    /// Reads a CapabilityStatement.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        if value["resourceType"] != "CapabilityStatement" {
            return None;
        }
        Some(read_lenient(value))
    }

    /// Finds the dialect whose signature fits best.
    #[must_use]
    pub fn find(&self, dialects: &[(u32, &Dialect)]) -> Finding {
        let mut fits: Vec<Fit<'_>> = Vec::new();
        for (index, dialect) in dialects {
            let best = dialect.detect.signatures.iter().filter(|s| self.fits(s)).max_by_key(|s| weight(s));
            fits.extend(best.map(|signature| Fit { index: *index, dialect, signature }));
        }
        match fits.iter().max_by_key(|fit| (weight(fit.signature), std::cmp::Reverse(fit.index))) {
            Some(best) => self.found(best, &fits),
            None => self.nothing(dialects),
        }
    }

    fn found(&self, best: &Fit<'_>, fits: &[Fit<'_>]) -> Finding {
        let by = best.signature;
        let tied = fits.iter().filter(|fit| weight(fit.signature) == weight(by)).count() > 1;
        let confidence = if tied { by.confidence.min(Confidence::Low) } else { by.confidence };
        let others = fits.iter().filter(|fit| fit.index != best.index);
        let detection = Detection {
            dialect: Some(best.dialect.name.clone()),
            confidence,
            evidence: Self::evidence(by),
            software: self.software(),
            candidates: others.map(|fit| fit.dialect.name.clone()).collect(),
        };
        let definition = by.operation.as_ref().map(|name| self.definition(name));
        Finding { detection, index: Some(best.index), definition }
    }

    fn nothing(&self, dialects: &[(u32, &Dialect)]) -> Finding {
        let mut evidence = Vec::new();
        for kind in self.types_with("import") {
            evidence.push(format!(
                "The CapabilityStatement has an import operation on {kind}, which is not a bulk import."
            ));
        }
        let unknown = self.system_operations().find(|(name, _)| name == "import");
        evidence.push(match unknown {
            Some((_, definition)) if definition.is_empty() => {
                "The CapabilityStatement has an operation named import that fits no known dialect.".to_owned()
            }
            Some((_, definition)) => format!(
                "The CapabilityStatement has an operation named import that fits no known dialect; its definition is {}.",
                clip(&definition, 200)
            ),
            None => "The CapabilityStatement has no system operation named import.".to_owned(),
        });
        evidence.extend(self.switched_off(dialects).map(|advice| format!("Perhaps it is switched off: {advice}")));
        let detection = Detection { evidence, software: self.software(), ..Detection::default() };
        Finding { detection, index: None, definition: None }
    }

    /// The advice of a dialect whose servers can have import switched off.
    fn switched_off<'a>(&self, dialects: &[(u32, &'a Dialect)]) -> Option<&'a str> {
        let name = self.software.as_ref()?.name.as_ref()?;
        let rules = dialects.iter().filter_map(|(_, d)| d.detect.switched_off.as_ref());
        rules.into_iter().find(|rule| name.contains(&rule.software)).map(|rule| rule.advice.as_str())
    }

    fn fits(&self, signature: &Signature) -> bool {
        let named = |name: &String| self.system_operations().any(|(other, _)| other == *name);
        let software = |part: &String| self.is_software(part);
        let some = signature.operation.is_some() || signature.software.is_some();
        some && signature.host.is_none()
            && signature.operation.as_ref().is_none_or(|name| self.has_operation(name, signature))
            && signature.sibling.as_ref().is_none_or(named)
            && signature.software.as_ref().is_none_or(software)
    }

    fn has_operation(&self, wanted: &str, signature: &Signature) -> bool {
        let begins = |definition: &str| signature.definition_begins.as_ref().is_none_or(|b| definition.starts_with(b));
        let ends = |definition: &str| signature.definition_ends.as_ref().is_none_or(|end| definition.ends_with(end));
        self.system_operations().any(|(name, definition)| name == wanted && begins(&definition) && ends(&definition))
    }

    fn is_software(&self, part: &str) -> bool {
        let name = self.software.as_ref().and_then(|software| software.name.as_deref()).unwrap_or_default();
        name.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
    }

    fn evidence(signature: &Signature) -> Vec<String> {
        let begins = signature.definition_begins.as_ref().or(signature.definition_ends.as_ref());
        let lines = [
            signature
                .operation
                .as_ref()
                .map(|name| format!("The CapabilityStatement has a system operation named {name}.")),
            begins.map(|text| format!("Its definition has {text}.")),
            signature.sibling.as_ref().map(|name| format!("Beside it stands an operation named {name}.")),
            signature.software.as_ref().map(|part| format!("The software names itself something with {part:?}.")),
            signature
                .operation
                .is_none()
                .then(|| "Servers of this kind do not advertise bulk import: only the operator can know.".to_owned()),
        ];
        lines.into_iter().flatten().collect()
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

/// A dialect that fits, and by what.
struct Fit<'a> {
    index: u32,
    dialect: &'a Dialect,
    signature: &'a Signature,
}

/// How much a signature says: of two that are as sure, the one with more conditions knows the server better.
fn weight(signature: &Signature) -> (Confidence, usize) {
    let conditions =
        [&signature.definition_begins, &signature.definition_ends, &signature.sibling, &signature.software];
    (signature.confidence, conditions.into_iter().flatten().count())
}

/// What the server's own OperationDefinition adds: more evidence, or proof that it is another operation. Of the
/// candidates, the one that it fits best is the dialect; its place is answered.
pub fn consult_definition(detection: &mut Detection, dialects: &[(u32, &Dialect)], definition: &Value) -> Option<u32> {
    let found = Definition::read(definition);
    let mut names: Vec<String> = detection.dialect.take().into_iter().collect();
    names.append(&mut detection.candidates);
    let mut fits: Vec<(Confidence, u32, &Dialect)> = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let Some((index, dialect)) = dialects.iter().find(|(_, dialect)| dialect.name == *name) else { continue };
        let before = if place == 0 { detection.confidence } else { detection.confidence.min(Confidence::Low) };
        match found.refused(dialect) {
            Some(parameter) => detection.evidence.push(format!(
                "Its OperationDefinition has a parameter {parameter}: for {name} this is another operation."
            )),
            None => fits.push((found.confidence(dialect, before), *index, dialect)),
        }
    }
    // The first of those that are as sure: it was the best by the CapabilityStatement.
    let best = fits.iter().map(|fit| fit.0).max();
    let at = fits.iter().position(|fit| Some(fit.0) == best);
    let Some((confidence, index, dialect)) = at.map(|at| fits.remove(at)) else {
        detection.confidence = Confidence::None;
        detection.candidates = names;
        return None;
    };
    detection.evidence.push(found.evidence(dialect));
    (detection.dialect, detection.confidence) = (Some(dialect.name.clone()), confidence);
    detection.candidates = fits.into_iter().map(|(_, _, dialect)| dialect.name.clone()).collect();
    Some(index)
}

/// What an OperationDefinition says.
struct Definition {
    parameters: Vec<String>,
    text: String,
}

impl Definition {
    fn read(definition: &Value) -> Self {
        let parameters = definition["parameter"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for name in parameters.iter().filter_map(|p| p["name"].as_str()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        Self { parameters: names, text: definition.to_string() }
    }

    fn refused<'a>(&self, dialect: &'a Dialect) -> Option<&'a String> {
        dialect.detect.definition.refuses.iter().find(|name| self.parameters.contains(name))
    }

    fn has_all(&self, dialect: &Dialect) -> bool {
        let expects = &dialect.detect.definition.expects;
        !expects.is_empty() && expects.iter().all(|name| self.parameters.contains(name))
    }

    fn confidence(&self, dialect: &Dialect, before: Confidence) -> Confidence {
        let says = dialect.detect.definition.says.iter().any(|text| self.text.contains(text.as_str()));
        match before {
            _ if says => Confidence::High,
            Confidence::Low if self.has_all(dialect) => Confidence::Medium,
            same => same,
        }
    }

    fn evidence(&self, dialect: &Dialect) -> String {
        let expects = &dialect.detect.definition.expects;
        if self.parameters.is_empty() {
            "Its OperationDefinition lists no parameters.".to_owned()
        } else if expects.is_empty() || self.has_all(dialect) {
            format!("Its OperationDefinition has the parameters {}.", self.parameters.join(", "))
        } else {
            format!("Its OperationDefinition lists other parameters than expected: {}.", self.parameters.join(", "))
        }
    }
}
