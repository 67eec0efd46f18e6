//! docs/reference/COMMANDS.md, made from the flags' definitions and held by a test. `HAUL_BLESS=1` writes it anew.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::Cli;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/COMMANDS.md");

const INTRODUCTION: &str = "\
# Commands and flags

<!-- Written by a test from the flags' definitions; HAUL_BLESS=1 cargo test --bin haul reference renews it. -->

The same as `haul COMMAND --help` and `haul man` say.
";

/// The page.
fn page() -> String {
    let mut haul = Cli::command();
    haul.build();
    let mut page = INTRODUCTION.to_owned();
    for command in haul.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set()) {
        section(&mut page, command).expect("writing to a string doesn't fail");
    }
    page
}

fn section(page: &mut String, command: &Command) -> std::fmt::Result {
    let usage = command.clone().render_usage().to_string();
    writeln!(page, "\n## haul {}\n", command.get_name())?;
    writeln!(page, "{}\n", command.get_about().expect("every command says what it does"))?;
    writeln!(page, "```text\n{}\n```", usage.trim_start_matches("Usage:").trim())?;
    for heading in headings(command) {
        writeln!(page, "\n### {heading}\n\n| flag | meaning | default |\n|---|---|---|")?;
        for argument in shown(command).filter(|argument| heading_of(argument) == heading) {
            let (meaning, default) = meaning(argument);
            writeln!(page, "| {} | {} | {} |", name(argument), cell(&meaning), cell(&default))?;
        }
    }
    match command.get_after_help() {
        Some(notes) => writeln!(page, "\n```text\n{notes}\n```"),
        None => Ok(()),
    }
}

/// The arguments that the help shows, but for the help's own.
fn shown(command: &Command) -> impl Iterator<Item = &Arg> {
    let own = |argument: &&Arg| matches!(argument.get_action(), ArgAction::Help | ArgAction::Version);
    command.get_arguments().filter(move |argument| !argument.is_hide_set() && !own(argument))
}

fn headings(command: &Command) -> Vec<&str> {
    let mut headings = Vec::new();
    for heading in shown(command).map(heading_of) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    headings
}

fn heading_of(argument: &Arg) -> &str {
    match argument.get_help_heading() {
        Some(heading) => heading,
        None if argument.is_positional() => "Arguments",
        None => "Options",
    }
}

/// `-c`, `--concurrency N`
fn name(argument: &Arg) -> String {
    let value = argument.get_value_names().filter(|_| argument.get_action().takes_values());
    let value = value.map(|names| names.join(" ")).unwrap_or_default();
    let long = match argument.get_long() {
        Some(long) => format!("`{}`", format!("--{long} {value}").trim_end()),
        None => format!("`{value}`"),
    };
    match argument.get_short() {
        Some(short) => format!("`-{short}`, {long}"),
        None => long,
    }
}

/// What the help says, and the default named in it or in the definition.
fn meaning(argument: &Arg) -> (String, String) {
    let help = argument.get_help().expect("every flag says what it does").to_string();
    if let Some((meaning, default)) = help.split_once(" [default: ") {
        return (meaning.to_owned(), default.trim_end_matches(']').to_owned());
    }
    let defaults = argument.get_default_values().iter().filter(|_| argument.get_action().takes_values());
    (help.clone(), defaults.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(", "))
}

/// A text that may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

#[test]
fn the_reference_of_all_flags_is_true() {
    let page = page();
    if blessed() {
        std::fs::write(DOCUMENT, &page).expect("docs/reference/COMMANDS.md is writable");
    }
    let committed = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(committed == page, "docs/reference/COMMANDS.md is stale: run HAUL_BLESS=1 cargo test --bin haul reference");
    assert!(page.contains("| `-c`, `--concurrency N` | Requests in flight over all hosts | 256 |"), "{page}");
}

#[expect(clippy::disallowed_methods, reason = "a test that can renew the document it checks has to be told to")]
fn blessed() -> bool {
    std::env::var("HAUL_BLESS").is_ok()
}
