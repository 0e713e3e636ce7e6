//! Turns what a probe found out into causes. Pure, so that causes nobody can make here are tested from a table.

pub mod cause;
pub mod meaning;

use crate::snapshot::Mode;
use crate::uv::root::Platform;

use super::probe::{Answer, Ground, Probe, Reason, Source};
pub use cause::{Cause, Side, Spot};
use meaning::{Meaning, meaning};

/// What a probe means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The best mode that works, in uv's order: clone, hardlink, copy. None where nothing can be made at all.
    pub best: Option<Mode>,
    /// Why it is not a better one, faults first.
    pub causes: Vec<Cause>,
}

/// What `probe` means on this platform.
pub fn diagnose(probe: &Probe) -> Diagnosis {
    diagnose_on(Platform::HERE, probe)
}

/// What `probe` means on a platform.
pub fn diagnose_on(platform: Platform, probe: &Probe) -> Diagnosis {
    let mut causes = Vec::new();
    let mean = |reason: &Reason| meaning(reason, platform);
    for (side, ground, refused) in [
        (Side::Environment, &probe.environment, &probe.environment_refused),
        (Side::Cache, &probe.cache, &probe.cache_refused),
    ] {
        // A lock that is held says nothing about links: an entry's file was tried instead.
        if let Some(reason) = refused.as_ref().filter(|reason| mean(reason) != Meaning::Locked) {
            causes.push(unwritable(side, ground, reason, mean(reason)));
        }
    }
    if let Some(reason) = probe.hardlink.refused() {
        causes.push(no_hardlink(probe, reason, mean(reason), platform));
    }
    if let Some(reason) = probe.copy.refused() {
        let cause = unwritable(Side::Environment, &probe.environment, reason, mean(reason));
        causes.push(match cause {
            Cause::Unexplained { message, .. } => Cause::Unexplained { mode: Mode::Copy, message },
            cause => cause,
        });
    }
    if probe.hardlink.works() && probe.clone.refused().is_some() {
        causes.push(Cause::NoReflink(Spot::of(&probe.cache)));
    }
    // Where hardlinks are refused too, the cause is the same and told already.
    if let Some(reason) = probe.symlink.refused().filter(|_| probe.hardlink.works()) {
        causes.push(match mean(reason) {
            Meaning::SymlinkPrivilege => Cause::SymlinkPrivilege,
            Meaning::InUse => Cause::InUse(Mode::Symlink),
            _ => Cause::Unexplained { mode: Mode::Symlink, message: reason.message.clone() },
        });
    }
    causes.extend(of_entries(probe, platform));
    causes.sort_by_key(|cause| !cause.is_fault());
    let mut seen = Vec::new();
    causes.retain(|cause| {
        let new = !seen.contains(cause);
        seen.push(cause.clone());
        new
    });
    Diagnosis { best: best(probe), causes }
}

fn best(probe: &Probe) -> Option<Mode> {
    let modes = [(&probe.clone, Mode::Clone), (&probe.hardlink, Mode::Hardlink), (&probe.copy, Mode::Copy)];
    modes.into_iter().find(|(answer, _)| answer.works()).map(|(_, mode)| mode)
}

/// Why nothing could be made in a place.
fn unwritable(side: Side, ground: &Ground, reason: &Reason, meaning: Meaning) -> Cause {
    match meaning {
        Meaning::ReadOnly => Cause::ReadOnly(side, Spot::of(ground)),
        Meaning::NoSpace => Cause::NoSpace(side, Spot::of(ground)),
        Meaning::Quota => Cause::Quota(side, Spot::of(ground)),
        Meaning::Denied | Meaning::NotPermitted if ground.read_only => {
            Cause::ReadOnly(side, Spot::of(ground))
        }
        Meaning::Denied | Meaning::NotPermitted => {
            Cause::NotWritable(side, ground.path.clone(), ground.owner)
        }
        Meaning::InUse => Cause::InUse(Mode::Copy),
        _ => Cause::Unexplained { mode: Mode::Copy, message: reason.message.clone() },
    }
}

