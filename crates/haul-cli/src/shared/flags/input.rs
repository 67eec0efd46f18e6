//! Which URLs.

use std::path::{Path, PathBuf};

use clap::Args;
use haul::source::Input;

use super::{PlanResult, World, values};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// URLs to fetch, before those of any input file
    #[arg(value_name = "URL", help_heading = "Arguments")]
    pub(crate) urls: Vec<String>,
    /// Read URLs from FILE (plain, gzip or zstd), or from standard input if it is -; may be repeated
    #[arg(short, long = "input", value_name = "FILE")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Reject input lines longer than this [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) max_line: Option<u64>,
}

impl InputArgs {
    /// What to read. `example`: a command line to show who gave nothing.
    ///
    /// # Errors
    /// Standard input is named twice, or there is nothing to read.
    pub(crate) fn inputs(self, world: &World<'_>, example: &str) -> PlanResult<Vec<Input>> {
        let stdin = Path::new("-");
        if self.inputs.iter().filter(|path| *path == stdin).count() > 1 {
            return Err("standard input can be read only once; give -i - once".to_owned());
        }
        let files = self.inputs.into_iter().map(|path| if path == stdin { Input::Stdin } else { Input::File(path) });
        let inputs: Vec<Input> = self.urls.into_iter().map(Input::Url).chain(files).collect();
        match (inputs.is_empty(), world.stdin_is_terminal) {
            (false, _) => Ok(inputs),
            (true, false) => Ok(vec![Input::Stdin]),
            (true, true) => Err(format!("nothing to fetch; give URLs, as in: {example}")),
        }
    }
}
