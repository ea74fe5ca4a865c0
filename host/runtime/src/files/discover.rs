//! From what a person typed to a list of inputs.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use super::open::expect_regular;
use super::{FilesError, RemoteInput, resource_type};

/// Where the lines of an input are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum InputSource {
    /// A file on this machine, to be served.
    Local(PathBuf),
    /// Somewhere the FHIR server reads by itself. Never fetched, or opened, by us.
    Remote(RemoteInput),
}

impl fmt::Display for InputSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(remote) => remote.fmt(f),
        }
    }
}

impl fmt::Debug for InputSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(_) => write!(f, "Local({self})"),
            Self::Remote(_) => write!(f, "Remote({self})"),
        }
    }
}

/// One NDJSON input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is.
    pub source: InputSource,
    /// The resource type that `Type=` or the file's name says; none when only its lines can tell.
    pub declared_type: Option<String>,
}

/// Why something in a folder is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// NDJSON, but compressed: it must be unpacked first.
    Compressed,
    /// A folder: only the named folder itself is searched.
    Folder,
    /// Its name begins with a dot.
    Hidden,
    /// Not NDJSON by its name.
    NotNdjson,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compressed => "compressed, unpack it first",
            Self::Folder => "a folder, name it to import its files",
            Self::Hidden => "hidden",
            Self::NotNdjson => "not an .ndjson file",
        })
    }
}

/// Something in a named folder that is not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub reason: SkipReason,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// The inputs: in the order named, those of a folder by name. Never empty, none twice.
    pub files: Vec<InputFile>,
    /// What the folders hold besides, so that people can be told.
    pub skipped: Vec<Skipped>,
}

/// Finds the inputs that `args` name: files, folders (`*.ndjson` in the folder itself), URLs, each with or without
/// `Type=` before it.
///
/// A URL is whatever has `://`: besides `https` also buckets (`gs`, `s3`) and paths of the server (`file`). After `store:`
/// stands a name in the server's own store. See [`RemoteInput`].
///
/// # Errors
/// When nothing is named, an input is missing, not readable, not NDJSON, not a regular file, or named twice.
pub fn discover<I>(args: I) -> Result<Discovered, FilesError>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let mut found = Discovered::default();
    for arg in args {
        add(&mut found, arg.as_ref())?;
    }
    if found.files.is_empty() {
        return Err(FilesError::NoInput);
    }
    refuse_twice(&found.files)?;
    Ok(found)
}

fn add(found: &mut Discovered, arg: &str) -> Result<(), FilesError> {
    let (declared, place) = split_type(arg);
    if let Some(remote) = RemoteInput::read(place) {
        let remote = remote?;
        let declared_type = declared.or_else(|| resource_type::from_file_name(remote.file_name()));
        found.files.push(InputFile { source: InputSource::Remote(remote), declared_type });
        return Ok(());
    }
    let path = Path::new(place);
    if fs::metadata(path).map_err(|error| FilesError::from_io(path.into(), error))?.is_dir() {
        add_folder(found, path, declared.as_deref())
    } else {
        add_file(found, path, declared)
    }
}

/// `Type=place`, when what stands before the first `=` can be a type; a path that looks so is written `./Type=…`.
fn split_type(arg: &str) -> (Option<String>, &str) {
    match arg.split_once('=') {
        Some((name, place)) if resource_type::is_type_name(name) => (Some(name.to_owned()), place),
        _ => (None, arg),
    }
}

fn add_file(found: &mut Discovered, path: &Path, declared: Option<String>) -> Result<(), FilesError> {
    let metadata = fs::symlink_metadata(path).map_err(|error| FilesError::from_io(path.into(), error))?;
    expect_regular(path, &metadata)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let usable = if declared.is_some() { !is_compressed(&name) } else { is_ndjson(&name) };
    if !usable {
        return Err(FilesError::NotNdjson { path: path.into() });
    }
    let declared_type = declared.or_else(|| resource_type::from_file_name(&name));
    found.files.push(InputFile { source: InputSource::Local(path.into()), declared_type });
    Ok(())
}

fn add_folder(found: &mut Discovered, folder: &Path, declared: Option<&str>) -> Result<(), FilesError> {
    let failed = |error| FilesError::from_io(folder.into(), error);
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<io::Result<Vec<DirEntry>>>().map_err(failed)?;
    entries.sort_by_key(DirEntry::file_name);
    let (before, others) = (found.files.len(), entries.len());
    for entry in entries {
        let path = entry.path();
        match skip_reason(&entry).map_err(|error| FilesError::from_io(path.clone(), error))? {
            Some(reason) => found.skipped.push(Skipped { path, reason }),
            None => add_file(found, &path, declared.map(str::to_owned))?,
        }
    }
    if found.files.len() == before {
        return Err(FilesError::EmptyFolder { folder: folder.into(), others });
    }
    Ok(())
}

/// Links, pipes and folders named `*.ndjson` are not skipped: whoever made them expects them to be imported, and is told.
fn skip_reason(entry: &DirEntry) -> io::Result<Option<SkipReason>> {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    Ok(if name.starts_with('.') {
        Some(SkipReason::Hidden)
    } else if is_ndjson(&name) {
        None
    } else if entry.file_type()?.is_dir() {
        Some(SkipReason::Folder)
    } else if is_compressed(&name) {
        Some(SkipReason::Compressed)
    } else {
        Some(SkipReason::NotNdjson)
    })
}

fn is_ndjson(name: &str) -> bool {
    extension(name).eq_ignore_ascii_case("ndjson")
}

