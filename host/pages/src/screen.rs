//! Blocks on a screen of so many columns: what is wider is wrapped, and code stays as it is.

use crate::{Block, Table};

/// Between two columns of a table.
const GAP: usize = 2;
/// A column is not made narrower than its longest word, unless that is longer.
const LONGEST_WORD: usize = 15;

/// The page as plain text.
#[must_use]
pub fn screen(blocks: &[Block], width: usize) -> String {
    blocks.iter().map(|shown| block(shown, width)).collect::<Vec<_>>().join("\n")
}

fn block(block: &Block, width: usize) -> String {
    match block {
        Block::Title(text) | Block::Text(text) => hanging("", text, width),
        Block::Heading(heading) => format!("{}\n", heading.to_uppercase()),
        Block::List(items) => items.iter().map(|item| hanging("  - ", item, width)).collect(),
        Block::Facts(facts) => {
            let longest = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
            facts.iter().map(|(name, value)| hanging(&format!("  {name:<longest$}  "), value, width)).collect()
        }
        Block::Table(shown) => table(shown, width),
        Block::Code(code) => code.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect(),
    }
}

/// A text behind its mark; further lines begin where it began.
fn hanging(mark: &str, text: &str, width: usize) -> String {
    let indent = mark.chars().count();
    let lines = wrapped(text, width.saturating_sub(indent));
    let marks = std::iter::once(mark.to_owned()).chain(std::iter::repeat(" ".repeat(indent)));
    lines.iter().zip(marks).map(|(line, mark)| format!("{mark}{line}\n")).collect()
}

/// Lines of whole words; one that is too long is parted behind a hyphen or a slash, else it has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let parts = if word.chars().count() > width { word.split_inclusive(['-', '/']).collect() } else { vec![word] };
        for (number, part) in parts.into_iter().enumerate() {
            let line = lines.last_mut().expect("there is a line");
            let gap = if number == 0 && !line.is_empty() { " " } else { "" };
            if line.is_empty() || line.chars().count() + gap.len() + part.chars().count() <= width {
                line.push_str(gap);
                line.push_str(part);
            } else {
                lines.push(part.to_owned());
            }
        }
    }
    lines
}

/// Cells are apart already, so that they need no backticks.
fn table(table: &Table, width: usize) -> String {
    let head: Vec<String> = table.head.iter().map(|name| (*name).to_owned()).collect();
    let bare = |cells: &Vec<String>| cells.iter().map(|cell| cell.replace('`', "")).collect();
    let rows: Vec<Vec<String>> = table.rows.iter().map(bare).collect();
    let widths = widths(&head, &rows, width.saturating_sub(GAP));
    std::iter::once(&head).chain(&rows).map(|cells| row(cells, &widths)).collect()
}

/// As wide as the widest cell; when that is too much, the widest columns give way, but no name in the first is parted.
fn widths(head: &[String], rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let longest_word = |column: usize| {
        let cells = rows.iter().map(Vec::as_slice).chain([head]).flat_map(|row| row[column].split_whitespace());
        cells.map(|word| word.chars().count()).max().unwrap_or_default()
    };
    let mut widths: Vec<usize> = (0..head.len()).map(widest).collect();
    let least = |column: usize| if column == 0 { longest_word(0) } else { longest_word(column).min(LONGEST_WORD) };
    let least: Vec<usize> = (0..head.len()).map(least).collect();
    let room = width.saturating_sub(GAP * head.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let shrinkable = (0..head.len()).filter(|column| widths[*column] > least[*column]);
        let Some(column) = shrinkable.max_by_key(|column| widths[*column]) else { break };
        widths[column] -= 1;
    }
    widths
}

fn row(cells: &[String], widths: &[usize]) -> String {
    let cells: Vec<Vec<String>> = cells.iter().zip(widths).map(|(cell, width)| wrapped(cell, *width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    let line = |number: usize| {
        let parts = cells.iter().zip(widths).map(|(cell, width)| {
            let text = cell.get(number).map_or("", String::as_str);
            format!("{text:<width$}")
        });
        format!("{:GAP$}{}", "", parts.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    (0..height).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Table {
        let rows = [["hapi", "one two three four"], ["smile", "five"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        Table { head: vec!["name", "what it does"], rows }
    }

    #[test]
    fn a_table_that_fits_has_a_line_for_each_row() {
        let wanted = "  name   what it does\n  hapi   one two three four\n  smile  five\n";
        assert_eq!(screen(&[Block::Table(rows())], 80), wanted);
    }

    #[test]
    fn a_table_that_does_not_fit_is_wrapped_in_its_widest_column() {
        let wanted = "  name   what it\n         does\n  hapi   one two\n         three four\n  smile  five\n";
        assert_eq!(screen(&[Block::Table(rows())], 20), wanted);
    }

    #[test]
    fn facts_and_lists_hang() {
        let facts = Block::Facts(vec![("a", "one two".to_owned()), ("long", "x".to_owned())]);
        assert_eq!(screen(&[facts], 12), "  a     one\n        two\n  long  x\n");
        assert_eq!(screen(&[Block::List(vec!["one two".to_owned()])], 8), "  - one\n    two\n");
        assert_eq!(screen(&[Block::Text("a three-four/five".to_owned())], 9), "a three-\nfour/five\n");
    }
}
