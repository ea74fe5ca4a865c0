//! Room 7, beside the command: dialects as people read them. The same page is printed by `fhir-import dialects NAME` and
//! is generated into `docs/reference/dialects/`.
//!
//! [`overview`] and [`page`] say what there is to say, as [`Block`]s; [`markdown`] and [`screen`] lay it out.

mod compare;
mod json;
mod markdown;
mod page;
mod screen;
mod words;

pub use compare::{at_a_glance, overview};
pub use fhir_import_workflow::Dialect;
pub use markdown::markdown;
pub use page::page;
pub use screen::screen;

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// The title of the page.
    Title(String),
    /// The title of a section.
    Heading(&'static str),
    /// A paragraph.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// Names with what is so of them.
    Facts(Vec<(&'static str, String)>),
    /// A table.
    Table(Table),
    /// Text that stays as it is.
    Code(String),
}

/// A table; each row has as many cells as the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub head: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}
