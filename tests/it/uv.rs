//! The layer that reads what uv writes.

mod distributions;
mod environments;
#[cfg(unix)]
mod fixtures;
mod hostile;
mod links;
mod names;
mod pointers;
mod records;
#[cfg(unix)]
mod roots;
