//! That Obelisk can load what it is given, read off the bytes: its own build takes half an hour, so `cargo xtask obelisk`
//! runs it, and this holds in between.

use fhir_import::IMPORTER_WASM;
use fhir_import_obelisk::{DEPLOYMENT, WORKFLOW_WASM};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};

const IMPORTER: &str = "fhir-import:workflow/importer@0.1.0";
const IMPORTS: &str = "fhir-import:orchestration/imports@0.1.0";
const PERSON: &str = "fhir-import:orchestration-obelisk-ext/person@0.1.0";

type Functions = Vec<(String, ComponentFunc)>;

fn component(engine: &Engine, bytes: &[u8]) -> Component {
    Component::from_binary(engine, bytes).unwrap()
}

fn functions(engine: &Engine, item: Option<ComponentItem>) -> Functions {
    let Some(ComponentItem::ComponentInstance(instance)) = item else { panic!("it is no interface") };
    let function = |(name, item): (&str, _)| match item {
        ComponentItem::ComponentFunc(function) => Some((name.to_owned(), function)),
        _ => None,
    };
    instance.exports(engine).filter_map(|(name, item)| function((name, item.ty))).collect()
}

fn exported(engine: &Engine, bytes: &[u8], interface: &str) -> Functions {
    functions(engine, component(engine, bytes).component_type().get_export(engine, interface).map(|item| item.ty))
}

fn imported(engine: &Engine, bytes: &[u8], interface: &str) -> Functions {
    functions(engine, component(engine, bytes).component_type().get_import(engine, interface).map(|item| item.ty))
}

fn signature(function: &ComponentFunc) -> (Vec<Type>, Vec<Type>) {
    (function.params().map(|(_, kind)| kind).collect(), function.results().collect())
}

/// Obelisk calls a function whose result has no error, or one with a case of its own (`execution-failed`) for calls that
/// died; other functions it passes over. Only plain values can be stored.
fn can_be_called(name: &str, function: &ComponentFunc) {
    let (parameters, results) = signature(function);
    let [Type::Result(result)] = &results[..] else { panic!("{name} answers with {results:?}") };
    let Some(Type::Variant(error)) = result.err() else { panic!("{name} errs with {:?}", result.err()) };
    assert!(error.cases().any(|case| case.name == "execution-failed" && case.ty.is_none()), "{name}");
    // What is not tried again says so by its name.
    assert!(error.cases().all(|case| case.name == "execution-failed" || case.name.contains("permanent")), "{name}");
    parameters.iter().chain(&results).for_each(|kind| is_plain(name, kind));
}

fn is_plain(name: &str, kind: &Type) {
    match kind {
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            panic!("{name} has a {kind:?}, which no engine can store")
        }
        Type::List(list) => is_plain(name, &list.ty()),
        Type::Record(record) => record.fields().for_each(|field| is_plain(name, &field.ty)),
        Type::Tuple(tuple) => tuple.types().for_each(|kind| is_plain(name, &kind)),
        Type::Variant(variant) => variant.cases().filter_map(|case| case.ty).for_each(|kind| is_plain(name, &kind)),
        Type::Option(option) => is_plain(name, &option.ty()),
        Type::Result(result) => result.ok().iter().chain(&result.err()).for_each(|kind| is_plain(name, kind)),
        _ => {}
    }
}

#[test]
fn obelisk_can_call_all_of_the_importer() {
    let engine = Engine::default();
    let calls = exported(&engine, IMPORTER_WASM, IMPORTER);
    let names: Vec<&str> = calls.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["start", "step", "submit", "recover", "resolve", "inspect"]);
    calls.iter().for_each(|(name, function)| can_be_called(name, function));
}

#[test]
fn obelisk_can_start_an_import() {
    let engine = Engine::default();
    let runs = exported(&engine, WORKFLOW_WASM, IMPORTS);
    assert_eq!(runs.len(), 1);
    can_be_called(&runs[0].0, &runs[0].1);
}

#[test]
fn the_loop_calls_the_importer_as_it_is() {
    let engine = Engine::default();
    let calls = exported(&engine, IMPORTER_WASM, IMPORTER);
    let wanted = imported(&engine, WORKFLOW_WASM, IMPORTER);
    assert_eq!(wanted.len(), 5, "all but `inspect`");
    for (name, wanted) in wanted {
        let (_, found) = calls.iter().find(|(call, _)| *call == name).unwrap_or_else(|| panic!("no {name}"));
        assert!(signature(&wanted) == signature(found), "{name} has other types at the importer");
    }
}

#[test]
fn the_loop_asks_obelisk_for_what_it_has_and_wasi_for_nothing() {
    let engine = Engine::default();
    let loops = component(&engine, WORKFLOW_WASM);
    let mut names: Vec<String> = loops.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    names.sort();
    let expected = [
        PERSON,
        IMPORTER,
        "fhir-import:workflow/types@0.1.0",
        "obelisk:types/execution@5.0.0",
        "obelisk:types/join-set@5.0.0",
        "obelisk:types/time@5.0.0",
        "obelisk:workflow/workflow-support@6.0.0",
    ];
    assert_eq!(names, expected);
}

/// Its types are written a second time in deployment.toml, in Obelisk's words.
#[test]
fn a_person_can_decide_whatever_the_contract_knows() {
    let engine = Engine::default();
    let resolve = exported(&engine, IMPORTER_WASM, IMPORTER).into_iter().find(|(name, _)| name == "resolve").unwrap();
    let (parameters, _) = signature(&resolve.1);
    let Some(Type::Variant(decision)) = parameters.last() else { panic!("{parameters:?}") };
    let case = |case: wasmtime::component::types::Case<'_>| match case.ty {
        None => case.name.to_owned(),
        Some(Type::String) => format!("{}(string)", case.name),
        Some(Type::U64) => format!("{}(u64)", case.name),
        Some(other) => panic!("{other:?}"),
    };
    let cases: Vec<String> = decision.cases().map(case).collect();
    let line = format!("return_type = \"result<variant {{ {} }}>\"", cases.join(", "));
    let (_, deployment) = DEPLOYMENT.iter().find(|(name, _)| *name == "deployment.toml").unwrap();
    let deployment = std::str::from_utf8(deployment).unwrap();
    assert!(deployment.lines().any(|other| other == line), "{line}\nis not in\n{deployment}");
}
