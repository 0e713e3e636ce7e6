//! The linker in a process of its own, to be killed or to run as somebody else: this program again, told by the
//! environment what to link.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use cachetui::control::{Cancel, Progress};
use cachetui::linker::Expect;
use cachetui::snapshot::Mode;

use super::{link_tree, request};

const TOLD: [&str; 3] = ["LINKER_TEST_ENTRY", "LINKER_TEST_ROOT", "LINKER_TEST_MODE"];

/// What the child prints before it starts to link.
pub(super) const READY: &str = "now linking";

/// What the child prints when it is done.
pub(super) const DONE: &str = "done linking";

/// A command that links an entry over whatever is there. It prints [`READY`], what happened, then [`DONE`].
pub(super) fn command(wrapper: &[&str], entry: &Path, root: &Path, mode: Mode) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.args(["--exact", "linker::child::links_as_told", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(TOLD[0], entry).env(TOLD[1], root).env(TOLD[2], mode.word());
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}

#[test]
#[ignore = "other tests run this in a process of its own"]
fn links_as_told() {
    let [Some(entry), Some(root), Some(mode)] = TOLD.map(std::env::var_os) else { return };
    let modes = [Mode::Clone, Mode::Hardlink, Mode::Symlink, Mode::Copy];
    let mode = modes.into_iter().find(|it| mode == it.word()).unwrap();
    let request = request(Path::new(&entry), Path::new(&root), mode, Expect::NoDirectory);
    let mut output = std::io::stdout();
    writeln!(output, "\n{READY}").unwrap();
    let report = link_tree(&request, &Cancel::default(), &Progress::default());
    for refused in &report.refused {
        writeln!(output, "refused {} {} {:?}", refused.mode.word(), refused.count, refused.reason).unwrap();
    }
    for error in &report.failed {
        writeln!(output, "{error}: {:?}", error.source.kind()).unwrap();
    }
    writeln!(output, "{:?} {} unmade\n{DONE}", report.made, report.unmade).unwrap();
}
