//! The documents that a plan asks to publish: noted before the import is stored, served until it is over.

use http::HeaderValue;

use super::RunError;
use super::notes::{DocumentNote, HostNotes};
use crate::contract::Document;
use crate::serve::{CapabilityPath, FileServer, Listening, ServedDocument, ServedFile};

/// Documents with the places where they will be served, below the folder of `random`.
pub(super) fn noted(random: [u8; 16], documents: Vec<Document>) -> Result<Vec<DocumentNote>, RunError> {
    documents.into_iter().map(|document| note(random, document)).collect()
}

fn note(random: [u8; 16], document: Document) -> Result<DocumentNote, RunError> {
    let Document { name, media_type, content } = document;
    match CapabilityPath::new(random, &name) {
        Ok(served) if HeaderValue::from_str(&media_type).is_ok() => Ok(DocumentNote { served, media_type, content }),
        _ => Err(RunError::Document { name }),
    }
}

/// Serves files and documents; nobody is served when there is neither.
pub(super) fn serve(
    listening: Listening,
    files: Vec<ServedFile>,
    notes: &HostNotes,
) -> Result<Option<FileServer>, RunError> {
    if files.is_empty() && notes.documents.is_empty() {
        return Ok(None);
    }
    listening.serve(files, served(notes)?).map(Some).map_err(RunError::Serve)
}

/// The documents of an import, as they are served.
pub(super) fn served(notes: &HostNotes) -> Result<Vec<ServedDocument>, RunError> {
    notes.documents.iter().map(one).collect()
}

fn one(note: &DocumentNote) -> Result<ServedDocument, RunError> {
    Ok(ServedDocument {
        path: note.served.clone(),
        media_type: HeaderValue::from_str(&note.media_type).map_err(|_| RunError::Notes)?,
        content: note.content.clone().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, media_type: &str) -> Vec<Document> {
        vec![Document { name: name.to_owned(), media_type: media_type.to_owned(), content: "{}".to_owned() }]
    }

    #[test]
    fn a_document_lies_below_its_folder() {
        let notes = noted([1; 16], document("manifest-1.json", "application/json")).unwrap();
        assert_eq!(notes[0].served.as_str(), format!("/{}/manifest-1.json", "01".repeat(16)));
        assert!(!format!("{notes:?}").contains("{}"), "a document holds the paths of files, which nobody may see");
    }

    #[tokio::test]
    async fn what_was_noted_is_served_with_its_media_type_and_without_a_file() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listening = Listening::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let folder = listening.folder_url([1; 16]);
        let policy = crate::contract::Policy { poll_max_ms: 1, deadline_ms: 1, max_errors: 0 };
        let mut notes = HostNotes::new("http://h/fhir".to_owned(), super::super::DialectNote::Detect, policy);
        notes.documents = noted([1; 16], document("a/manifest.json", "application/fhir+json")).unwrap();
        let stored = HostNotes::decode(&notes.encode()).unwrap();
        let server = serve(listening, Vec::new(), &stored).unwrap().expect("there is a document");
        assert_eq!(server.document_url(0).unwrap().as_str(), format!("{folder}/a/manifest.json"));

        let mut stream = tokio::net::TcpStream::connect(server.local_addr()).await.unwrap();
        let request = format!("GET {}/a/manifest.json HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", folder.path());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n{}"), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("content-type: application/fhir+json"), "{answer}");
    }

    #[test]
    fn what_no_url_or_header_can_hold_is_refused_by_name() {
        for (name, media_type) in [("../x", "application/json"), ("", "application/json"), ("a", "a\nb")] {
            assert!(matches!(noted([1; 16], document(name, media_type)), Err(RunError::Document { .. })), "{name}");
        }
    }
}
