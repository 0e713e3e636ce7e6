//! Running under uv: an ancestor of this process holds the cache's lock for as long as this process lives.
//!
//! `uv run` and `uvx` keep `<cache>/.lock` shared while their command runs (uv 0.13.8), and the environment that `uvx` made
//! for it lies in the cache. Reading and planning work all the same. A change of the cache needs the lock alone, and
//! waiting for it would never end, since uv waits for this process: it counts as busy at once.

use super::holder::Holder;
#[cfg(target_os = "linux")]
use crate::disk::processes;

/// The ancestor of this process among the holders of the cache's lock.
#[cfg(target_os = "linux")]
pub fn among(holders: &[Holder]) -> Option<Holder> {
    /// Longer chains are not real.
    const DEEPEST: usize = 256;
    let chain = std::iter::successors(processes::parent(std::process::id()), |pid| processes::parent(*pid));
    chain
        .take(DEEPEST)
        .find_map(|pid| holders.iter().find(|holder| holder.pid == pid && !holder.waits))
        .cloned()
}

/// The ancestor of this process among the holders of the cache's lock.
#[cfg(windows)]
pub fn among(holders: &[Holder]) -> Option<Holder> {
    let chain = super::holder::windows::ancestors();
    chain.iter().find_map(|pid| holders.iter().find(|holder| holder.pid == *pid && !holder.waits)).cloned()
}

/// The ancestor of this process among the holders of the cache's lock: not told here.
#[cfg(not(any(target_os = "linux", windows)))]
pub fn among(_holders: &[Holder]) -> Option<Holder> {
    None
}

/// Whether waiting for these holders would never end: one of them is a uv that waits for this process.
pub fn is_hopeless(holders: &[Holder]) -> bool {
    among(holders).is_some_and(|ancestor| is_uv(&ancestor))
}

fn is_uv(holder: &Holder) -> bool {
    let known = |name: &str| ["uv", "uvx", "uv.exe", "uvx.exe"].contains(&name);
    // The program itself where the system tells: a command line does not say where its first word ends.
    let link = std::path::Path::new("/proc").join(holder.pid.to_string()).join("exe");
    let program = std::fs::read_link(link).ok();
    let is_program =
        program.is_some_and(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(known));
    is_program || known(holder.brief().split(' ').next().unwrap_or_default())
}

/// What that means and what to do, as a sentence or two.
pub fn explanation(ancestor: &Holder) -> String {
    let who = super::holder::in_words(std::slice::from_ref(ancestor));
    let start = format!(
        "cachetui was started by {who}, which holds the cache's lock until cachetui ends. Looking and planning work, \
         changing the cache does not."
    );
    if is_uv(ancestor) {
        format!(
            "{start} Ways out: `uv tool install cachetui` and then `cachetui`, or `uvx --no-cache cachetui`."
        )
    } else {
        format!("{start} Start cachetui from somewhere else to change the cache.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Share;

    fn holder(pid: u32, command: &str, waits: bool) -> Holder {
        Holder { pid, command: command.to_owned(), since: None, directory: None, share: Share::Shared, waits }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_process_above_this_one_that_holds_the_lock_is_an_ancestor() {
        let parent = std::os::unix::process::parent_id();
        let this = holder(std::process::id(), "cachetui", false);
        assert_eq!(among(std::slice::from_ref(&this)), None);
        assert_eq!(among(&[this, holder(parent, "uv run x", true)]), None);
        assert_eq!(among(&[holder(parent, "uv run x", false)]).map(|it| it.pid), Some(parent));
        assert!(is_hopeless(&[holder(parent, "/bin/uv run x", false)]));
        assert!(
            !is_hopeless(&[holder(parent, "flock /cache/.lock x", false)]),
            "it may let go before we end"
        );
    }

    #[test]
    fn ways_out_are_those_of_uv_only_where_it_is_uv() {
        let text = explanation(&holder(7, "/usr/bin/uv run -- cachetui", false));
        assert!(text.contains("process 7 (`uv run -- cachetui`)"), "{text}");
        assert!(text.contains("`uv tool install cachetui`") && text.contains("`uvx --no-cache cachetui`"));
        let text = explanation(&holder(7, "flock /cache/.lock cachetui", false));
        assert!(!text.contains("uvx") && text.contains("from somewhere else"), "{text}");
    }
}
