//! The manifest of a bulk export, which servers that fetch for themselves read to learn of the files.

use crate::fetch::{Source, Unread};
use crate::loading::Input;
use crate::script::Script;
use crate::server::Server;
use crate::stores;
use serde::Deserialize;
use std::fmt;

/// How many pages of one manifest are read.
const PAGES: usize = 100;

/// A page of a manifest, as far as it matters here.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    output: Vec<Output>,
    #[serde(default)]
    link: Vec<Link>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    url: String,
}

#[derive(Deserialize)]
struct Link {
    relation: String,
    url: String,
}

/// Why there is no manifest.
#[derive(Debug)]
pub(crate) enum Unusable {
    Unread(Unread),
    Malformed(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(Unread::Refused(status)) => write!(f, "Request failed with status code {status}"),
            Self::Unread(Unread::Unreachable(address)) => write!(f, "connect ECONNREFUSED {address}"),
            Self::Unread(Unread::Broken(error)) | Self::Malformed(error) => f.write_str(error),
            Self::Unread(Unread::Unsupported) => f.write_str("Invalid URL"),
        }
    }
}

/// The files of the manifest at this URL, of all its pages.
pub(crate) async fn files(server: &Server, script: &Script, url: &str) -> Result<Vec<Input>, Unusable> {
    let (mut next, mut files) = (Some(url.to_owned()), Vec::new());
    for _ in 0..PAGES {
        let Some(url) = next else { break };
        let page = page(server, script, url).await?;
        files.extend(page.output.into_iter().map(input));
        next = page.link.into_iter().find(|link| link.relation == "next").map(|link| link.url);
    }
    Ok(files)
}

async fn page(server: &Server, script: &Script, url: String) -> Result<Page, Unusable> {
    let source = Source { url, basic: None };
    let lines = stores::open(&server.reader, &script.stores, &source).await.map_err(Unusable::Unread)?;
    let text = lines.whole().await.map_err(Unusable::Unread)?;
    serde_json::from_slice(&text).map_err(|error| Unusable::Malformed(error.to_string()))
}

fn input(output: Output) -> Input {
    Input { kind: output.kind, source: Source { url: output.url, basic: None } }
}
