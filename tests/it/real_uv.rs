//! The scan against a real uv cache: every user with the right mode, exact links, exact bytes, and hostile input.
//!
//! uv makes the caches and environments; what cachetui says of them is compared with what the tests measure themselves.

mod advice;
mod answers;
mod central;
mod differential;
mod directories;
mod edges;
mod farm;
#[cfg(target_arch = "x86_64")]
mod faults;
mod gc;
mod gone;
mod hostile;
mod installed;
mod journeys;
mod kinds;
mod lab;
mod locks;
mod newest;
mod objects;
mod older;
mod oracle;
mod origins;
mod parity;
mod pieces;
mod prune;
mod reclaimable;
mod references;
mod relink;
mod remove;
mod repair;
mod room;
mod saved;
mod together;
mod unseen;
mod used;
mod verify;

#[cfg(not(target_arch = "x86_64"))]
#[test]
fn faults_in_the_middle_of_operations() {
    crate::support::not_run("how a call is made to fail is known for x86-64 alone");
}
