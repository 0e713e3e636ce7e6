//! Puts together what concerns one file, and tells damage from what a wheel has been from the start.
//!
//! A wheel whose `RECORD` is wrong differs from it in every environment alike. So does one that was edited in the cache and
//! installed afterwards; therefore the times have to agree as well: an entry's directory is renamed into its place when
//! everything is unpacked (uv 0.13.8), which sets its change time, and a file that was written later has been changed.
//! A file that only one inode has is never taken for the wheel's own: a failing disk changes no times.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::path::{Path, PathBuf};

use super::{Fault, Finding, Good, Place, Raw, Twin, Verdict, Verifier};
use crate::disk::{FileKind, FileStat};
use crate::scan::{installed, print};
use crate::snapshot::{EntryIndex, EnvironmentIndex, Evidence};

/// One name of what should be one content.
struct Member {
    place: Place,
    stat: Option<FileStat>,
}

impl Member {
    fn inode(&self) -> Option<(u64, u64)> {
        self.stat.map(|stat| (stat.device, stat.inode))
    }
}

/// Merges what concerns the same file, and decides what each means.
pub(super) fn judge(verifier: &Verifier<'_>, mut raw: Vec<Raw>) -> Vec<Finding> {
    // Threads bring them in any order.
    raw.sort_unstable_by(|a, b| a.finding.path.cmp(&b.finding.path));
    let mut wanted: BTreeMap<EntryIndex, BTreeSet<PathBuf>> = BTreeMap::new();
    for (entry, source) in raw.iter().filter_map(|it| Some((it.finding.entry?, it.finding.source.as_ref()?)))
    {
        wanted.entry(entry).or_default().insert(source.clone());
    }
    let mut members: BTreeMap<(EntryIndex, PathBuf), Vec<Member>> = BTreeMap::new();
    for (entry, sources) in wanted {
        collect(verifier, entry, &sources, &mut members);
    }
    leave_to_owners(&mut raw);
    let owners: BTreeMap<PathBuf, String> = raw
        .iter()
        .filter(|it| it.claim.is_some())
        .map(|it| (it.finding.path.clone(), it.finding.name.clone()))
        .collect();
    // What one environment shows that the wheel never had, the entry cannot have lost.
    let lacked: BTreeSet<(EntryIndex, PathBuf)> = raw
        .iter()
        .filter(|it| it.absent)
        .filter_map(|it| it.finding.entry.zip(it.finding.source.clone()))
        .collect();
    let mut findings: BTreeMap<PathBuf, Finding> = BTreeMap::new();
    for Raw { mut finding, inode, absent, .. } in raw {
        let key = finding.entry.zip(finding.source.clone());
        let same = key.as_ref().and_then(|key| members.get(key)).map_or(&[][..], Vec::as_slice);
        if inode.is_some() {
            finding.places = sharing(same, inode);
        }
        // A file that several distributions list is damaged in one of them.
        finding.places.retain(|it| owners.get(&it.path).is_none_or(|owner| *owner == finding.name));
        let itself =
            Place { environment: environment_of(verifier, &finding.path), path: finding.path.clone() };
        finding.places.push(itself);
        order(&mut finding.places);
        finding.unexplained = unexplained(verifier, &finding);
        if finding.places.iter().all(|place| place.environment.is_some()) {
            finding.twin = twin(verifier, &finding, same);
        }
        let absent =
            absent || finding.fault == Fault::Missing && key.is_some_and(|key| lacked.contains(&key));
        finding.verdict = if absent { Verdict::Wheel } else { verdict(verifier, &finding, same) };
        if finding.verdict == Verdict::Damage {
            finding.good = good(verifier, &finding, same);
        }
        // The cache's name of it, or that of the first environment: one for all who have it.
        finding.path.clone_from(&finding.places[0].path);
        match findings.entry(finding.path.clone()) {
            btree_map::Entry::Vacant(free) => _ = free.insert(finding),
            btree_map::Entry::Occupied(mut same) => {
                let places = &mut same.get_mut().places;
                places.append(&mut finding.places);
                order(places);
            }
        }
    }
    findings.into_values().collect()
}

/// Leaves a damaged file that several distributions list to the one whose it is.
fn leave_to_owners(raw: &mut Vec<Raw>) {
    let owners: BTreeMap<PathBuf, usize> = raw
        .chunk_by(|one, other| one.finding.path == other.finding.path)
        .filter(|same| same.len() > 1)
        .filter_map(|same| {
            let owner = installed::owner(same.iter().filter_map(|raw| raw.claim))?;
            Some((same[0].finding.path.clone(), owner))
        })
        .collect();
    raw.retain(|raw| match (owners.get(&raw.finding.path), raw.claim) {
        (Some(owner), Some(claim)) => claim.position == *owner,
        _ => true,
    });
}

/// Everybody who has one file.
fn sharing(members: &[Member], inode: Option<(u64, u64)>) -> Vec<Place> {
    let share = members.iter().filter(|member| member.inode() == inode);
    share.map(|member| member.place.clone()).collect()
}

/// How many hard links a file has that are none of its known places, as far as the scan found none either: scripts, other
/// entries and the store of objects are no places.
fn unexplained(verifier: &Verifier<'_>, finding: &Finding) -> u64 {
    let (Some(print), Some(entry)) = (finding.print, finding.entry) else { return 0 };
    let of_entry = verifier.snapshot.entry(entry).links.unexplained;
    let is_link = |place: &&Place| {
        FileStat::of(&place.path).is_ok_and(|stat| (stat.device, stat.inode) == (print.device, print.inode))
    };
    let places = finding.places.iter().filter(is_link).count() as u64;
    print.links.saturating_sub(places).min(of_entry)
}