fn is_compressed(name: &str) -> bool {
    ["7z", "br", "bz2", "gz", "lz4", "tar", "tgz", "xz", "zip", "zst"].contains(&&*extension(name).to_ascii_lowercase())
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn refuse_twice(files: &[InputFile]) -> Result<(), FilesError> {
    let mut seen = HashSet::new();
    for file in files {
        let real = match &file.source {
            InputSource::Local(path) => {
                InputSource::Local(fs::canonicalize(path).map_err(|error| FilesError::from_io(path.clone(), error))?)
            }
            remote @ InputSource::Remote(_) => remote.clone(),
        };
        if !seen.insert(real) {
            return Err(FilesError::Twice { source: file.source.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "{}\n").unwrap();
        }
        folder
    }

    fn arg(folder: &tempfile::TempDir, name: &str) -> String {
        folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn refusal(args: &[&str]) -> String {
        discover(args).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_gives_its_ndjson_files_by_name_and_says_what_it_leaves_out() {
        let data = folder(&[
            "b.ndjson",
            "Patient.001.ndjson",
            "Patient.000.NDJSON",
            "parameters.json",
            ".x.ndjson",
            "c.ndjson.gz",
        ]);
        fs::create_dir(data.path().join("deeper")).unwrap();
        let found = discover([arg(&data, "")]).unwrap();

        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let files: Vec<_> =
            found.files.iter().map(|file| (file.source.to_string(), file.declared_type.as_deref())).collect();
        let patient = Some("Patient");
        assert_eq!(
            files,
            [
                (arg(&data, "Patient.000.NDJSON"), patient),
                (arg(&data, "Patient.001.ndjson"), patient),
                (arg(&data, "b.ndjson"), None)
            ]
        );
        let skipped: Vec<_> = found.skipped.iter().map(|skipped| (name(&skipped.path), skipped.reason)).collect();
        assert_eq!(
            skipped,
            [
                (".x.ndjson".into(), SkipReason::Hidden),
                ("c.ndjson.gz".into(), SkipReason::Compressed),
                ("deeper".into(), SkipReason::Folder),
                ("parameters.json".into(), SkipReason::NotNdjson)
            ]
        );
    }

    #[test]
    fn a_type_may_be_named() {
        let data = folder(&["export.txt", "Patient.ndjson"]);
        let found = discover([format!("Observation={}", arg(&data, "export.txt"))]).unwrap();
        assert_eq!(found.files[0].declared_type.as_deref(), Some("Observation"));
        let found = discover([format!("Group={}", arg(&data, ""))]).unwrap();
        assert_eq!(found.files[0].declared_type.as_deref(), Some("Group"));
    }

    #[test]
    fn urls_stay_remote() {
        let found = discover([
            "https://files.example.org/a/Patient.1.ndjson?sig=abc",
            "Observation=gs://bucket/part-0",
            "HTTP://files.example.org/x",
            "file:///srv/Patient.ndjson",
            "Patient=store:test-import/p.ndjson",
            "store:test-import/Group.ndjson",
            "gs://bucket/x/*.ndjson",
        ])
        .unwrap();
        let types: Vec<_> = found.files.iter().map(|file| file.declared_type.as_deref()).collect();
        let patient = Some("Patient");
        assert_eq!(types, [patient, Some("Observation"), None, patient, patient, Some("Group"), None]);
        assert!(matches!(&found.files[0].source, InputSource::Remote(remote) if remote.query() == Some("sig=abc")));
    }

    #[test]
    fn a_credential_in_a_url_is_never_shown() {
        let found = discover(["https://files.example.org/Patient.ndjson?sig=CANARY"]).unwrap();
        assert!(!format!("{found:?} {}", found.files[0].source).contains("CANARY"));
        for url in ["https://me:CANARY@files.example.org/p", "https://CANARY@h/p#x", "ht tp://me:CANARY@h/?CANARY"] {
            let error = discover([url]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_imported_says_why() {
        let data = folder(&["parameters.json", "Patient.ndjson.gz"]);
        fs::create_dir(data.path().join("empty")).unwrap();
        assert!(refusal(&[]).starts_with("no input; name files"));
        assert!(refusal(&[&arg(&data, "nothing.ndjson")]).ends_with("does not exist; check the spelling"));
        assert!(refusal(&[&arg(&data, "empty")]).ends_with("is an empty folder; name one that holds .ndjson files"));
        assert!(refusal(&[&arg(&data, "")]).contains("holds 3 other entries but no .ndjson file"));
        assert!(refusal(&[&arg(&data, "parameters.json")]).contains("wanted is NDJSON, one FHIR resource a line"));
        assert!(refusal(&[&format!("Patient={}", arg(&data, "Patient.ndjson.gz"))]).contains("not compressed"));
        assert!(refusal(&["/dev/null"]).ends_with("is a device; only regular files can be imported"));
    }

    #[test]
    fn links_and_folders_named_ndjson_are_told_not_skipped() {
        let data = folder(&["Patient.ndjson"]);
        symlink(data.path().join("Patient.ndjson"), data.path().join("Zebra.ndjson")).unwrap();
        assert!(refusal(&[&arg(&data, "")]).contains("Zebra.ndjson is a symbolic link"));

        let data = folder(&[]);
        fs::create_dir(data.path().join("Patient.ndjson")).unwrap();
        assert!(refusal(&[&arg(&data, "")]).contains("Patient.ndjson is a folder"));
    }

    #[test]
    fn an_input_named_twice_is_refused() {
        let data = folder(&["Patient.ndjson"]);
        assert!(refusal(&[&arg(&data, ""), &arg(&data, "./Patient.ndjson")]).contains("is named twice"));
        assert!(
            refusal(&["https://h.example/a.ndjson", "Patient=https://h.example/a.ndjson"]).contains("is named twice")
        );
    }
}
