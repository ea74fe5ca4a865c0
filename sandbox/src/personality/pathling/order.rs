//! What a kick-off asks for: `source` parameters of the old edition, `input` of the newer one in two forms.

use super::Edition;
use crate::fetch::Source;
use crate::parameters::{all, first, of, parts, typed};
use crate::r4;
use serde_json::Value;

/// An import, in the same form from every kind of body. Two that are equal are one to the newer edition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Order {
    pub(super) inputs: Vec<Input>,
    pub(super) mode: Mode,
}

/// A file as it was named, and as the server understands the name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Input {
    pub(super) kind: String,
    pub(super) url: String,
    pub(super) named: String,
}

/// What becomes of the resources of a type that are there already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Merge,
    Overwrite,
    Append,
    Ignore,
    Error,
}

/// Why there is no order in a body.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Problem {
    Invalid(String),
    /// The server breaks on it.
    Unexpected,
}

impl Order {
    pub(super) fn read(edition: Edition, body: &[u8]) -> Result<Self, Problem> {
        let request: Value =
            serde_json::from_slice(body).map_err(|error| invalid(format!("Invalid JSON content: {error}")))?;
        match (edition, request["resourceType"] == "Parameters") {
            (Edition::Seven, _) => sources(of(&request)),
            (Edition::Newer, true) => inputs(of(&request)),
            (Edition::Newer, false) => manifest(&request),
        }
    }
}

fn invalid(text: impl Into<String>) -> Problem {
    Problem::Invalid(text.into())
}

/// A URL of another type than `url` breaks the old edition.
fn sources(parameters: &[Value]) -> Result<Order, Problem> {
    let mut mode = Mode::Overwrite;
    let mut inputs = Vec::new();
    for source in all(parameters, "source").map(parts) {
        let kind = first(source, "resourceType").and_then(|part| typed(part, "valueCode"));
        let kind = kind.ok_or_else(|| invalid("Must provide resourceType for each source"))?;
        let url = first(source, "url").ok_or_else(|| invalid("Must provide url for each source"))?;
        let url = typed(url, "valueUrl").ok_or(Problem::Unexpected)?;
        if let Some(named) = first(source, "mode").and_then(|part| typed(part, "valueCode")) {
            mode = Mode::of(named)?;
        }
        inputs.push(Input::of(kind, url)?);
    }
    if inputs.is_empty() {
        return Err(invalid("Must provide at least one source parameter"));
    }
    Ok(Order { inputs, mode })
}

/// `type` instead of `resourceType`, as its own definition has it, is not seen.
fn inputs(parameters: &[Value]) -> Result<Order, Problem> {
    let input = |input: &Value| {
        let kind = first(parts(input), "resourceType").and_then(|part| typed(part, "valueCode"));
        let kind = kind.ok_or_else(|| invalid("Missing resourceType part in input parameter."))?;
        let url = first(parts(input), "url").and_then(|part| typed(part, "valueUrl"));
        Input::of(kind, url.ok_or_else(|| invalid("Missing url part in input parameter."))?)
    };
    let inputs: Vec<_> = all(parameters, "input").map(input).collect::<Result<_, _>>()?;
    let code = |name| first(parameters, name).and_then(|parameter| typed(parameter, "valueCode"));
    if inputs.is_empty() {
        return Err(invalid("The input may not be empty."));
    }
    code("inputFormat").map_or(Ok(()), check_format)?;
    Ok(Order { inputs, mode: code("saveMode").map_or(Ok(Mode::Merge), Mode::of)? })
}

fn manifest(request: &Value) -> Result<Order, Problem> {
    let text = |value: &Value| value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let format = text(&request["inputFormat"]).ok_or_else(|| invalid("Missing required field: inputFormat"))?;
    let items = request["input"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return Err(invalid("The input may not be empty."));
    }
    let input = |item: &Value| {
        let kind = text(&item["type"]).ok_or_else(|| invalid("Missing type in input item."))?;
        Input::of(&kind, &text(&item["url"]).ok_or_else(|| invalid("Missing url in input item."))?)
    };
    let inputs = items.iter().map(input).collect::<Result<_, _>>()?;
    check_format(&format)?;
    Ok(Order { inputs, mode: text(&request["saveMode"]).map_or(Ok(Mode::Merge), |mode| Mode::of(&mode))? })
}

/// This server reads no Parquet, which the real one does.
fn check_format(format: &str) -> Result<(), Problem> {
    if format == "application/fhir+ndjson" { Ok(()) } else { Err(invalid(format!("Unsupported format: {format}"))) }
}

impl Mode {
    fn of(code: &str) -> Result<Self, Problem> {
        match code {
            "merge" => Ok(Self::Merge),
            "overwrite" => Ok(Self::Overwrite),
            "append" => Ok(Self::Append),
            "ignore" => Ok(Self::Ignore),
            "error" => Ok(Self::Error),
            _ => Err(invalid("Unknown saveMode.")),
        }
    }
}

impl Input {
    fn of(kind: &str, named: &str) -> Result<Self, Problem> {
        if !r4::is_type(kind) {
            return Err(invalid("Unknown resource type."));
        }
        let url = decode(named);
        let url = url.strip_prefix("s3://").map_or_else(|| url.clone(), |rest| format!("s3a://{rest}"));
        Ok(Self { kind: kind.to_owned(), url, named: named.to_owned() })
    }

    pub(super) fn source(&self) -> Source {
        Source { url: self.url.clone(), basic: None }
    }
}

/// As `URLDecoder` does: a plus is a space.
fn decode(text: &str) -> String {
    let (mut decoded, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let (byte, length) = match (first, hex) {
            (b'%', Some(byte)) => (byte, 3),
            (b'+', _) => (b' ', 1),
            _ => (*first, 1),
        };
        decoded.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_stores_renamed() {
        let input = Input::of("Patient", "s3://bucket/a+b%20%C3%A9.ndjson").unwrap();
        assert_eq!(input.url, "s3a://bucket/a b é.ndjson");
        assert_eq!(decode("100%"), "100%");
    }
}
