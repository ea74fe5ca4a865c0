//! All dialects beside each other.

use fhir_import_workflow::Dialect;
use fhir_import_workflow::dialect::CancelShape;

use crate::words::{self, CLASSES};
use crate::{Block, Table};

/// A column of the comparison.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    cell: fn(&Dialect) -> String,
}

const fn column(name: &'static str, cell: fn(&Dialect) -> String) -> Column {
    Column { name, cell }
}

const SERVERS: &[Column] = &[TITLE, PROVEN];

const INPUTS: &[Column] = &[
    column("the server fetches", words::schemes),
    column("files", words::count),
    column("how", words::delivery),
    column("a query in a URL", |d| words::permission(d.inputs.query).unwrap_or("allowed").to_owned()),
    column("order", |d| words::order(d).to_owned()),
];

const KICK_OFF: &[Column] = &[
    column("kick-off", words::kick_off),
    column("body", |d| words::body(d).to_owned()),
    column("`Prefer`", words::prefer),
    column("accepted", |d| words::listed(&d.kick_off.accepted)),
    column("where the job is", words::handle),
];

const JOB: &[Column] = &[
    column("status", words::poll),
    column("last answers", words::last_answers),
    column("result", |d| words::result(d).to_owned()),
    column("errors", |d| words::errors(d).to_owned()),
    column("cancel", words::cancel),
    LOST,
];

const TITLE: Column = column("servers", |d| d.title.clone());
const PROVEN: Column = column("how well it is proven", |d| d.proven.clone());
const CANCEL: Column = column("cancel", |d| if d.cancel.shape == CancelShape::None { "no" } else { "yes" }.to_owned());
const LOST: Column = column("answer lost", |d| words::class(d.recovery.class).to_owned());

/// What is told first: for whom to choose one.
const GLANCE: &[Column] = &[TITLE, CANCEL, LOST, PROVEN];

/// The same where there is room.
const WIDE_GLANCE: &[Column] = &[
    TITLE,
    column("fetches", words::schemes),
    column("kick-off", words::kick_off),
    column("result", |d| words::result(d).to_owned()),
    CANCEL,
    LOST,
    PROVEN,
];

/// Columns of a screen that has room.
const WIDE: usize = 160;

/// The comparison in full; `name` makes a name that leads to the dialect's page.
#[must_use]
pub fn overview(dialects: &[Dialect], name: fn(&str) -> String) -> Vec<Block> {
    let table = |columns: &[Column]| table(dialects, columns, name);
    vec![
        Block::Title("Dialects".to_owned()),
        Block::Text(
            "What each kind of server really does, from the files in \
             [guest/dialects/dialects](../../guest/dialects/dialects). Each name leads to a page that says where each \
             value comes from; `fhir-import dialects NAME` prints the same. A server that is not here can be described in \
             a file of your own: [own-dialect.md](../own-dialect.md)."
                .to_owned(),
        ),
        table(SERVERS),
        Block::Heading("Files"),
        table(INPUTS),
        Block::Heading("Kick-off"),
        table(KICK_OFF),
        Block::Heading("Job"),
        table(JOB),
        Block::Text("With a \\*, what the answer says is looked at beside its status.".to_owned()),
        lost(),
        classes(),
    ]
}

/// The same in one table, for a screen of so many columns.
#[must_use]
pub fn at_a_glance(dialects: &[Dialect], width: usize) -> Vec<Block> {
    let columns = if width < WIDE { GLANCE } else { WIDE_GLANCE };
    vec![table(dialects, columns, str::to_owned), lost(), classes()]
}

fn lost() -> Block {
    Block::Text("Answer lost: what is done when nobody knows whether a kick-off was accepted.".to_owned())
}

fn classes() -> Block {
    Block::Facts(CLASSES.map(|class| (words::class(class), words::meaning(class).to_owned())).to_vec())
}

fn table(dialects: &[Dialect], columns: &[Column], name: fn(&str) -> String) -> Block {
    let head = std::iter::once("dialect").chain(columns.iter().map(|column| column.name)).collect();
    let row = |dialect: &Dialect| {
        let cells = columns.iter().map(|column| (column.cell)(dialect));
        std::iter::once(name(&dialect.name)).chain(cells).collect()
    };
    Block::Table(Table { head, rows: dialects.iter().map(row).collect() })
}
