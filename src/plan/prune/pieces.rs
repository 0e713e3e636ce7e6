//! What lies in a bucket and can go by itself: old builds with their entries, and git repositories.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Candidate, Chooser, kept_piece};
use crate::plan::step::Bytes;
use crate::plan::{
    Action, Allowance, At, Class, KeptBecause, Plan, PlannedTree, Price, RemoveWork, Step, Work,
};
use crate::snapshot::{EntryIndex, Holder, Piece, PieceKind};
use crate::uv::bucket::Bucket;
use crate::uv::shard::{self, Place};
use crate::uv::url;

impl Chooser<'_> {
    /// Adds old builds; answers with the entries that go with them.
    pub(super) fn old_builds(
        &self,
        candidates: &mut Vec<Candidate>,
        plan: &mut Plan,
    ) -> BTreeSet<EntryIndex> {
        let mut taken = BTreeSet::new();
        if !self.wants(Class::OldBuilds) {
            return taken;
        }
        for piece in self.pieces().filter(|piece| piece.kind == PieceKind::OldBuild) {
            let entries = self.only_from(&piece.path);
            let against = self.against_piece(&[piece]).or_else(|| {
                entries
                    .iter()
                    .find_map(|index| self.against(*index, self.snapshot.entry(*index), Class::OldBuilds))
            });
            if let Some(because) = against {
                plan.kept.push(kept_piece(&piece.path, piece.disk, because));
                continue;
            }
            candidates.push(self.old_build(piece, &entries));
            taken.extend(entries);
        }
        taken
    }

    /// The pieces of buckets that do not go as a whole.
    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        let bucket = |piece: &Piece| piece.path.iter().next().and_then(Bucket::parse);
        let stays = move |piece: &&Piece| bucket(piece).is_none_or(|bucket| !self.is_stale(bucket));
        self.snapshot.pieces.iter().filter(stays)
    }

    /// The entries to which all that leads lies in a directory.
    fn only_from(&self, directory: &Path) -> Vec<EntryIndex> {
        let start = self.snapshot.pointers.partition_point(|pointer| pointer.path.as_path() < directory);
        let pointers = self.snapshot.pointers[start..].iter();
        // What lies in a directory stands right behind it.
        let within = pointers.take_while(|it| it.path.starts_with(directory));
        let entries: BTreeSet<EntryIndex> = within.filter_map(|pointer| pointer.entry).collect();
        let lies = |index: &EntryIndex| {
            let mut pointers = self.snapshot.entry(*index).pointers.iter();
            pointers.all(|pointer| self.snapshot.pointer(*pointer).path.starts_with(directory))
        };
        entries.into_iter().filter(lies).collect()
    }

    fn old_build(&self, piece: &Piece, entries: &[EntryIndex]) -> Candidate {
        let entry = |index: &EntryIndex| self.snapshot.entry(*index);
        let trees = entries.iter().map(|index| {
            let entry = entry(index);
            PlannedTree { at: At::new(&entry.key.path()), expects: entry.print }
        });
        let users: BTreeSet<At> = entries.iter().flat_map(|index| self.users_that_go(*index)).collect();
        let first = entries.first().map(entry);
        let (package, version) = called(&piece.path);
        let sum = |value: &dyn Fn(&EntryIndex) -> u64| entries.iter().map(value).sum::<u64>();
        Candidate {
            holders: entries.iter().map(|index| Holder::Entry(*index)).collect(),
            own: piece.alone,
            used: Some(changed(piece)),
            step: Step {
                action: Action::RemoveBuild,
                at: At::new(&piece.path),
                name: first.and_then(|entry| entry.name.clone()).or(package),
                version: first.and_then(|entry| entry.version.clone()).or(version),
                reason: "uv has built from a newer revision of its source,
and does not use this one"
                    .to_owned(),
                bytes: Bytes {
                    disk: piece.disk + sum(&|index| entry(index).disk),
                    files: piece.print.files + sum(&|index| entry(index).files),
                    ..Bytes::default()
                },
                work: Work::Remove(RemoveWork {
                    trees: trees.collect(),
                    users: users.into_iter().collect(),
                    ..RemoveWork::new(Class::OldBuilds, Price::Nothing, piece.print)
                }),
            },
        }
    }

    /// Adds unpacked sources and answers of indexes.
    pub(super) fn fetched(&self, candidates: &mut Vec<Candidate>, plan: &mut Plan) {
        for piece in self.pieces() {
            let (class, action, reason) = match piece.kind {
                PieceKind::Source => (
                    Class::Sources,
                    Action::RemoveSource,
                    "uv has built from it, and fetches it to build again",
                ),
                PieceKind::Index => (Class::IndexCaches, Action::RemoveIndex, "uv asks the index again"),
                _ => continue,
            };
            if !self.wants(class) {
                continue;
            }
            let price = self.price_of(piece);
            match self.against_piece(&[piece]).or_else(|| self.may_be_last(&price)) {
                Some(because) => plan.kept.push(kept_piece(&piece.path, piece.disk, because)),
                None => candidates.push(fetched(piece, class, action, reason, price)),
            }
        }
    }

    /// What it costs to have a source or an answer again: of a source as much as what was built from it, where that is there, and
    /// of one that lay on this machine nothing else tells whether it still does.
    fn price_of(&self, piece: &Piece) -> Price {
        let download = Price::Download { bytes: None };
        if piece.kind != PieceKind::Source {
            return download;
        }
        let built = piece.path.parent().map(|revision| self.only_from(revision)).unwrap_or_default();
        let price = built.iter().map(|index| super::price(self.snapshot.entry(*index))).find(Price::is_last);
        let is_local = piece.path.iter().nth(1).is_some_and(|it| it == "path" || it == "editable");
        match price {
            Some(price) => price,
            None if is_local && built.is_empty() => Price::Unknown,
            None => download,
        }
    }

    /// That something may be the last copy, unless such may go.
    fn may_be_last(&self, price: &Price) -> Option<KeptBecause> {
        let keeps = price.is_last() && !self.request.allow.contains(&Allowance::Gone);
        keeps.then_some(KeptBecause::LastCopy { gone: None })
    }

    /// Adds git repositories from which nothing that was found was installed.
    pub(super) fn repositories(&self, candidates: &mut Vec<Candidate>, plan: &mut Plan) {
        if !self.wants(Class::GitRepositories) {
            return;
        }
        let mut all: BTreeMap<(&OsStr, &str), Vec<&Piece>> = BTreeMap::new();
        for piece in self.pieces().filter(|piece| is_of_repository(piece.kind)) {
            let (Some(bucket), Some(name)) = (piece.path.iter().next(), piece.database.as_deref()) else {
                continue;
            };
            all.entry((bucket, name)).or_default().push(piece);
        }
        for mut pieces in all.into_values() {
            // The database last: it alone tells what the repository is, should a run be killed between the two.
            pieces.sort_by_key(|piece| piece.kind == PieceKind::Database);
            let disk = pieces.iter().map(|piece| piece.disk).sum();
            let Some(first) = pieces.first() else { continue };
            let is_gone = pieces.iter().any(|piece| piece.is_gone);
            let price = if is_gone { Price::Gone } else { Price::Download { bytes: None } };
            let against = self
                .against_piece(&pieces)
                .or_else(|| self.against_repository(&pieces))
                .or_else(|| self.may_be_last(&price));
            match against {
                Some(because) => plan.kept.push(kept_piece(&first.path, disk, because)),
                None => candidates.push(repository(&pieces, disk, price)),
            }
        }
    }

    /// Why a repository is kept: by the environments that have something from it, or because nothing tells what it is.
    fn against_repository(&self, pieces: &[&Piece]) -> Option<KeptBecause> {
        let Some(url) = pieces.iter().find_map(|piece| piece.url.as_deref()) else {
            return Some(KeptBecause::Unknown);
        };
        let wanted = repository_key(url);
        let uses = |it: &crate::snapshot::Environment| {
            let mut urls = it.distributions.iter().filter_map(|it| it.direct_url.as_ref());
            urls.any(|direct| direct.vcs.is_some() && repository_key(&direct.url) == wanted)
        };
        let going = |path: &Path| self.going.iter().any(|it| self.snapshot.environment(*it).path == path);
        let users = self.snapshot.environments.iter().filter(|it| uses(it) && !going(&it.path));
        let environments: Vec<At> = users.map(|it| At::new(&it.path)).collect();
        (!environments.is_empty()).then_some(KeptBecause::Used { environments })
    }

    /// What speaks against removing pieces of a bucket, whatever they are.
    fn against_piece(&self, pieces: &[&Piece]) -> Option<KeptBecause> {
        let path = &pieces.first()?.path;
        let bucket = path.iter().next().unwrap_or_default();
        let found = self.snapshot.cache.bucket_of(path);
        if let Some(why) = found.and_then(crate::snapshot::Bucket::why_odd) {
            return Some(KeptBecause::NotUnderstood { why });
        }
        if !Bucket::parse(bucket).is_some_and(Bucket::is_known) {
            return Some(KeptBecause::Untested { old: false });
        }
        let newest = pieces.iter().map(|piece| piece.print.newest).max().unwrap_or(i64::MAX);
        let used = pieces.iter().map(|piece| changed(piece)).max();
        self.moved(path).or_else(|| self.young(newest)).or_else(|| self.recent(used))
    }
}

