//! Environments of another user than the cache's: what is said of them takes no file away from them.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use super::{environment, json, run, said, sandbox, site};
use crate::support::not_run;
use crate::support::uv::ran;

/// The user whose environment it is.
const USER: u32 = 5_003;

fn chown(path: &Path) {
    ran(Command::new("chown").args(["-hR", &format!("{USER}:{USER}")]).arg(path));
}

/// How many files of a tree belong to [`USER`].
fn owned(tree: &Path) -> usize {
    let files =
        walkdir::WalkDir::new(tree).into_iter().map(|item| item.unwrap().path().symlink_metadata().unwrap());
    files.filter(|it| it.is_file() && it.uid() == USER).count()
}

#[test]
fn the_way_out_of_a_chowned_environment_parts_it_from_the_cache() {
    if !rustix::process::geteuid().is_root() {
        return not_run("it needs two users, and so root");
    }
    for only_site in [false, true] {
        let base = tempfile::tempdir().unwrap();
        let Some(sandbox) = sandbox(base.path()) else { return };
        let app = environment(&sandbox, &sandbox.roots().join("app/.venv"), "hardlink", &["demo-a"]);
        let other = environment(&sandbox, &sandbox.roots().join("other/.venv"), "copy", &["demo-b"]);
        let theirs = if only_site { site(&app) } else { app.clone() };
        chown(&theirs);
        let shared = owned(&sandbox.cache());
        assert!(shared > 0);
        let before = owned(&app);
        // Also where nobody asks about that environment.
        for named in [None, Some(&other), Some(&app)] {
            let named: Vec<&str> = named.iter().map(|path| path.to_str().unwrap()).collect();
            let examined = said(&sandbox, &[&["doctor", "--no-probe"][..], &named].concat());
            assert!(
                examined.contains(&format!("{shared} files in the cache belong to user {USER}")),
                "{examined}"
            );
            assert!(examined.contains(app.to_str().unwrap()), "{examined}");
            assert!(!examined.contains("chown -R") && !examined.contains("sudo"), "{examined}");
        }
        let examined = said(&sandbox, &["doctor", "--no-probe"]);
        let command = quoted(&examined, "cachetui relink ");
        let cache = format!(
            "{command} --yes --no-remember --root {} --cache-dir {}",
            sandbox.roots().display(),
            sandbox.cache().display()
        );
        run(&sandbox, &cache);
        assert_eq!(owned(&app), before, "the environment keeps its files");
        let examined = said(&sandbox, &["doctor", "--no-probe"]);
        let command = quoted(&examined, "chown -R ");
        run(&sandbox, &command);
        assert_eq!((owned(&app), owned(&sandbox.cache())), (before, 0), "{command}");
        let verified = said(&sandbox, &["verify", app.to_str().unwrap()]);
        assert!(verified.contains("all as RECORD says"), "{verified}");
        let examined = json(&sandbox, &["doctor", "--no-probe"]);
        assert!(!examined.to_string().contains("owner"), "{examined:#}");
    }
}

/// What stands between backticks and begins so.
fn quoted(text: &str, start: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let from = text.find(&format!("`{start}")).unwrap_or_else(|| panic!("no `{start}` in {text}"));
    text[from + 1..].split('`').next().unwrap().to_owned()
}
