//! What is made from the flags' definitions: completion scripts and manual pages.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::shared::exit::Exit;
use crate::shared::{console, stdout};

pub(super) const COMPLETIONS_HELP: &str = "\
Where it goes:
  haul completions bash > ~/.local/share/bash-completion/completions/haul
  haul completions zsh > ~/.zfunc/_haul
  haul completions fish > ~/.config/fish/completions/haul.fish
  haul completions elvish >> ~/.config/elvish/rc.elv
  haul completions powershell >> $PROFILE

zsh looks into ~/.zfunc if ~/.zshrc has, before compinit: fpath+=~/.zfunc";

pub(super) const MAN_HELP: &str = "\
Examples:
  haul man | man -l -
  haul man --dir ~/.local/share/man/man1 && man haul-get";

/// What `haul completions` can be told.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell: bash, zsh, fish, elvish or powershell
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Shell,
}

/// What `haul man` can be told.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write one file per command, haul.1 and others, into DIR, which is made if need be
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Writes the completion script of a shell to standard output.
pub(super) fn completions(args: &CompletionsArgs, haul: Command) -> Exit {
    stdout::show_own(&script(args.shell, haul), Exit::Complete)
}

/// Writes the manual pages to standard output, or to files.
pub(super) fn man(args: &ManArgs, haul: Command) -> Exit {
    let pages = pages(haul);
    let Some(dir) = &args.dir else {
        let all: String = pages.into_iter().map(|(_, text)| text).collect();
        return stdout::show_own(&all, Exit::Complete);
    };
    match write(dir, &pages) {
        Ok(()) => Exit::Complete,
        Err(message) => {
            console::tell(&format!("haul: {message}"));
            Exit::Usage
        }
    }
}

fn write(dir: &Path, pages: &[(String, String)]) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| format!("can't make the directory {}: {error}", dir.display()))?;
    for (name, text) in pages {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|error| format!("can't write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn script(shell: Shell, mut haul: Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut haul, "haul", &mut script);
    String::from_utf8(script).expect("made from texts")
}

/// Each page's file name and text: first haul's own, then one per subcommand.
fn pages(haul: Command) -> Vec<(String, String)> {
    let mut haul = haul.disable_help_subcommand(true);
    haul.build();
    let subcommands: Vec<_> = haul.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    std::iter::once(haul).chain(subcommands).map(page_of).collect()
}

fn page_of(mut command: Command) -> (String, String) {
    // The synopsis as the help has it: a list of all flags would fill the first screen.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    let notes = command.get_after_help().map(ToString::to_string);
    let command = command.override_usage(usage).after_help(None::<&str>);
    let man = Man::new(command).source(concat!("haul ", env!("CARGO_PKG_VERSION")));
    let name = man.get_filename();
    let mut text = Vec::new();
    man.render(&mut text).expect("writing to memory doesn't fail");
    let mut text = String::from_utf8(text).expect("made from texts");
    if let Some(notes) = notes {
        text.push_str(&verbatim(&notes));
    }
    (name, text)
}

/// The help's last part: lines that begin at the margin and end with a colon are headings, the others stay as they are.
fn verbatim(notes: &str) -> String {
    let mut roff = Roff::new();
    let mut lines = notes.lines().peekable();
    let is_heading = |line: &str| line.ends_with(':') && !line.starts_with(' ');
    while let Some(line) = lines.next() {
        match line.strip_suffix(':') {
            // A heading brings its own distance.
            None if line.is_empty() && lines.peek().is_some_and(|next| is_heading(next)) => {}
            None if line.is_empty() => {
                roff.control("sp", []);
            }
            Some(heading) if is_heading(line) => {
                roff.control("fi", []);
                roff.control("SH", [heading.to_uppercase().as_str()]);
                roff.control("nf", []);
            }
            _ => {
                roff.text([roman(line)]);
            }
        }
    }
    roff.control("fi", []);
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Cli;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_flags() {
        for shell in <Shell as clap::ValueEnum>::value_variants() {
            let script = script(*shell, Cli::command());
            for word in ["per-host", "completions"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn every_command_has_a_page_with_its_flags_and_notes() {
        let pages = pages(Cli::command());
        let names: Vec<_> = pages.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names[0], "haul.1");
        assert_eq!(names.len(), 1 + Cli::command().get_subcommands().count());
        let get = &pages.iter().find(|(name, _)| name == "haul-get.1").expect("a page").1;
        for part in [r"\-\-per\-host", ".SH LIMITS", ".SH \"EXIT CODES\"", "haul get \\-i urls.txt \\-o"] {
            assert!(get.contains(part), "{part} is not in {get}");
        }
        assert!(get.contains("[OPTIONS] [URL]..."), "the synopsis is short");
    }
}
