//! `completions`: what a shell needs to complete the command line.

use std::io::Write;

use clap::CommandFactory as _;

use crate::cli::args::{Arguments, CompletionsArguments};
use crate::cli::failure::Failure;

/// Prints the completions of a shell.
pub fn run(arguments: &CompletionsArguments, writer: &mut dyn Write) -> Result<(), Failure> {
    // The generator panics when its writer fails, and a reader of ours may go away: it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "cachetui", &mut script);
    writer.write_all(&script)?;
    Ok(())
}
