//! What several tests need.

#[cfg(unix)]
pub(crate) mod comparable;
pub(crate) mod fixture;
#[cfg(target_os = "linux")]
pub(crate) mod holding;
#[cfg(target_os = "linux")]
pub(crate) mod index;
#[cfg(target_os = "linux")]
pub(crate) mod loopdev;
#[cfg(target_os = "linux")]
pub(crate) mod made;
#[cfg(unix)]
pub(crate) mod pty;
#[cfg(target_os = "linux")]
pub(crate) mod random;
pub(crate) mod sample;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod stepper;
pub(crate) mod svg;
#[cfg(target_os = "linux")]
pub(crate) mod swap;
pub(crate) mod told;
#[cfg(target_os = "linux")]
pub(crate) mod uv;
#[cfg(target_os = "linux")]
pub(crate) mod wheel;

/// All that a program has said.
#[cfg(unix)]
pub(crate) fn text(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Says that a test did not run, and why; under `CI=true` that is a failure.
#[cfg(unix)]
#[expect(clippy::print_stderr, reason = "a test that did not run must not look as if it had")]
pub(crate) fn not_run(reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "not run: {reason}");
    eprintln!("not run: {reason}");
}
