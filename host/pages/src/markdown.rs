//! Blocks as Markdown.

use crate::{Block, Table};

/// The page as Markdown.
#[must_use]
pub fn markdown(blocks: &[Block]) -> String {
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(title) => format!("# {title}\n"),
        Block::Heading(heading) => format!("## {heading}\n"),
        Block::Text(text) => format!("{text}\n"),
        Block::List(items) => items.iter().map(|item| format!("- {item}\n")).collect(),
        Block::Facts(facts) => facts.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect(),
        Block::Table(shown) => table(shown),
        Block::Code(code) => format!("```text\n{code}\n```\n"),
    }
}

fn table(table: &Table) -> String {
    let head = row(table.head.iter().copied());
    let line = row(table.head.iter().map(|_| "---"));
    let rows = table.rows.iter().map(|cells| row(cells.iter().map(String::as_str)));
    [head, line].into_iter().chain(rows).collect()
}

fn row<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_parted_by_empty_lines_and_bars_in_cells_are_kept() {
        let table = Table { head: vec!["a", "b"], rows: vec![vec!["1|2".to_owned(), String::new()]] };
        let page =
            markdown(&[Block::Title("T".to_owned()), Block::Facts(vec![("n", "v".to_owned())]), Block::Table(table)]);
        assert_eq!(page, "# T\n\n- n: v\n\n| a | b |\n| --- | --- |\n| 1\\|2 |  |\n");
    }
}
