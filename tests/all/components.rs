//! What the components ask for, which is all that they can do.

use fhir_import::{IMPORTER_WASM, RECORDS_WASM};
use wasmtime::Engine;
use wasmtime::component::Component;

fn imports(bytes: &[u8]) -> Vec<String> {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, bytes).unwrap();
    let mut names: Vec<String> = component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names
}

#[test]
fn importer_imports_http_io_and_clocks_and_nothing_else() {
    let expected = [
        "wasi:clocks/monotonic-clock@0.2.12",
        "wasi:clocks/wall-clock@0.2.12",
        "wasi:http/outgoing-handler@0.2.12",
        "wasi:http/types@0.2.12",
        "wasi:io/error@0.2.12",
        "wasi:io/poll@0.2.12",
        "wasi:io/streams@0.2.12",
    ];
    assert_eq!(imports(IMPORTER_WASM), expected);
}

#[test]
fn records_imports_nothing() {
    assert_eq!(imports(RECORDS_WASM), Vec::<String>::new());
}

#[test]
fn importer_is_at_most_450_kilobytes() {
    assert!(IMPORTER_WASM.len() <= 450_000, "importer.wasm has {} bytes", IMPORTER_WASM.len());
}
