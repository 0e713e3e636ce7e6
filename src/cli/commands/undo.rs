//! `undo`: puts back what the last prune removed.

use std::io::Write;

use super::trash;
use crate::cli::args::Places;
use crate::cli::args::prune::UndoArguments;
use crate::cli::failure::Failure;
use crate::cli::print::View;
use crate::cli::surroundings::Surroundings;

/// Restores the newest run that can be.
pub fn run(
    places: &Places,
    arguments: &UndoArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    trash::restore(places, None, arguments.json, surroundings, view, writer)
}
