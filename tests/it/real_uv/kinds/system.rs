//! Distributions that the system's package manager has installed: their RECORD is what the build wrote, and packagers strip
//! libraries, move scripts and patch files afterwards (Debian 12, Fedora 40).

use std::path::Path;

use super::{environment, json, row, said, sandbox, text};
use crate::support::uv::Sandbox;

/// A distribution of which a library was stripped, a file was patched and a script was moved.
fn packaged(site: &Path, name: &str, installer: Option<&str>) {
    let info = site.join(format!("{name}-1.0.dist-info"));
    std::fs::create_dir_all(&info).unwrap();
    std::fs::create_dir_all(site.join(name)).unwrap();
    std::fs::write(site.join(name).join("__init__.py"), "PATCHED = True\n").unwrap();
    std::fs::write(site.join(name).join("lib.so"), "stripped").unwrap();
    std::fs::write(info.join("METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"))
        .unwrap();
    let digest = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let rows = [
        format!("{name}/__init__.py,{digest},15"),
        format!("{name}/lib.so,{digest},4096"),
        format!("../scripts/{name},{digest},200"),
        format!("{name}-1.0.dist-info/RECORD,,"),
    ];
    std::fs::write(info.join("RECORD"), rows.join("\n")).unwrap();
    if let Some(installer) = installer {
        std::fs::write(info.join("INSTALLER"), installer).unwrap();
    }
}

/// Every command says that nothing is wrong, and names nothing that would install over the system's files.
fn is_whole(sandbox: &Sandbox, site: &Path) {
    let name = site.to_str().unwrap();
    let envs = json(sandbox, &["envs", name]);
    let found = row(&envs, site);
    assert_eq!(
        (&found["health"], &found["distributions"][0]["state"]),
        (&"ok".into(), &"ok".into()),
        "{found:#}"
    );
    assert_eq!(found["distributions"][0]["of_system"], true);
    assert!(said(sandbox, &["envs", name]).contains("the system's"));
    for arguments in [&["verify", name][..], &["repair", name, "--dry-run"], &["doctor", name]] {
        let output = sandbox.cachetui(arguments).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("pip install") && !said.contains("damaged"), "{arguments:?}: {said}");
    }
    assert!(said(sandbox, &["verify", name]).contains("Not compared: 1 distribution of the system"));
}

#[test]
fn what_the_system_has_packaged_is_not_called_broken() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    environment(&sandbox, &sandbox.roots().join("app"), "hardlink", &["demo-a"]);
    let debian = sandbox.roots().join("debian/usr/lib/python3/dist-packages");
    packaged(&debian, "stripped", None);
    is_whole(&sandbox, &debian);
    std::fs::remove_file(debian.join("stripped-1.0.dist-info/RECORD")).unwrap();
    is_whole(&sandbox, &debian);
    let fedora = sandbox.roots().join("fedora/usr/lib/python3.12/site-packages");
    packaged(&fedora, "stripped", Some("rpm\n"));
    is_whole(&sandbox, &fedora);
}

#[test]
fn what_others_have_installed_beside_the_systems_packages_is_compared() {
    let base = tempfile::tempdir().unwrap();
    let Some(sandbox) = sandbox(base.path()) else { return };
    environment(&sandbox, &sandbox.roots().join("app"), "hardlink", &["demo-a"]);
    let debian = sandbox.roots().join("debian/usr/lib/python3/dist-packages");
    packaged(&debian, "stripped", None);
    packaged(&debian, "own", Some("pip\n"));
    let local = sandbox.roots().join("debian/usr/local/lib/python3.11/dist-packages");
    packaged(&local, "own", None);
    for site in [&debian, &local] {
        let envs = json(&sandbox, &["envs", site.to_str().unwrap()]);
        let found = row(&envs, site)["distributions"].as_array().unwrap().clone();
        let own = found.iter().find(|it| it["name"] == "own").unwrap();
        assert_eq!((&own["state"], &own["of_system"]), (&"broken".into(), &false.into()), "{own:#}");
    }
}
