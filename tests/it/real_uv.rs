//! The scan against a real uv cache: every user with the right mode, exact links, exact bytes, and hostile input.
//!
//! uv makes the caches and environments; what cachetui says of them is compared with what the tests measure themselves.

mod central;
mod directories;
mod gone;
mod hostile;
mod journeys;
mod kills;
mod lab;
mod locks;
mod objects;
mod oracle;
mod parity;
mod prune;
mod reclaimable;
mod references;
mod relink;
mod repair;
mod unseen;
mod verify;
