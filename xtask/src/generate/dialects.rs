//! What is known about each server, and from where: the comparison, and a page for each. They show the definitions as they
//! are compiled into the component.

use fhir_import_pages::{Dialect, markdown, overview, page};

/// The comparison.
pub fn all() -> String {
    markdown(&overview(&fhir_import_dialects::all(), |name| format!("[{name}](dialects/{name}.md)")))
}

/// The page of each: its name below the folder, the file that it is made from, and its text.
pub fn each() -> Vec<(String, String, String)> {
    let page = |dialect: Dialect| {
        let name = &dialect.name;
        let source = format!("guest/dialects/dialects/{name}.toml");
        (format!("dialects/{name}.md"), source, markdown(&page(&dialect)))
    };
    fhir_import_dialects::all().into_iter().map(page).collect()
}

#[cfg(test)]
mod tests {
    use fhir_import_pages::{Block, screen};

    use super::*;

    fn pages() -> Vec<(String, Vec<Block>)> {
        fhir_import_dialects::all().iter().map(|dialect| (dialect.name.clone(), page(dialect))).collect()
    }

    #[test]
    fn every_table_has_a_cell_for_each_column() {
        for (name, blocks) in pages() {
            for block in &blocks {
                let Block::Table(table) = block else { continue };
                assert!(table.rows.iter().all(|row| row.len() == table.head.len()), "{name}: {:?}", table.head);
            }
        }
    }

    #[test]
    fn every_page_says_how_well_the_dialect_is_proven_and_names_its_sources() {
        for (dialect, (_, blocks)) in fhir_import_dialects::all().iter().zip(pages()) {
            let page = markdown(&blocks);
            assert!(page.contains(&format!("Proven: {}.", dialect.proven)), "{}", dialect.name);
            assert!(page.contains(&dialect.kick_off.source) && page.contains(&dialect.recovery.source), "{page}");
        }
    }

    #[test]
    fn a_screen_of_eighty_columns_is_only_exceeded_by_code_and_long_words() {
        for (name, blocks) in pages() {
            for line in screen(&blocks, 80).lines().filter(|line| !line.starts_with("    ")) {
                let long_word = line.split_whitespace().any(|word| word.chars().count() > 24);
                assert!(line.chars().count() <= 80 || long_word, "{name}: {line}");
            }
        }
    }
}
