//! `Parameters` resources, the form in which most servers take an order.

use serde_json::Value;

/// What stands in a list of parameters or of parts under a name, once.
pub(crate) fn first<'a>(parameters: &'a [Value], name: &str) -> Option<&'a Value> {
    parameters.iter().find(|parameter| parameter["name"] == name)
}

/// What stands in a list of parameters under a name, each time.
pub(crate) fn all<'a>(parameters: &'a [Value], name: &str) -> impl Iterator<Item = &'a Value> {
    parameters.iter().filter(move |parameter| parameter["name"] == name)
}

/// The parameters of a `Parameters` resource.
pub(crate) fn of(resource: &Value) -> &[Value] {
    list(&resource["parameter"])
}

/// The parts of a parameter.
pub(crate) fn parts(parameter: &Value) -> &[Value] {
    list(&parameter["part"])
}

/// The text of a parameter whose value has this type, such as `valueUrl`.
pub(crate) fn typed<'a>(parameter: &'a Value, kind: &str) -> Option<&'a str> {
    parameter[kind].as_str()
}

/// The text of a parameter, whatever type its value has.
pub(crate) fn text(parameter: &Value) -> Option<&str> {
    let members = parameter.as_object()?;
    let (_, value) = members.iter().find(|(name, _)| name.starts_with("value"))?;
    value.as_str()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
