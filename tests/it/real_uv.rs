//! The scan against a real uv cache: every user with the right mode, exact links, exact bytes, and hostile input.
//!
//! uv makes the caches and environments; what cachetui says of them is compared with what the tests measure themselves.

mod directories;
mod hostile;
mod lab;
mod locks;
mod oracle;
mod parity;
mod reclaimable;
mod references;
mod repair;
