//! Opens the output, and refuses to write into an input.

use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use haul::model::Sink;
use haul::sink::{InputOrder, Ndjson};
use haul::source::Input;

use crate::shared::console::TerminalWriter;

use super::args::RecordOrder;
use super::plan::Output;

/// Bytes of records that `--order input` holds in memory before it uses temporary files, and the part of a memory budget
/// that it takes at the most.
const HELD_IN_MEMORY: usize = 64 << 20;
const PART_OF_BUDGET: u64 = 20;

/// Opens what `output` names, unless it is one of `inputs`. `budget`: bytes of memory for the whole run, if there is a limit.
///
/// # Errors
/// It can't be opened, or is an input.
pub(super) fn open(output: Output, inputs: &[Input], budget: Option<u64>) -> io::Result<Box<dyn Sink>> {
    let (file, name) = match &output.file {
        Some(path) => (create(path, inputs)?, path.display().to_string()),
        None => (stdout(inputs)?, "standard output".to_owned()),
    };
    let part = budget.and_then(|budget| usize::try_from(budget / PART_OF_BUDGET).ok());
    let held = part.map_or(HELD_IN_MEMORY, |part| part.min(HELD_IN_MEMORY));
    Ok(match (output.order, file.is_terminal()) {
        (RecordOrder::Completion, false) => Box::new(Ndjson::new(file, name, output.fields)),
        (RecordOrder::Completion, true) => Box::new(Ndjson::new(TerminalWriter(file), name, output.fields)),
        (RecordOrder::Input, false) => Box::new(InputOrder::new(file, name, output.fields, held)),
        (RecordOrder::Input, true) => Box::new(InputOrder::new(TerminalWriter(file), name, output.fields, held)),
    })
}

fn create(path: &Path, inputs: &[Input]) -> io::Result<File> {
    if let Ok(existing) = fs::metadata(path) {
        refuse_input(&existing, inputs, &path.display().to_string())?;
    }
    File::create(path).map_err(|error| {
        let advice = if error.kind() == io::ErrorKind::NotFound { "; make its directory first" } else { "" };
        io::Error::new(error.kind(), format!("can't write output {}: {error}{advice}", path.display()))
    })
}

/// Standard output, past the standard library's buffer, which would write line by line.
fn stdout(inputs: &[Input]) -> io::Result<File> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    refuse_input(&file.metadata()?, inputs, "standard output")?;
    Ok(file)
}

/// Records written into an input would be lost or be read again as input.
fn refuse_input(output: &Metadata, inputs: &[Input], name: &str) -> io::Result<()> {
    let same =
        |input: &Input| metadata(input).is_some_and(|input| (input.dev(), input.ino()) == (output.dev(), output.ino()));
    if output.is_file() && inputs.iter().any(same) {
        let message = format!("{name} is also an input, which writing would destroy; write to another file");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

fn metadata(input: &Input) -> Option<Metadata> {
    match input {
        Input::Url(_) => None,
        Input::File(path) => fs::metadata(path).ok(),
        Input::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned().ok()?).metadata().ok(),
    }
}
