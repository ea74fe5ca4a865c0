//! `transcript.http`: the exchanges of a case in order, as `fhir-import --record` writes them.
//!
//! Of a request, only method and URL must be there; what else is there must be what is sent. A header without a value
//! must not be sent. Times are for the reader. In answers, `{{bom}}`, `{{cr}}`, `{{lf}}` and `{{blanks N}}` stand for
//! what cannot be seen in a file, and a body is written as its `charset` says, with `?`
//! for what that has not.

use std::str::Lines;

/// One exchange.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exchange {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    pub(super) reply: Reply,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// An answer; its body may break off.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8>, broken: Option<String> },
    /// Nothing.
    Failed(String),
}

impl Exchange {
    /// `METHOD URL`
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.method, self.url)
    }
}

/// Reads a transcript.
pub(super) fn read(text: &str) -> Result<Vec<Exchange>, String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match (line.starts_with("### "), blocks.last_mut()) {
            (true, _) => blocks.push(String::new()),
            (false, Some(block)) => *block += &format!("{line}\n"),
            (false, None) if line.trim().is_empty() => {}
            (false, None) => return Err(format!("the transcript begins with {line:?} instead of ###")),
        }
    }
    let numbered = blocks.iter().enumerate();
    numbered.map(|(n, block)| exchange(block).map_err(|why| format!("exchange {}: {why}", n + 1))).collect()
}

fn exchange(block: &str) -> Result<Exchange, String> {
    let starts = |line: &str| line.starts_with("HTTP ") || line.starts_with("FAILED ");
    let lines: Vec<&str> = block.lines().collect();
    let at = lines.iter().position(|line| starts(line)).ok_or("it has neither an answer nor a failure")?;
    let (request, reply) = (lines[..at].join("\n"), lines[at..].join("\n"));
    let mut lines = request.lines();
    let (method, url) = lines.next().and_then(|line| line.split_once(' ')).ok_or("it has no METHOD URL")?;
    let headers = headers(&mut lines)?;
    let body = Some(rest(lines)).filter(|body| !(body.is_empty() || body.starts_with('…')));
    Ok(Exchange { method: method.to_owned(), url: url.to_owned(), headers, body, reply: reply_of(&reply)? })
}

fn reply_of(text: &str) -> Result<Reply, String> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if let Some(why) = first.strip_prefix("FAILED ") {
        return Ok(Reply::Failed(why.to_owned()));
    }
    let status = first.strip_prefix("HTTP ").and_then(|status| status.trim().parse().ok()).ok_or("no status")?;
    let headers = headers(&mut lines)?;
    let body = rest(lines);
    let (body, broken) = match body.rsplit_once("\nFAILED ") {
        Some((body, why)) => (body.trim_end().to_owned(), Some(why.to_owned())),
        None => (body, None),
    };
    let latin1 = headers.iter().any(|(_, value)| value.to_ascii_lowercase().contains("charset=iso-8859-1"));
    Ok(Reply::Answer { status, headers, body: encoded(&invisible(&body)?, latin1), broken })
}

fn headers(lines: &mut Lines<'_>) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("{line:?} is no header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(headers)
}

fn rest(lines: Lines<'_>) -> String {
    lines.collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}

fn invisible(text: &str) -> Result<String, String> {
    let mut text = text.replace("{{bom}}", "\u{feff}").replace("{{cr}}", "\r").replace("{{lf}}", "\n");
    while let Some((before, after)) = text.split_once("{{blanks ") {
        let (count, after) = after.split_once("}}").ok_or("{{blanks is not closed")?;
        let count = count.parse().map_err(|_| format!("{count:?} is no number of blanks"))?;
        text = format!("{before}{}{after}", " ".repeat(count));
    }
    Ok(text)
}

fn encoded(text: &str, latin1: bool) -> Vec<u8> {
    if !latin1 {
        return text.as_bytes().to_vec();
    }
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}
