//! What commands print: tables and sentences for people, JSON for programs.
//!
//! Text from outside passes `human::escape*` on its way into a table or sentence; JSON carries it losslessly.

pub mod json;
pub(super) mod plan;
pub mod table;
pub mod view;
pub mod words;

pub use table::{Align, Cell, Column, Fit, Table};
pub use view::{Paint, View};
