//! What a server is, from its CapabilityStatement and its own OperationDefinition.

use serde_json::Value;

use crate::dialect::{Confidence, Dialect, Signature};
use crate::report::Detection;
use crate::text::clip;
use crate::url;

/// The part of a CapabilityStatement that detection reads. What is of another shape than it should be is as if it were
/// not there: a server is not refused for a mistake that does not matter here.
#[derive(Debug, Default)]
pub struct Capabilities {
    /// Its own name.
    name: String,
    version: Option<String>,
    /// System operations: names without a leading `$`, in lower case, and definitions without version.
    operations: Vec<(String, String)>,
    /// Resource types with an operation `import`.
    types: Vec<String>,
}

/// What a CapabilityStatement says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The dialect and how sure.
    pub detection: Detection,
    /// Its place in the list that was searched.
    pub index: Option<u32>,
    /// The server's own definition of the operation; none when no operation was looked for.
    pub lookup: Option<Lookup>,
}

/// An OperationDefinition to be looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// The operation.
    pub operation: String,
    /// Where it is said to be.
    pub definition: Option<String>,
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
    Some(Finding { detection, index: Some(index), lookup: None })
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
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let software = &value["software"];
        let (name, version) = (text(&software["name"]).unwrap_or_default(), text(&software["version"]));
        let (mut operations, mut types) = (Vec::new(), Vec::new());
        for rest in items(&value["rest"]).iter().filter(|rest| rest["mode"] != "client") {
            operations.extend(items(&rest["operation"]).iter().map(operation));
            let resources = items(&rest["resource"]).iter();
            let with = resources.filter(|r| items(&r["operation"]).iter().any(|op| operation(op).0 == "import"));
            types.extend(with.filter_map(|resource| text(&resource["type"])));
        }
        Some(Self { name, version, operations, types })
    }

    /// Finds the dialect whose signature fits best.
    #[must_use]
    pub fn find(&self, dialects: &[(u32, &Dialect)]) -> Finding {
        let mut fits: Vec<Fit<'_>> = Vec::new();
        for (index, dialect) in dialects {
            let best = dialect.detect.signatures.iter().rev().filter(|s| self.fits(s)).max_by_key(|s| weight(s));
            fits.extend(best.map(|signature| Fit { index: *index, dialect, signature }));
        }
        match fits.iter().max_by_key(|fit| (weight(fit.signature), std::cmp::Reverse(fit.index))) {
            Some(best) => self.found(best, &fits),
            None => self.by_name(dialects).unwrap_or_else(|| self.nothing(dialects)),
        }
    }

    fn found(&self, best: &Fit<'_>, fits: &[Fit<'_>]) -> Finding {
        let by = best.signature;
        let tied = fits.iter().filter(|fit| weight(fit.signature) == weight(by)).count() > 1;
        let confidence = if tied { by.confidence.min(Confidence::Low) } else { by.confidence };
        // Beside a sure sign, a weak one says nothing.
        let is_other = |fit: &&Fit<'_>| confidence < Confidence::High || fit.signature.confidence > Confidence::Low;
        let others = fits.iter().filter(|fit| fit.index != best.index).filter(is_other);
        let detection = Detection {
            dialect: Some(best.dialect.name.clone()),
            confidence,
            evidence: Self::evidence(by),
            software: self.software(),
            candidates: others.map(|fit| fit.dialect.name.clone()).collect(),
        };
        let lookup = by.operation.as_ref();
        let lookup = lookup.map(|name| Lookup { operation: name.clone(), definition: self.definition(name) });
        Finding { detection, index: Some(best.index), lookup }
    }

    fn nothing(&self, dialects: &[(u32, &Dialect)]) -> Finding {
        let mut evidence = Vec::new();
        for kind in &self.types {
            evidence.push(format!(
                "The CapabilityStatement has an import operation on {}, which is not a bulk import.",
                clip(kind, 64)
            ));
        }
        let unknown = self.operations.iter().find(|(name, _)| name == "import");
        evidence.push(match unknown {
            Some((_, definition)) if definition.is_empty() => {
                "The CapabilityStatement has an operation named import that fits no known dialect.".to_owned()
            }
            Some((_, definition)) => format!(
                "The CapabilityStatement has an operation named import that fits no known dialect; its definition is {}.",
                clip(definition, 200)
            ),
            None => "The CapabilityStatement has no system operation named import.".to_owned(),
        });
        evidence.extend(self.switched_off(dialects).map(|advice| format!("Perhaps it is switched off: {advice}")));
        let detection = Detection { evidence, software: self.software(), ..Detection::default() };
        Finding { detection, index: None, lookup: None }
    }

    /// A dialect that only the name of a host tells, and whose name the software has: another host may be before it.
    fn by_name(&self, dialects: &[(u32, &Dialect)]) -> Option<Finding> {
        let only_by_host = |d: &Dialect| d.detect.signatures.iter().all(|s| s.host.is_some());
        let (index, dialect) = dialects.iter().find(|(_, d)| only_by_host(d) && self.is_software(&d.name))?;
        let evidence = format!(
            "The software names itself {}. Whether it is that service behind another host only the operator can know.",
            clip(&self.name, 64)
        );
        let detection = Detection {
            dialect: Some(dialect.name.clone()),
            confidence: Confidence::Low,
            evidence: vec![evidence],
            software: self.software(),
            ..Detection::default()
        };
        Some(Finding { detection, index: Some(*index), lookup: None })
    }

    /// The advice of a dialect whose servers can have import switched off.
    fn switched_off<'a>(&self, dialects: &[(u32, &'a Dialect)]) -> Option<&'a str> {
        let mut rules = dialects.iter().filter_map(|(_, d)| d.detect.switched_off.as_ref());
        rules.find(|rule| self.is_software(&rule.software)).map(|rule| rule.advice.as_str())
    }

    fn fits(&self, signature: &Signature) -> bool {
        let named = |name: &String| self.operations.iter().any(|(other, _)| other == name);
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
        self.operations.iter().any(|(name, definition)| name == wanted && begins(definition) && ends(definition))
    }

    fn is_software(&self, part: &str) -> bool {
        self.name.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
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

    fn definition(&self, operation: &str) -> Option<String> {
        let mut named = self.operations.iter().filter(|(name, definition)| name == operation && !definition.is_empty());
        named.next().map(|(_, definition)| definition.clone())
    }

    fn software(&self) -> Option<String> {
        match &self.version {
            _ if self.name.is_empty() => None,
            Some(version) => Some(format!("{} {version}", self.name)),
            None => Some(self.name.clone()),
        }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Name and definition. In STU3 the definition is a Reference.
fn operation(value: &Value) -> (String, String) {
    let (name, definition) = (value["name"].as_str().unwrap_or_default(), &value["definition"]);
    let definition = definition.as_str().or(definition["reference"].as_str()).unwrap_or_default();
    let plain = definition.split_once('|').map_or(definition, |(canonical, _)| canonical);
    (plain_name(name), plain.trim_end_matches('/').to_owned())
}

/// The name of an operation without a leading `$`, in lower case.
#[must_use]
pub fn plain_name(name: &str) -> String {
    name.trim_start_matches('$').to_ascii_lowercase()
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

/// The operation that a dialect is recognised by.
fn operation_of(dialect: &Dialect) -> Option<&str> {
    dialect.detect.signatures.iter().find_map(|signature| signature.operation.as_deref())
}

/// What the server's own OperationDefinition adds: more evidence, or proof that it is another operation. Of the
/// candidates, the one that it fits best is the dialect; its place is answered. It says nothing of candidates that have
/// another operation.
pub fn consult_definition(detection: &mut Detection, dialects: &[(u32, &Dialect)], definition: &Value) -> Option<u32> {
    let found = Definition::read(definition);
    let mut names: Vec<String> = detection.dialect.take().into_iter().collect();
    names.append(&mut detection.candidates);
    let chosen = names.first().and_then(|name| dialects.iter().find(|(_, dialect)| dialect.name == *name));
    let looked_up = chosen.and_then(|(_, dialect)| operation_of(dialect));
    let mut fits: Vec<(Confidence, u32, &Dialect)> = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let Some((index, dialect)) = dialects.iter().find(|(_, dialect)| dialect.name == *name) else { continue };
        let before = if place == 0 { detection.confidence } else { detection.confidence.min(Confidence::Low) };
        if operation_of(dialect) != looked_up {
            fits.push((before, *index, dialect));
            continue;
        }
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
        let parameters = items(&definition["parameter"]);
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