/// Why no hardlink could be made.
fn no_hardlink(probe: &Probe, reason: &Reason, meaning: Meaning, platform: Platform) -> Cause {
    let (cache, environment) = (&probe.cache, &probe.environment);
    match meaning {
        // A copy of the cache on that filesystem would not help.
        Meaning::Apart if is_without_links(probe, platform) => Cause::NoLinks(Spot::of(environment)),
        Meaning::Apart => apart(probe),
        Meaning::TooManyLinks => Cause::LinkLimit {
            path: source_path(probe),
            links: probe.entries.first().map_or(0, |it| it.links),
        },
        Meaning::Cloud => Cause::CloudFolder,
        Meaning::InUse => Cause::InUse(Mode::Hardlink),
        Meaning::NoSpace => Cause::NoSpace(Side::Environment, Spot::of(environment)),
        Meaning::Quota => Cause::Quota(Side::Environment, Spot::of(environment)),
        Meaning::ReadOnly => Cause::ReadOnly(Side::Environment, Spot::of(environment)),
        Meaning::NotPermitted | Meaning::Denied | Meaning::Unsupported => {
            let network = [environment, cache].into_iter().find(|ground| is_network(&ground.filesystem));
            match (network, &probe.source) {
                // Within one filesystem, a file of one's own: it is the filesystem that cannot.
                (Some(ground), _) => Cause::NetworkFilesystem(Spot::of(ground)),
                (None, Some(Source::Entry { path, owner }))
                    if meaning != Meaning::Unsupported && probe.user != Some(*owner) =>
                {
                    Cause::ForeignFiles {
                        path: path.clone(),
                        owner: *owner,
                        protected: probe.protected_hardlinks.unwrap_or(false),
                    }
                }
                (None, _) => Cause::NoLinks(Spot::of(environment)),
            }
        }
        _ => Cause::Unexplained { mode: Mode::Hardlink, message: reason.message.clone() },
    }
}

/// Whether not even within the environment's filesystem a hardlink can be made.
fn is_without_links(probe: &Probe, platform: Platform) -> bool {
    let why = probe.inside.refused().map(|reason| meaning(reason, platform));
    matches!(why, Some(Meaning::NotPermitted | Meaning::Unsupported))
        && !is_network(&probe.environment.filesystem)
}

fn source_path(probe: &Probe) -> std::path::PathBuf {
    match &probe.source {
        Some(Source::Entry { path, .. }) => path.clone(),
        _ => probe.cache.path.clone(),
    }
}

/// What lies between the two places: link(2) answers EXDEV for all of these.
fn apart(probe: &Probe) -> Cause {
    let (cache, environment) = (Spot::of(&probe.cache), Spot::of(&probe.environment));
    let overlay =
        |spot: &Spot| matches!(spot.filesystem.as_str(), "overlay" | "overlayfs" | "fuse-overlayfs");
    if probe.clone.works() {
        // btrfs gives each subvolume a device number of its own.
        Cause::Subvolume
    } else if overlay(&cache) || overlay(&environment) {
        Cause::ContainerLayer { cache, environment }
    } else if probe.cache.device == probe.environment.device || same_medium(probe) {
        Cause::OtherMount { cache, environment }
    } else {
        Cause::DifferentDevice { cache, environment }
    }
}

/// Whether two mounts show one block device, as two subvolumes of a btrfs do that were mounted one by one.
fn same_medium(probe: &Probe) -> bool {
    let (cache, environment) = (&probe.cache, &probe.environment);
    let device = |ground: &Ground| ground.medium.clone().filter(|medium| medium.starts_with("/dev"));
    cache.filesystem == environment.filesystem
        && device(cache).is_some()
        && device(cache) == device(environment)
}

/// What files of entries say that refused although a new file did not.
fn of_entries(probe: &Probe, platform: Platform) -> Vec<Cause> {
    let refused = probe.entries.iter().filter_map(|entry| {
        let reason = entry.answer.refused()?;
        match meaning(reason, platform) {
            Meaning::TooManyLinks => Some(Cause::LinkLimit { path: entry.path.clone(), links: entry.links }),
            Meaning::Cloud => Some(Cause::CloudFolder),
            Meaning::NotPermitted | Meaning::Denied if probe.user.is_some_and(|user| user != entry.owner) => {
                Some(Cause::ForeignFiles {
                    path: entry.path.clone(),
                    owner: entry.owner,
                    protected: probe.protected_hardlinks.unwrap_or(false),
                })
            }
            _ => None,
        }
    });
    refused.filter(|_| probe.hardlink != Answer::Untried).collect()
}

