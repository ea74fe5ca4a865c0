//! Files by names that are no `http` URLs: objects of a store, paths of a server, names relative to one.
//!
//! With a network, the script says where a store is on this machine. Without one, names are asked for as they are.

use crate::fetch::{Lines, Reader, Source, Unread};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The stores of a script: the beginning of a name, and the folder or the `http` address that stands for it.
pub(crate) type Stores = BTreeMap<String, String>;

/// What a name stands for.
enum Place {
    /// A file on this machine.
    Path(PathBuf),
    /// A URL, perhaps the name itself.
    Url(String),
}

/// Opens a file by its name, whatever its scheme. An object that its store does not have is refused with 404.
pub(crate) async fn open(reader: &Reader, stores: &Stores, source: &Source) -> Result<Lines, Unread> {
    match reader {
        Reader::Given(files) => match files.read(&source.url) {
            Some(content) => Ok(Lines::of(&content)),
            None if source.url.starts_with("http://") => source.open(reader).await,
            None => Err(Unread::Refused(404)),
        },
        Reader::Http => match place(stores, &source.url) {
            Place::Path(path) => read(&path).map(|content| Lines::of(&content)),
            Place::Url(url) => Source { url, basic: source.basic.clone() }.open(reader).await,
        },
    }
}

/// The names that begin with this, sorted. A store at an `http` address has no list.
pub(crate) fn list(reader: &Reader, stores: &Stores, prefix: &str) -> Vec<String> {
    let mut names = match reader {
        Reader::Given(files) => files.list(prefix),
        Reader::Http => list_folder(stores, prefix),
    };
    names.sort();
    names
}

fn place(stores: &Stores, name: &str) -> Place {
    match store(stores, name) {
        None => Place::Url(name.to_owned()),
        Some((start, at)) if at.starts_with("http://") => Place::Url(format!("{at}{}", &name[start.len()..])),
        Some((start, at)) => Place::Path(below(at, &name[start.len()..])),
    }
}

/// The store with the longest beginning of this name.
fn store<'a>(stores: &'a Stores, name: &str) -> Option<(&'a str, &'a str)> {
    let fitting = stores.iter().filter(|(start, _)| name.starts_with(start.as_str()));
    let (start, at) = fitting.max_by_key(|(start, _)| start.len())?;
    Some((start, at))
}

/// A path below a folder; steps out of it are left out.
fn below(folder: &str, rest: &str) -> PathBuf {
    let inside = |part: &Component<'_>| matches!(part, Component::Normal(_));
    Path::new(rest).components().filter(inside).fold(PathBuf::from(folder), |path, part| path.join(part))
}

fn read(path: &Path) -> Result<Bytes, Unread> {
    std::fs::read(path).map(Bytes::from).map_err(|_| Unread::Refused(404))
}

fn list_folder(stores: &Stores, prefix: &str) -> Vec<String> {
    let Some((start, at)) = store(stores, prefix) else { return Vec::new() };
    let mut names = Vec::new();
    walk(Path::new(at), start, &mut names);
    names.retain(|name| name.starts_with(prefix));
    names
}

/// Every file below a folder, with the name it has in the store.
fn walk(folder: &Path, named: &str, names: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = format!("{named}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() { walk(&entry.path(), &format!("{name}/"), names) } else { names.push(name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{Shelf, at_once};
    use crate::probe::Files;
    use std::sync::Arc;

    async fn text(reader: &Reader, stores: &Stores, name: &str) -> Result<String, Unread> {
        let mut lines = open(reader, stores, &Source { url: name.to_owned(), basic: None }).await?;
        let line = lines.next().await?.unwrap_or_default();
        Ok(String::from_utf8(line.to_vec()).unwrap())
    }

    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("practice-{}-{name}", std::process::id()));
        for (path, content) in files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    #[tokio::test]
    async fn a_store_is_a_folder_or_an_address_and_the_longest_beginning_counts() {
        let folder = folder("open", &[("a/p.ndjson", "of the folder")]);
        let files = Files::serve("text/plain", &[("p.ndjson", "of the address")]).await;
        let at = |start: &str, at: &str| (start.to_owned(), at.to_owned());
        let address = format!("{}/", files.base);
        let stores = Stores::from([at("s3://b/", folder.to_str().unwrap()), at("s3://b/far/", &address)]);
        assert_eq!(text(&Reader::Http, &stores, "s3://b/a/p.ndjson").await.unwrap(), "of the folder");
        assert_eq!(text(&Reader::Http, &stores, "s3://b/../a/p.ndjson").await.unwrap(), "of the folder");
        assert_eq!(text(&Reader::Http, &stores, "s3://b/far/p.ndjson").await.unwrap(), "of the address");
        assert_eq!(text(&Reader::Http, &stores, &format!("{address}p.ndjson")).await.unwrap(), "of the address");
        assert!(matches!(text(&Reader::Http, &stores, "s3://b/none").await, Err(Unread::Refused(404))));
        assert!(matches!(text(&Reader::Http, &stores, "s3://c/p.ndjson").await, Err(Unread::Unsupported)));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_is_listed_by_the_names_of_its_store() {
        let folder = folder("list", &[("in/b.ndjson", ""), ("in/deep/a.ndjson", ""), ("out.ndjson", "")]);
        let stores = Stores::from([("s3://b/".to_owned(), folder.to_str().unwrap().to_owned())]);
        assert_eq!(list(&Reader::Http, &stores, "s3://b/in/"), ["s3://b/in/b.ndjson", "s3://b/in/deep/a.ndjson"]);
        assert!(list(&Reader::Http, &stores, "s3://c/").is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_a_network_names_are_asked_for_as_they_are() {
        let shelf = Reader::Given(Arc::new(Shelf::of(&[("s3://b/p", "here"), ("s3://c/p", "")])));
        let stores = Stores::from([("s3://b/".to_owned(), "/nowhere".to_owned())]);
        assert_eq!(at_once(text(&shelf, &stores, "s3://b/p")).unwrap(), "here");
        assert!(matches!(at_once(text(&shelf, &stores, "s3://b/q")), Err(Unread::Refused(404))));
        assert!(matches!(at_once(text(&shelf, &stores, "http://b/q")), Err(Unread::Unreachable(_))));
        assert_eq!(list(&shelf, &stores, "s3://b/"), ["s3://b/p"]);
    }
}
