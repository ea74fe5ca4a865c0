//! `cargo xtask simulate`: so many imports from a seed on; or one, in full.

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    if let [flag, folder] = &args[..]
        && flag == "--corpus"
    {
        return corpus(folder.as_ref());
    }
    match (number("--jobs"), number("--seed"), number("--replay")) {
        (_, _, Some(seed)) => replay(seed),
        (jobs, seed, None) => many(seed.unwrap_or(1), jobs.unwrap_or(10_000)),
    }
}

fn corpus(folder: &std::path::Path) -> ExitCode {
    match fhir_import_simulation::corpus::write(folder) {
        Ok(kinds) => {
            println!("{kinds} kinds of checkpoints, and a journal, are in {}", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn many(seed: u64, jobs: u64) -> ExitCode {
    println!("{jobs} imports, seeds from {seed} on");
    let started = Instant::now();
    let summary = fhir_import_simulation::run(seed, jobs, |_| Ok(()));
    println!(
        "{} imports in {} s: {} requests, {} with crashes or failing disks",
        summary.imports,
        started.elapsed().as_secs(),
        summary.requests,
        summary.with_deaths
    );
    summary.outcomes.iter().for_each(|(outcome, count)| println!("  {count:>9} {outcome}"));
    println!("{} broken promises", summary.failures.len());
    if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64) -> ExitCode {
    let ended = fhir_import_simulation::native(seed);
    println!("{}", ended.transcript());
    println!(
        "{:?} on {}, missing file: {}",
        ended.scenario.script, ended.scenario.kind.personality, ended.scenario.missing_file
    );
    println!("{:?}", ended.report);
    match fhir_import_simulation::judge(&ended) {
        Ok(()) => ExitCode::SUCCESS,
        Err(broken) => {
            println!("{}: {}", broken.promise, broken.how);
            ExitCode::FAILURE
        }
    }
}
