//! What a user can type, in the program's own words.

use anyhow::{Result, ensure};

use crate::run::output;
use crate::workspace::Workspace;

/// The page.
pub fn page(workspace: &Workspace) -> Result<String> {
    let main = help(workspace, &[])?;
    let commands = commands(&main);
    ensure!(!commands.is_empty(), "`fhir-import --help` lists no commands");
    let mut page = format!("# Commands\n\nExit codes: [outcomes.md](outcomes.md).\n\n```text\n{main}```\n");
    for command in commands {
        let help = help(workspace, &[command])?;
        page += &format!("\n## {command}\n\n```text\n{help}```\n");
    }
    Ok(page)
}

fn help(workspace: &Workspace, command: &[&str]) -> Result<String> {
    let mut program = workspace.fhir_import();
    program.args(command).arg("--help").env("COLUMNS", "100").env("NO_COLOR", "1");
    let help = output(&mut program)?;
    let lines = help.trim_end().lines().map(str::trim_end);
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

/// The first words of the lines below `Commands:`; wrapped lines are further in.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let entries = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    entries.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn commands_are_read_from_the_help() {
        let help =
            "Text\n\nCommands:\n  run   Imports\n          and waits\n  wait  Goes on\n  help  Print\n\nOptions:\n  -h";
        assert_eq!(super::commands(help), ["run", "wait"]);
    }
}
