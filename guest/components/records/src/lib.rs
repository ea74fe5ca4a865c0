//! Room 5, `records.wasm`: the contract over the records. It imports nothing: bytes go in, findings come out.

#![expect(unsafe_code, reason = "the exports that wit-bindgen generates are raw functions")]

mod bindings;
mod convert;

use std::cell::RefCell;

use bindings::exports::fhir_import::workflow::records as wit;
use fhir_import_records as records;

struct Component;

impl wit::Guest for Component {
    type Checker = Checker;
    type Triage = Triage;
    type Joiner = Joiner;
}

struct Checker(RefCell<records::Checker>);

impl wit::GuestChecker for Checker {
    fn new(options: wit::CheckOptions) -> Self {
        Self(RefCell::new(records::Checker::new(&convert::options(&options))))
    }

    fn next_file(&self, expected_type: Option<String>) {
        self.0.borrow_mut().next_file(expected_type.as_deref());
    }

    fn feed(&self, bytes: Vec<u8>) -> Vec<wit::Finding> {
        self.0.borrow_mut().feed(&bytes).into_iter().map(convert::finding).collect()
    }

    fn end_file(&self) -> (Vec<wit::Finding>, wit::FileSummary) {
        let (findings, summary) = self.0.borrow_mut().end_file();
        (findings.into_iter().map(convert::finding).collect(), convert::file_summary(summary))
    }

    fn finish(this: wit::Checker) -> wit::Summary {
        convert::summary(this.into_inner::<Self>().0.into_inner().finish())
    }
}

struct Triage(RefCell<records::Triage>);

impl wit::GuestTriage for Triage {
    fn new(max_classes: u32) -> Self {
        Self(RefCell::new(records::Triage::new(max_classes)))
    }

    fn feed(&self, bytes: Vec<u8>) -> Vec<wit::Place> {
        self.0.borrow_mut().feed(&bytes).into_iter().map(convert::place).collect()
    }

    fn end_file(&self) -> Vec<wit::Place> {
        self.0.borrow_mut().end_file().into_iter().map(convert::place).collect()
    }

    fn finish(this: wit::Triage) -> wit::TriageSummary {
        convert::triage_summary(this.into_inner::<Self>().0.into_inner().finish())
    }
}

struct Joiner(RefCell<records::Joiner>);

impl wit::GuestJoiner for Joiner {
    fn new(locators: Vec<wit::Locator>) -> Self {
        Self(RefCell::new(records::Joiner::new(locators.into_iter().map(convert::locator).collect())))
    }

    fn feed(&self, bytes: Vec<u8>) -> Vec<wit::Joined> {
        self.0.borrow_mut().feed(&bytes).into_iter().map(convert::joined).collect()
    }

    fn finish(this: wit::Joiner) -> Vec<wit::Joined> {
        this.into_inner::<Self>().0.into_inner().finish().into_iter().map(convert::joined).collect()
    }
}

bindings::export!(Component with_types_in bindings);
