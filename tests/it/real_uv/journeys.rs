//! Every change made by hand: in the interface, in a real pseudo-terminal, on caches and environments that real uv made.
//!
//! Each journey answers a question with the safe answer first, which has to leave everything as it is to the last inode.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::relink::tree::Tree;
use super::relink::{install, wheels};
use crate::support::holding::Holding;
use crate::support::pty::{Session, Start};
use crate::support::uv::Sandbox;

/// The safe answer to every question before a change.
const CANCEL: &str = "cancel: nothing is changed";

/// A cache with the wheels of [`wheels`].
struct Ground {
    sandbox: Sandbox,
    places: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Ground {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(directory.path())?;
        let places = wheels(&sandbox);
        Some(Self { sandbox, places, _directory: directory })
    }

    fn install(&self, project: &str, mode: &str) -> PathBuf {
        install(&self.sandbox, &self.places, project, mode)
    }

    /// Opens the interface, and waits for the scan's end.
    fn open(&self, cache: &Path, size: (u16, u16)) -> Session {
        let (home, roots) = (self.sandbox.path("home"), self.sandbox.roots());
        let sources = self.sandbox.sources();
        let arguments = [OsStr::new("--cache-dir"), cache.as_ref(), OsStr::new("--root"), roots.as_ref()];
        let mut session = Session::start(&Start {
            program: OsStr::new(env!("CARGO_BIN_EXE_cachetui")),
            arguments: arguments.to_vec(),
            home: &home,
            variables: &[("NO_COLOR", "1"), ("UV_LOCK_TIMEOUT", "60"), ("UV_FIND_LINKS", &sources)],
            size,
        });
        session.wait_for("scanned in");
        session
    }

    /// Everything that the journeys may change.
    fn trees(&self) -> [Tree; 2] {
        [Tree::read(&self.sandbox.cache()), Tree::read(&self.sandbox.roots())]
    }

    fn is_untouched(&self, before: &[Tree; 2]) -> bool {
        self.trees().iter().zip(before).all(|(now, before)| now.is_untouched_since(before))
    }

    fn check(&self, environment: &Path) {
        self.sandbox.run_uv(&["pip", "check", "--quiet", "--python", environment.to_str().unwrap()]);
    }
}

fn site(environment: &Path) -> PathBuf {
    let mut versions = environment.join("lib").read_dir().unwrap();
    versions.next().unwrap().unwrap().path().join("site-packages")
}

/// Closes what lies over the list. Escape and a key right behind it would be a key with Alt.
fn close(session: &mut Session, text: &str) {
    session.send("\x1b");
    session.wait(text, |screen| {
        let contents = screen.contents();
        contents.contains(text) && !contents.contains("h back")
    });
}

fn leave(mut session: Session) {
    if session.wait("a frame", |_| true).contains("h back") {
        close(&mut session, "q quit");
    }
    session.send("q");
    assert_eq!(session.end().code, 0);
}

/// Asks for what `D` does, refuses, asks again and agrees.
fn do_it(session: &mut Session, ground: &Ground, done: &str) -> String {
    let before = ground.trees();
    let text = session.press("D", CANCEL);
    assert!(text.contains("› n  cancel") && text.contains("frees"), "{text}");
    session.press("\r", "Nothing was changed");
    assert!(ground.is_untouched(&before), "the safe answer has the focus");
    session.press("D", CANCEL);
    session.press("y", done)
}

#[test]
fn marked_entries_are_pruned_put_back_pruned_again_and_gone_for_good() {
    let Some(ground) = Ground::new() else { return };
    let gone = ground.install("gone", "hardlink");
    std::fs::remove_dir_all(gone.parent().unwrap()).unwrap();
    let kept = ground.sandbox.install(
        "kept",
        "hardlink",
        &[&ground.places[0], &ground.places[1], &ground.places[2], "two", "three"],
    );
    let archive = ground.sandbox.cache().join("archive-v0");
    let entries = || archive.read_dir().unwrap().count();
    let all = entries();
    let (before, stored) = (ground.trees(), Tree::read(&archive));
    let mut session = ground.open(&ground.sandbox.cache(), (120, 40));
    session.press("/^one\r", "entries 1 of");
    session.press(" ", "1 marked");
    session.press("p", "plan to prune");
    let text = session.press("D", CANCEL);
    assert!(text.contains("no environment") && text.contains("lock       free"), "{text}");
    session.press("n", "Nothing was changed");
    assert!(ground.is_untouched(&before));
    session.press("D", CANCEL);
    session.press("y", "Moved 1 entry to the trash");
    assert_eq!(entries(), all - 1);
    session.wait_for("scanned in");
    close(&mut session, "clean up");
    session.press("z", CANCEL);
    session.press("y", "Put back 1 entry");
    assert_eq!(entries(), all);
    Tree::read(&archive).has_the_content_of(&stored, "nothing is missing or different");
    close(&mut session, "clean up");
    // What was marked went, and what came back is not marked again.
    session.press("1", "of 3");
    session.press(" ", "1 marked");
    session.press("p", "plan to prune");
    session.press("D", CANCEL);
    session.press("y", "Moved 1 entry to the trash");
    close(&mut session, "clean up");
    session.press("X", CANCEL);
    session.press("y", "The trash is empty");
    leave(session);
    assert_eq!(entries(), all - 1);
    assert!(!ground.sandbox.cache().join(".cachetui-trash").exists());
    ground.check(&kept);
    ground.check(&ground.install("again", "symlink"));
    assert_eq!(entries(), all, "uv has made it anew");
}

