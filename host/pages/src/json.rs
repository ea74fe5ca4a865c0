//! JSON for reading: what fits on a line stands on one.

use serde_json::Value;

/// The longest line that is filled.
const WIDTH: usize = 96;

/// A value as text.
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0, 0);
    text
}

/// `key` is how much of the line its key takes.
fn write(text: &mut String, value: &Value, indent: usize, key: usize) {
    let short = on_one_line(value);
    if indent + key + short.len() <= WIDTH {
        text.push_str(&short);
        return;
    }
    match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| (String::new(), item));
            lines(text, ['[', ']'], items.collect(), indent);
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, member)| (format!("{}: ", Value::from(key.as_str())), member));
            lines(text, ['{', '}'], members.collect(), indent);
        }
        _ => text.push_str(&short),
    }
}

fn lines(text: &mut String, [open, close]: [char; 2], parts: Vec<(String, &Value)>, indent: usize) {
    let inner = indent + 2;
    text.push(open);
    let last = parts.len();
    for (number, (key, value)) in parts.into_iter().enumerate() {
        text.push_str(&format!("\n{:inner$}{key}", ""));
        write(text, value, inner, key.len());
        text.push_str(if number + 1 < last { "," } else { "" });
    }
    text.push_str(&format!("\n{:indent$}{close}", ""));
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let member =
                |(key, member): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), on_one_line(member));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_short_is_on_one_line_and_what_is_long_is_not() {
        let value = json!({ "a": [1, 2], "b": { "c": "x".repeat(40), "d": "y".repeat(60) } });
        let (x, y) = ("x".repeat(40), "y".repeat(60));
        let wanted = format!("{{\n  \"a\": [1, 2],\n  \"b\": {{\n    \"c\": \"{x}\",\n    \"d\": \"{y}\"\n  }}\n}}");
        assert_eq!(text(&value), wanted);
        assert_eq!(text(&json!({})), "{}");
    }
}
