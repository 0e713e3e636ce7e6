//! The scan against a real uv cache: every user with the right mode, exact links, exact bytes, and hostile input.
//!
//! uv makes the caches and environments; what cachetui says of them is compared with what the tests measure themselves.

mod differential;
mod directories;
mod hostile;
mod kills;
mod lab;
mod locks;
mod oracle;
mod parity;
mod prune;
mod reclaimable;
mod references;
mod relink;
mod repair;
mod together;
mod unseen;
mod verify;
