//! The layer that reads what uv writes.

mod distributions;
mod environments;
mod fixtures;
mod hostile;
mod links;
mod names;
mod pointers;
mod records;
mod roots;