#[test]
fn what_a_process_has_open_is_not_promised_on_the_screen() {
    let Some(ground) = Ground::new() else { return };
    ground.sandbox.delete(&ground.install("gone", "hardlink"));
    let archive = ground.sandbox.cache().join("archive-v0");
    let bulk =
        archive.read_dir().unwrap().map(|it| it.unwrap().path().join("one/bulk.bin")).find(|it| it.exists());
    let _holding = Holding::new(&bulk.unwrap());
    let mut session = ground.open(&ground.sandbox.cache(), (120, 40));
    session.press("/^one\r", "entries 1 of");
    session.press(" ", "1 marked");
    session.press("p", "plan to prune");
    session.press("D", "which has them open");
    let text = session.press("n", "Nothing was changed");
    assert!(!text.contains("frees 6.1 MiB"), "{text}");
    leave(session);
}

#[test]
fn copies_become_hardlinks_by_hand() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("project", "copy");
    let mut session = ground.open(&ground.sandbox.cache(), (80, 24));
    session.press("2", "environments 1");
    let text = session.press("L", "Link modes for");
    assert!(text.contains("Is the cache's own file"), "{text}");
    session.press("j\r", "plan to relink");
    let text = do_it(&mut session, &ground, "what was relinked");
    assert!(text.contains("hardlinks in "), "{text}");
    session.wait_for("scanned in");
    leave(session);
    let bulk = site(&environment).join("one/bulk.bin");
    assert_eq!(std::fs::metadata(bulk).unwrap().nlink(), 2);
    ground.check(&environment);
    ground.sandbox.run_uv(&["pip", "uninstall", "--quiet", "--python", environment.to_str().unwrap(), "one"]);
}

#[test]
fn an_environment_whose_cache_was_moved_is_mended_by_hand() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("project", "symlink");
    let moved = ground.sandbox.path("moved");
    std::fs::rename(ground.sandbox.cache(), &moved).unwrap();
    let bulk = site(&environment).join("one/bulk.bin");
    assert!(!bulk.exists());
    let mut session = ground.open(&moved, (80, 24));
    session.press("2", "broken");
    session.press("R", "Nothing is downloaded");
    session.press("\r", "plan to repair");
    session.press("D", CANCEL);
    session.press("\r", "Nothing was changed");
    assert!(!bulk.exists(), "the safe answer has the focus");
    session.press("D", CANCEL);
    let text = session.press("y", "what was repaired");
    assert!(text.contains("symlinks in "), "{text}");
    close(&mut session, " ok");
    leave(session);
    assert!(std::fs::read_link(&bulk).unwrap().starts_with(&moved) && bulk.exists());
    let mut check =
        ground.sandbox.uv(&["pip", "check", "--quiet", "--python", environment.to_str().unwrap()]);
    crate::support::uv::ran(check.env("UV_CACHE_DIR", &moved));
}

#[test]
fn an_edit_is_found_and_kept_in_one_environment_alone_by_hand() {
    let Some(ground) = Ground::new() else { return };
    let edited = ground.install("edited", "hardlink");
    let shared = ground.install("shared", "hardlink");
    ground.install("copied", "copy");
    let (mine, other) = (site(&edited).join("one/edited.py"), site(&shared).join("one/edited.py"));
    std::fs::write(&mine, "EDITED = True\n").unwrap();
    let mut session = ground.open(&ground.sandbox.cache(), (120, 40));
    session.press("2", "environments 3");
    session.press("a", "3 marked");
    let text = session.press("V", "contents against RECORD");
    assert!(text.contains("1 is damaged") && text.contains("edited/.venv"), "{text}");
    // The way out has the cursor: the first environment that could keep the edit.
    let before = ground.trees();
    session.press("\r", CANCEL);
    session.press("n", "Nothing was changed");
    assert!(ground.is_untouched(&before));
    session.press("\r", CANCEL);
    session.press("y", "what was kept in one place");
    leave(session);
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "EDITED = True\n");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "EDITED = False\n");
    ground.check(&edited);
    ground.check(&shared);
}

#[test]
fn whoever_holds_the_lock_is_named_waited_for_and_the_wait_can_be_stopped() {
    let Some(ground) = Ground::new() else { return };
    let environment = ground.install("project", "copy");
    let lock = std::fs::File::open(ground.sandbox.cache().join(".lock")).unwrap();
    lock.lock().unwrap();
    let before = ground.trees();
    let mut session = ground.open(&ground.sandbox.cache(), (120, 40));
    session.press("2", "environments 1");
    session.press("L", "Link modes for");
    session.press("j\r", "plan to relink");
    session.press("D", CANCEL);
    let text = session.press("y", "waits for the lock");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    // Nothing blocks the interface, and leaving asks.
    session.press("1", "entries 3");
    session.press("q", CANCEL);
    session.press("n", "waits for the lock");
    session.press("S", "nothing was done");
    close(&mut session, "entries 3");
    assert!(ground.is_untouched(&before));
    session.press("5", "plan to relink");
    session.press("D", CANCEL);
    session.press("y", "waits for the lock");
    drop(lock);
    session.wait_for("what was relinked");
    leave(session);
    ground.check(&environment);
}
