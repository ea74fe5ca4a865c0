//! Reading the files a client offers, line by line: over plain HTTP/1.1, or where there is no network as given.

use crate::files::Files;
use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::uri::Authority;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::TcpStream;

/// How files are read.
pub(crate) enum Reader {
    /// From where their URL says.
    Http,
    /// From here, whatever their URL.
    Given(Arc<dyn Files>),
}

/// A file as a job was told to read it.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) url: String,
    /// `user:password` for the file server, where the client gave them.
    pub(crate) basic: Option<String>,
}

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// No connection. Holds the host and port that were tried.
    Unreachable(String),
    /// The connection broke before the end.
    Broken(String),
    /// The file server refused, with this status.
    Refused(u16),
    /// The URL is not plain HTTP.
    Unsupported,
}

/// A file that is being read.
pub(crate) struct Lines {
    /// What the file server says it is; empty when it says nothing.
    pub(crate) content_type: String,
    body: Body,
    buffer: BytesMut,
    ended: bool,
}

impl Source {
    /// Asks for the file and reads the head of the answer.
    pub(crate) async fn open(&self, reader: &Reader) -> Result<Lines, Unread> {
        let uri: Uri = self.url.parse().map_err(|_| Unread::Unsupported)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or(Unread::Unsupported)?;
        match reader {
            Reader::Http => self.fetch(&uri, authority).await,
            Reader::Given(files) => match files.read(&self.url) {
                Some(content) => Ok(Lines::of(&content)),
                None => Err(Unread::Unreachable(address(authority))),
            },
        }
    }

    async fn fetch(&self, uri: &Uri, authority: &Authority) -> Result<Lines, Unread> {
        let answer = self.ask(uri, authority).await?;
        if !answer.status().is_success() {
            return Err(Unread::Refused(answer.status().as_u16()));
        }
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        Ok(Lines { content_type, body: Body::new(answer.into_body()), buffer: BytesMut::new(), ended: false })
    }

    async fn ask(&self, uri: &Uri, authority: &Authority) -> Result<Response<Incoming>, Unread> {
        let address = address(authority);
        let stream = TcpStream::connect(&address).await.map_err(|_| Unread::Unreachable(address))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path).header(HOST, authority.as_str()).header(ACCEPT, "application/fhir+ndjson");
        if let Some(basic) = &self.basic {
            request = request.header(AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(basic)));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| Unread::Unsupported)?;
        Ok(sender.send_request(request).await?)
    }
}

fn address(authority: &Authority) -> String {
    format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80))
}

impl Lines {
    /// A file that is here already, said to be what it ought to be.
    pub(crate) fn of(content: &[u8]) -> Self {
        let content_type = "application/fhir+ndjson".to_owned();
        Self { content_type, body: Body::empty(), buffer: BytesMut::from(content), ended: true }
    }

    /// The next line without its end, blank or not.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Unread> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            if self.ended {
                let rest = self.buffer.split().freeze();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            self.fill().await?;
        }
    }

    /// All of it, line ends included.
    pub(crate) async fn whole(mut self) -> Result<Bytes, Unread> {
        while !self.ended {
            self.fill().await?;
        }
        Ok(self.buffer.freeze())
    }

    /// Reads to the end without keeping anything.
    pub(crate) async fn skip(mut self) -> Result<(), Unread> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Unread> {
        match self.body.frame().await.transpose()? {
            Some(frame) => self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            None => self.ended = true,
        }
        Ok(())
    }
}

impl From<axum::Error> for Unread {
    fn from(error: axum::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<hyper::Error> for Unread {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error.to_string())
    }
}
