//! Restate from outside: its ingress takes calls of handlers, its admin API the addresses of workers.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use fhir_import::contract::{Decision, Request, Status};
use fhir_import::embed::{Adapter, Failure, Standstill, Worker};
use fhir_import::net::{Permission, PhaseLimits, Sender, TlsRoots};
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::imports::Stored;
use crate::serve::serve;

/// Where Restate is, and where it finds the workers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// URL of the ingress.
    pub ingress: String,
    /// URL of the admin API.
    pub admin: String,
    /// URL at which Restate reaches the workers: one for all of them, so that another one takes over from one that died.
    pub workers: String,
    /// The address that a worker listens on.
    pub listen: std::net::SocketAddr,
    /// The public key of this Restate, `publickeyv1_…`: calls of others are refused then.
    #[serde(default)]
    pub identity: Option<String>,
}

/// Begins imports, and asks about them.
pub struct Restate {
    place: Place,
    sender: Sender,
}

impl Restate {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// When the system's authorities cannot be read.
    pub fn new(place: Place) -> Result<Self> {
        Ok(Self { place, sender: Sender::new(&TlsRoots::default(), PhaseLimits::default())? })
    }

    /// Tells Restate where the workers are. They must be there already: it asks them what they offer.
    ///
    /// # Errors
    /// When Restate cannot be reached, or cannot reach a worker.
    pub async fn register(&self) -> Result<()> {
        let url = format!("{}/deployments", self.place.admin.trim_end_matches('/'));
        self.ask(&url, Some(json!({ "uri": self.place.workers }).to_string())).await.map(drop)
    }

    async fn call(&self, id: &str, handler: &str, input: Option<&impl Serialize>) -> Result<String> {
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("{id:?} is no id of an import: it has 32 hex digits");
        }
        let url = format!("{}/FhirImport/{id}/{handler}", self.place.ingress.trim_end_matches('/'));
        self.ask(&url, input.map(serde_json::to_string).transpose()?).await
    }

    async fn ask(&self, url: &str, body: Option<String>) -> Result<String> {
        let request = http::Request::post(url);
        let request = if body.is_some() { request.header("content-type", "application/json") } else { request };
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let answer = self.sender.send(request, Permission::AnyAddress).await;
        let answer =
            answer.with_context(|| format!("Restate cannot be asked at {url}: is it there, and is a worker?"))?;
        let status = answer.status();
        let text = String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?;
        if status.is_success() { Ok(text) } else { bail!("{}", words(status, &text)) }
    }
}

impl Adapter for Restate {
    /// Sends nothing yet.
    async fn connect(engine: Option<&str>) -> Result<Self, Failure> {
        let place = engine.context("FHIR_IMPORT_ENGINE is not set: see the README of this adapter")?;
        Ok(Self::new(serde_json::from_str(place).context("FHIR_IMPORT_ENGINE")?)?)
    }

    async fn work(self, worker: Worker, end: impl Future<Output = ()> + Send + 'static) -> Result<(), Failure> {
        Ok(serve(worker, self.place, end).await?)
    }

    async fn start(&self, request: Request) -> Result<(), Failure> {
        Ok(self.call(&request.id, "begin", Some(&request)).await.map(drop)?)
    }

    async fn result(&self, id: &str) -> Result<Standstill, Failure> {
        let mut pause = Duration::from_millis(100);
        loop {
            let stored: Stored = read(&self.call(id, "look", None::<&()>).await?)?;
            if let Some(mistake) = stored.mistake {
                return Err(format!(
                    "the import stands still: {mistake}. Mend that, then start it again: it goes on where it is"
                )
                .into());
            }
            if let Some(standstill) = stored.at.standstill() {
                return Ok(standstill);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn resolve(&self, id: &str, decision: Decision) -> Result<(), Failure> {
        Ok(self.call(id, "decide", Some(&decision)).await.map(drop)?)
    }

    async fn status(&self, id: &str) -> Result<Option<Status>, Failure> {
        Ok(read(&self.call(id, "status", None::<&()>).await?)?)
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).context("Restate's answer is not ours: is it another version's?")
}

fn words(status: StatusCode, text: &str) -> String {
    let message = serde_json::from_str::<Value>(text).ok().and_then(|said| Some(said["message"].as_str()?.to_owned()));
    message.unwrap_or_else(|| format!("Restate answers {status}"))
}