/// The cache first, then environments, each name once.
fn order(places: &mut Vec<Place>) {
    places.sort_unstable_by(|a, b| (a.environment, &a.path).cmp(&(b.environment, &b.path)));
    places.dedup_by(|a, b| a.path == b.path);
}

/// The cache's file, where it is another one than that of a finding, with the same content.
fn twin(verifier: &Verifier<'_>, finding: &Finding, members: &[Member]) -> Option<Twin> {
    let found = finding.found?;
    let cached = members.iter().find(|member| member.place.environment.is_none())?;
    let size = finding.print?.size;
    let stat = cached.stat.filter(|stat| stat.kind == FileKind::File && stat.size == size)?;
    if verifier.digests.of(&cached.place.path, &stat).ok()? != found {
        return None;
    }
    let mut places = sharing(members, cached.inode());
    order(&mut places);
    Some(Twin { print: print::of(&stat), places })
}

fn environment_of(verifier: &Verifier<'_>, path: &Path) -> Option<EnvironmentIndex> {
    let within = verifier.snapshot.environments().filter(|(_, it)| path.starts_with(&it.path));
    within.max_by_key(|(_, it)| it.path.as_os_str().len()).map(|(index, _)| index)
}

/// Finds every name that files of an entry should have: its own, and those in environments that use it.
fn collect(
    verifier: &Verifier<'_>,
    entry: EntryIndex,
    sources: &BTreeSet<PathBuf>,
    members: &mut BTreeMap<(EntryIndex, PathBuf), Vec<Member>>,
) {
    let mut add = |source: &Path, path: PathBuf, environment| {
        let stat = FileStat::following(&path).ok();
        let place = Place { path, environment };
        members.entry((entry, source.to_owned())).or_default().push(Member { place, stat });
    };
    let path = verifier.entry_path(entry);
    for source in sources {
        add(source, path.join(source), None);
    }
    for reference in verifier.snapshot.references_to(entry) {
        let Some(position) = reference.distribution.filter(|_| reference.evidence > Evidence::Name) else {
            continue;
        };
        let environment = verifier.snapshot.environment(reference.environment);
        let position = position as usize;
        if environment.distributions[position].entry != Some(entry) {
            continue;
        }
        for (destination, source) in verifier.sources(reference.environment, position) {
            // uv writes such a file again when it has to.
            if sources.contains(&source.path) && !source.always_copied && !source.may_be_rewritten {
                add(&source.path, environment.path.join(destination), Some(reference.environment));
            }
        }
    }
}

/// Whether a finding is damage, or the wheel's own.
fn verdict(verifier: &Verifier<'_>, finding: &Finding, members: &[Member]) -> Verdict {
    let Some(entry) = finding.entry else { return Verdict::Damage };
    let path = verifier.entry_path(entry);
    let Ok(top) = FileStat::of(&path) else { return Verdict::Damage };
    // uv unpacks beside the place and renames, which sets the change time of the entry's directory.
    let unpacked = top.changed;
    if finding.fault == Fault::Extra {
        // A file that is added later changes the directory that it lies in.
        let above = finding.path.parent().filter(|above| **above != *path);
        let is_old = match above.map(FileStat::of) {
            Some(stat) => stat.is_ok_and(|stat| stat.modified <= unpacked),
            None => top.modified < unpacked,
        };
        return if is_old { Verdict::Wheel } else { Verdict::Damage };
    }
    if finding.fault == Fault::Missing {
        let never_had = finding.source.as_ref().is_some_and(|source| installed::never_had(&path, source));
        let gone = members.iter().all(|member| member.stat.is_none());
        return if gone && never_had { Verdict::Wheel } else { Verdict::Damage };
    }
    let own = members.iter().find(|member| member.place.environment.is_none()).and_then(|it| it.stat);
    let changed = own.is_none_or(|stat| stat.modified > unpacked);
    let inodes: BTreeSet<_> = members.iter().filter_map(Member::inode).collect();
    let alike = |member: &Member| {
        let size = finding.print.map(|print| print.size);
        let same_size = member.stat.filter(|stat| Some(stat.size) == size);
        let digest = same_size.and_then(|stat| verifier.digests.of(&member.place.path, &stat).ok());
        digest == finding.found
    };
    if !changed && finding.found.is_some() && inodes.len() > 1 && members.iter().all(alike) {
        Verdict::Wheel
    } else {
        Verdict::Damage
    }
}

/// Another file with the content that `RECORD` states: of who should have the same, or of another entry of the same name
/// and version.
fn good(verifier: &Verifier<'_>, finding: &Finding, members: &[Member]) -> Option<Good> {
    let (recorded, source, entry) = (finding.recorded?, finding.source.as_ref()?, finding.entry?);
    let is_good = |good: &Good| {
        let path = good.root.join(&good.path);
        FileStat::of(&path).is_ok_and(|stat| {
            stat.kind == FileKind::File
                && finding.recorded_size.is_none_or(|size| size == stat.size)
                && verifier.digests.of(&path, &stat).is_ok_and(|digest| digest == recorded)
        })
    };
    let snapshot = verifier.snapshot;
    let environments = members.iter().filter_map(|member| {
        let root = &snapshot.environment(member.place.environment?).path;
        Some(Good { root: root.clone(), path: member.place.path.strip_prefix(root).ok()?.to_owned() })
    });
    let own = snapshot.entry(entry);
    let twins = snapshot.entries().filter(|(_, it)| it.name == own.name && it.version == own.version);
    let entries = twins.map(|(index, _)| Good { root: verifier.entry_path(index), path: source.clone() });
    entries.chain(environments).find(is_good)
}
