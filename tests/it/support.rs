//! What several tests need.

#[cfg(unix)]
pub(crate) mod comparable;
pub(crate) mod fixture;
#[cfg(target_os = "linux")]
pub(crate) mod index;
#[cfg(target_os = "linux")]
pub(crate) mod loopdev;
#[cfg(unix)]
pub(crate) mod pty;
pub(crate) mod sample;
pub(crate) mod svg;
#[cfg(target_os = "linux")]
pub(crate) mod uv;
#[cfg(target_os = "linux")]
pub(crate) mod wheel;