/// Whether files of this type of filesystem lie on another machine.
fn is_network(filesystem: &str) -> bool {
    let known =
        ["nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "ceph", "webdav", "ncpfs"];
    let kind = filesystem.strip_prefix("fuse.").unwrap_or(filesystem);
    let in_userspace = ["sshfs", "davfs", "davfs2", "s3fs", "rclone", "gvfsd-fuse", "glusterfs", "gcsfuse"];
    known.contains(&kind) || in_userspace.contains(&kind)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::path::PathBuf;

    use super::*;
    use crate::linker::probe::EntryAnswer;

    fn refused(code: i32, kind: ErrorKind) -> Answer {
        Answer::Refused(Reason { code: Some(code), kind, message: "it was refused".to_owned() })
    }

    fn ground(point: &str, filesystem: &str, device: u64) -> Ground {
        Ground {
            path: PathBuf::from(point).join("place"),
            device: Some(device),
            mount: Some(device),
            point: Some(point.into()),
            filesystem: filesystem.to_owned(),
            owner: Some(1000),
            ..Ground::default()
        }
    }

    /// A probe on ext4 where everything works that works there.
    fn sample() -> Probe {
        Probe {
            cache: ground("/", "ext4", 1),
            environment: ground("/", "ext4", 1),
            protected_hardlinks: Some(true),
            user: Some(1000),
            source: Some(Source::Own),
            cache_refused: None,
            environment_refused: None,
            clone: refused(95, ErrorKind::Unsupported),
            hardlink: Answer::Works,
            symlink: Answer::Works,
            copy: Answer::Works,
            inside: Answer::Works,
            entries: Vec::new(),
            left: Vec::new(),
        }
    }

    fn kinds(platform: Platform, probe: &Probe) -> Vec<&'static str> {
        diagnose_on(platform, probe).causes.iter().map(Cause::kind).collect()
    }

    #[test]
    fn hardlinks_on_ext4_are_as_good_as_it_gets() {
        let diagnosis = diagnose_on(Platform::Unix, &sample());
        assert_eq!(diagnosis.best, Some(Mode::Hardlink));
        assert_eq!(kinds(Platform::Unix, &sample()), ["no-reflink"]);
        assert!(diagnosis.causes.iter().all(|cause| !cause.is_fault()));
    }

    #[test]
    fn what_lies_between_two_places_is_told_by_devices_mounts_and_types() {
        let table = [
            (ground("/data", "xfs", 2), "different-device"),
            (ground("/bound", "ext4", 1), "other-mount"),
            (ground("/app", "overlay", 3), "container-layer"),
        ];
        for (environment, expected) in table {
            let hardlink = refused(18, ErrorKind::CrossesDevices);
            let probe = Probe { environment, hardlink, ..sample() };
            assert_eq!(kinds(Platform::Unix, &probe), [expected]);
            assert_eq!(diagnose_on(Platform::Unix, &probe).best, Some(Mode::Copy));
        }
        let hardlink = refused(18, ErrorKind::CrossesDevices);
        let environment = ground("/", "btrfs", 2);
        let probe = Probe { environment, hardlink, clone: Answer::Works, ..sample() };
        assert_eq!(kinds(Platform::Unix, &probe), ["subvolume"]);
        assert_eq!(diagnose_on(Platform::Unix, &probe).best, Some(Mode::Clone));
    }

    #[test]
    fn a_filesystem_without_links_is_one_wherever_the_cache_lies() {
        let environment = ground("/media/stick", "exfat", 2);
        let inside = refused(1, ErrorKind::PermissionDenied);
        let apart = refused(18, ErrorKind::CrossesDevices);
        let probe = Probe { environment, hardlink: apart, inside, ..sample() };
        assert_eq!(kinds(Platform::Unix, &probe), ["no-links"]);
        let both = ground("/media/stick", "vfat", 2);
        let hardlink = refused(1, ErrorKind::PermissionDenied);
        let probe = Probe { cache: both.clone(), environment: both, hardlink, ..sample() };
        assert_eq!(kinds(Platform::Unix, &probe), ["no-links"]);
    }

    #[test]
    fn a_server_that_makes_no_hardlinks_is_named_with_its_type() {
        for filesystem in ["nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone"] {
            let both = ground("/net", filesystem, 2);
            for code in [(95, ErrorKind::Unsupported), (1, ErrorKind::PermissionDenied)] {
                let hardlink = refused(code.0, code.1);
                let probe = Probe { cache: both.clone(), environment: both.clone(), hardlink, ..sample() };
                assert_eq!(kinds(Platform::Unix, &probe), ["network-filesystem"]);
                let text = diagnose_on(Platform::Unix, &probe).causes[0].to_string();
                assert!(text.contains(filesystem), "{text}");
            }
        }
    }

    #[test]
    fn windows_says_by_number_what_is_in_the_way() {
        let table = [
            (1, "no-links"),
            (5, "in-use"),
            (17, "different-device"),
            (32, "in-use"),
            (112, "no-space"),
            (396, "cloud-folder"),
            (1295, "quota"),
        ];
        for (code, expected) in table {
            let environment = ground("D:\\", "unknown", 2);
            let probe = Probe { environment, hardlink: refused(code, ErrorKind::Other), ..sample() };
            assert_eq!(kinds(Platform::Windows, &probe), [expected], "{code}");
        }
        let symlink = refused(1314, ErrorKind::Other);
        let probe = Probe { symlink, ..sample() };
        assert_eq!(kinds(Platform::Windows, &probe), ["no-reflink", "symlink-privilege"]);
        assert_eq!(diagnose_on(Platform::Windows, &probe).best, Some(Mode::Hardlink));
    }

    #[test]
    fn a_file_of_an_entry_may_refuse_where_a_new_one_does_not() {
        let entry = |owner, links, answer| EntryAnswer { path: "/cache/file".into(), owner, links, answer };
        let table = [
            (entry(0, 2, refused(1, ErrorKind::PermissionDenied)), Some("foreign-files")),
            (entry(1000, 65_000, refused(31, ErrorKind::TooManyLinks)), Some("link-limit")),
            (entry(0, 2, Answer::Works), None),
        ];
        for (entry, expected) in table {
            let probe = Probe { entries: vec![entry], ..sample() };
            let kinds = kinds(Platform::Unix, &probe);
            assert_eq!(kinds.iter().find(|kind| **kind != "no-reflink").copied(), expected);
        }
        let source = Some(Source::Entry { path: "/cache/file".into(), owner: 0 });
        let hardlink = refused(1, ErrorKind::PermissionDenied);
        assert_eq!(kinds(Platform::Unix, &Probe { source, hardlink, ..sample() }), ["foreign-files"]);
        let cloud = entry(1000, 2, refused(396, ErrorKind::Other));
        assert_eq!(kinds(Platform::Windows, &Probe { entries: vec![cloud], ..sample() })[0], "cloud-folder");
    }

    #[test]
    fn a_held_lock_is_no_fault_of_the_cache() {
        let busy = Reason { code: None, kind: ErrorKind::WouldBlock, message: String::new() };
        assert_eq!(kinds(Platform::Unix, &Probe { cache_refused: Some(busy), ..sample() }), ["no-reflink"]);
    }

    #[test]
    fn no_advice_is_worse_than_the_problem() {
        let spot = Spot { point: "/data".into(), filesystem: "xfs".to_owned() };
        let causes = [
            Cause::DifferentDevice { cache: spot.clone(), environment: spot.clone() },
            Cause::OtherMount { cache: spot.clone(), environment: spot.clone() },
            Cause::ContainerLayer { cache: spot.clone(), environment: spot.clone() },
            Cause::Subvolume,
            Cause::NoLinks(spot.clone()),
            Cause::NetworkFilesystem(spot.clone()),
            Cause::ReadOnly(Side::Cache, spot.clone()),
            Cause::NotWritable(Side::Environment, "/data".into(), Some(0)),
            Cause::ForeignFiles { path: "/data".into(), owner: 0, protected: true },
            Cause::LinkLimit { path: "/data".into(), links: 65_000 },
            Cause::NoSpace(Side::Environment, spot.clone()),
            Cause::Quota(Side::Cache, spot.clone()),
            Cause::SymlinkPrivilege,
            Cause::CloudFolder,
            Cause::InUse(Mode::Hardlink),
            Cause::NoReflink(spot),
            Cause::Unexplained { mode: Mode::Hardlink, message: "odd".to_owned() },
        ];
        for cause in causes {
            let advice = cause.advice();
            let kind = cause.kind();
            if advice.to_lowercase().contains("symlink") {
                assert!(advice.contains("break") || advice.contains("surviv"), "{kind}: {advice}");
            }
            if advice.contains("=copy") || advice.contains("link-mode copy") {
                assert!(advice.contains("The price is"), "{kind}: {advice}");
            }
            for text in [&advice, &cause.to_string(), &cause.cost().to_owned()] {
                assert!(text.ends_with('.') && !text.contains("  "), "{kind}: {text}");
            }
        }
    }
}
