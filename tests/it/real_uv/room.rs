//! Room that is asked for: what goes for it, what is missing, and what else would help, with commands that do what they say.

use std::path::Path;

use serde_json::Value;

use super::used::age;
use crate::support::uv::{Sandbox, ran};
use crate::support::wheel::Wheel;

fn sandbox(base: &Path) -> Option<Sandbox> {
    let sandbox = Sandbox::new(base)?;
    for name in ["demo-a", "demo-b", "demo-c", "demo-d"] {
        let module = name.replace('-', "_");
        Wheel::new(name, "1.0").bulk(&format!("{module}/bulk.bin"), 300).save(&sandbox.path("links"));
    }
    Some(sandbox)
}

fn install(sandbox: &Sandbox, name: &str, mode: &str, packages: &[&str]) -> std::path::PathBuf {
    let links = sandbox.path("links");
    let places = ["--no-index", "--find-links", links.to_str().unwrap()];
    sandbox.install(name, mode, &[&places[..], packages].concat())
}

#[test]
fn what_else_would_help_is_named_with_commands_that_free_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(directory.path()) else { return };
    install(&sandbox, "linked", "hardlink", &["demo-a"]);
    install(&sandbox, "copied", "copy", &["demo-a"]);
    let idle = install(&sandbox, "idle", "hardlink", &["demo-b"]);
    age(&sandbox, &idle, 200);
    for (name, package) in [("gone", "demo-c"), ("trashed", "demo-d")] {
        let environment = install(&sandbox, name, "hardlink", &[package]);
        sandbox.delete(&environment);
    }
    ran(&mut sandbox.cachetui(&["prune", "demo-d", "--trash", "--yes", "--allow", "gone"]));

    // As much as it takes: one entry is unused, and it is enough for little.
    let plan = |arguments: &[&str]| -> Value {
        let start = ["prune", "--grace", "0h", "--allow", "most,gone", "--dry-run"];
        sandbox.json(&[&start[..], arguments].concat())["plan"].take()
    };
    let little = plan(&["--free", "100K"]);
    assert_eq!(little["steps"].as_array().unwrap().len(), 1, "{little:#}");
    assert_eq!(little["steps"][0]["name"], "demo-c");
    assert!(little.get("missing").is_none());
    assert_eq!(plan(&["--free", "0%"])["steps"].as_array().unwrap().len(), 0);

    let much = plan(&["--free", "1T"]);
    let frees = much["totals"]["bytes"]["reclaimable"].as_u64().unwrap();
    assert_eq!(much["missing"].as_u64().unwrap(), (1 << 40) - frees);
    let warnings: Vec<&str> =
        much["warnings"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let named: Vec<&&str> = warnings.iter().filter(|text| text.contains("`cachetui ")).collect();
    for (begins, command) in [
        ("Emptying the trash frees", "trash purge"),
        ("Linking the copies of 1 environment", "relink --all --link-mode"),
        ("Removing 1 environment without a sign of use", "remove --idle 90d --with-entries"),
    ] {
        let text =
            named.iter().find(|text| text.starts_with(begins)).unwrap_or_else(|| panic!("{warnings:#?}"));
        let line = text.split('`').nth(1).unwrap().strip_prefix("cachetui ").unwrap();
        assert!(line.starts_with(command), "{line}");
        let words: Vec<&str> = line.split(' ').chain(["--yes"]).collect();
        let answer = sandbox.json(&words);
        let freed = answer.get("freed").unwrap_or(&answer["report"]["freed"]);
        let measured = freed["measured"].as_u64().unwrap();
        let said = cachetui::human::bytes(measured);
        // Of the trash also its own directory comes free.
        let near = cachetui::human::bytes(measured.saturating_sub(4096));
        assert!(text.contains(&said) || text.contains(&near), "{text} {freed}");
    }
    assert!(!idle.exists());
    let after = plan(&["--free", "1T"]);
    let text = after["warnings"].to_string();
    assert!(!text.contains("Emptying") && !text.contains("Linking") && !text.contains("Removing"), "{text}");
}
