//! Turns what a probe found out into causes. Pure, so that causes nobody can make here are tested from a table.

pub mod cause;
pub mod meaning;

use crate::snapshot::Mode;
use crate::uv::root::Platform;

use super::probe::{Answer, Ground, Probe, Reason};
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
        causes.push(no_hardlink(probe, reason, mean(reason)));
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
        Meaning::Denied | Meaning::NotPermitted => Cause::NotWritable(side, ground.path.clone()),
        Meaning::InUse => Cause::InUse(Mode::Copy),
        _ => Cause::Unexplained { mode: Mode::Copy, message: reason.message.clone() },
    }
}

/// Why no hardlink could be made.
fn no_hardlink(probe: &Probe, reason: &Reason, meaning: Meaning) -> Cause {
    let (cache, environment) = (&probe.cache, &probe.environment);
    match meaning {
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
                (None, Some(super::probe::Source::Entry(path))) if meaning != Meaning::Unsupported => {
                    Cause::ForeignFiles {
                        path: path.clone(),
                        owner: cache.owner.unwrap_or_default(),
                        protected: probe.protected_hardlinks.unwrap_or(false),
                    }
                }
                (None, _) => Cause::NoLinks(Spot::of(environment)),
            }
        }
        _ => Cause::Unexplained { mode: Mode::Hardlink, message: reason.message.clone() },
    }
}

fn source_path(probe: &Probe) -> std::path::PathBuf {
    match &probe.source {
        Some(super::probe::Source::Entry(path)) => path.clone(),
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
