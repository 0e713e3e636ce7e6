//! `man`: the manual pages, as roff.

use std::io::Write;

use clap::CommandFactory as _;

use crate::cli::args::{Arguments, ManArguments};
use crate::cli::failure::{Failure, USAGE};
use crate::human;

/// Prints the page of the program, or that of a command.
pub fn run(arguments: &ManArguments, writer: &mut dyn Write) -> Result<(), Failure> {
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    let command = match &arguments.command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return Err(unknown(&program, name)),
        },
    };
    clap_mangen::Man::new(command).manual("cachetui").render(writer)?;
    Ok(())
}

fn unknown(program: &clap::Command, name: &str) -> Failure {
    let known: Vec<String> = program.get_subcommands().map(|it| format!("`{}`", it.get_name())).collect();
    Failure::message(USAGE, format!("There is no command `{}`.", human::escape(name)))
        .hint(format!("The commands are {}.", human::list(&known)))
}