fn is_of_repository(kind: PieceKind) -> bool {
    matches!(kind, PieceKind::Database | PieceKind::Checkouts)
}

fn fetched(piece: &Piece, class: Class, action: Action, reason: &str, price: Price) -> Candidate {
    let (name, version) = called(&piece.path);
    Candidate {
        holders: Vec::new(),
        own: piece.alone,
        used: Some(changed(piece)),
        step: Step {
            action,
            at: At::new(&piece.path),
            name,
            version,
            reason: reason.to_owned(),
            bytes: Bytes { disk: piece.disk, files: piece.print.files, ..Bytes::default() },
            work: Work::Remove(RemoveWork::new(class, price, piece.print)),
        },
    }
}

fn repository(pieces: &[&Piece], disk: u64, price: Price) -> Candidate {
    let first = pieces[0];
    let url = pieces.iter().find_map(|piece| piece.url.as_deref()).unwrap_or_default();
    let trees = pieces[1..].iter();
    Candidate {
        holders: Vec::new(),
        own: pieces.iter().map(|piece| piece.alone).sum(),
        used: pieces.iter().map(|piece| changed(piece)).max(),
        step: Step {
            action: Action::RemoveRepository,
            at: At::new(&first.path),
            name: Some(url::masked(url).into_owned()),
            version: None,
            reason: "no environment that was found has anything from it".to_owned(),
            bytes: Bytes {
                disk,
                files: pieces.iter().map(|piece| piece.print.files).sum(),
                ..Bytes::default()
            },
            work: Work::Remove(RemoveWork {
                trees: trees.map(|it| PlannedTree { at: At::new(&it.path), expects: it.print }).collect(),
                ..RemoveWork::new(Class::GitRepositories, price, first.print)
            }),
        },
    }
}

/// When a piece last changed.
fn changed(piece: &Piece) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(piece.print.newest)).unwrap_or(Timestamp::MAX)
}

/// The package and the version that a directory of a source distribution is called by, where it is.
fn called(path: &Path) -> (Option<String>, Option<String>) {
    match shard::place(path) {
        Place::BuiltWheel { package, version, .. } => (package, version),
        _ => (None, None),
    }
}

/// What two URLs of one repository have in common: neither the scheme, nor the user, nor `.git`, nor upper case in the host.
fn repository_key(url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let url = url.strip_prefix("git+").unwrap_or(url);
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        // `git@host:path`, as scp(1) writes it.
        None => url.replacen(':', "/", 1),
    };
    let (host, path) = rest.split_once('/').unwrap_or((&rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_ascii_lowercase();
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let path = PathBuf::from(path.trim_start_matches('/'));
    format!("{host}/{}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_called_by_its_place_where_that_has_a_name() {
        let of = |path: &str| called(Path::new(path));
        let docopt = (Some("docopt".to_owned()), Some("0.6.2".to_owned()));
        for below in ["", "/src"] {
            assert_eq!(of(&format!("sdists-v11/pypi/docopt/0.6.2/revision1{below}")), docopt);
            assert_eq!(
                of(&format!("sdists-v11/index/0123456789abcdef/docopt/0.6.2/revision1{below}")),
                docopt
            );
            assert_eq!(of(&format!("sdists-v11/path/0123456789abcdef/revision1{below}")), (None, None));
        }
        assert_eq!(of("simple-v28/pypi"), (None, None));
    }

    #[test]
    fn urls_of_one_repository_are_told_to_be_one() {
        let key = repository_key("https://git.example/a/b.git");
        for same in [
            "https://git.example/a/b",
            "git+https://me:secret@GIT.example/a/b.git#egg=x",
            "ssh://git@git.example/a/b.git",
            "git@git.example:a/b",
            "https://git.example/a/b/",
        ] {
            assert_eq!(repository_key(same), key, "{same}");
        }
        for other in ["https://git.example/a/c", "https://example.org/a/b", "https://git.example/A/b"] {
            assert_ne!(repository_key(other), key, "{other}");
        }
        assert_eq!(repository_key("/srv/git/a"), repository_key("file:///srv/git/a.git"));
    }
}
