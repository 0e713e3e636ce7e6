//! What shows that somebody has begun to use something since the scan.
//!
//! A hardlink shows on the file that was linked. A symlink does not: only the environment it was made in shows it. A new
//! environment shows in uv's records of interpreters, since uv asks every interpreter it installs for; but one that is made
//! again where one was before does not, since uv still has its record (uv 0.13.8): those places are watched one by one. A
//! new pointer to an old entry shows in the bucket it lies in.

use std::ffi::OsStr;

use serde::{Deserialize, Serialize};

use super::At;
use crate::snapshot::{FilePrint, Project, Snapshot, TreePrint};
use crate::uv::bucket::{Bucket, BucketKind};

/// Something that must not have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Where it is: of buckets relative to the cache's root, of directories absolute.
    #[serde(flatten)]
    pub at: At,
    /// What has to be found there.
    #[serde(flatten)]
    pub expects: WatchedAs,
}

/// What has to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "kebab-case")]
pub enum WatchedAs {
    /// A directory of distributions.
    Site {
        /// What identifies it.
        print: FilePrint,
    },
    /// Nothing that is an environment: one was there once.
    Absent,
    /// An environment without a directory of distributions.
    Bare,
    /// A bucket with everything in it.
    Bucket {
        /// What identifies it.
        print: TreePrint,
    },
}

/// Everything to be watched.
pub(super) fn watched(snapshot: &Snapshot) -> Vec<Watched> {
    let mut watched = Vec::new();
    for environment in &snapshot.environments {
        for (path, print) in &environment.sites {
            watched.push(Watched {
                at: At::new(&environment.path.join(path)),
                expects: WatchedAs::Site { print: *print },
            });
        }
    }
    // One that is just being made, or was moved out of its place while the scan passed, may have some the next moment.
    for environment in snapshot.environments.iter().filter(|it| it.sites.is_empty()) {
        watched.push(Watched { at: At::new(&environment.path), expects: WatchedAs::Bare });
    }
    for (path, print) in &snapshot.scope.bystanders {
        watched.push(Watched { at: At::new(path), expects: WatchedAs::Site { print: *print } });
    }
    // A project may go on with the environment it had.
    for project in snapshot.environments.iter().filter_map(|it| match &it.project {
        Project::Unlinked(project) | Project::Missing(project) | Project::Gone(project) => Some(project),
        _ => None,
    }) {
        watched.push(Watched { at: At::new(&project.join(".venv")), expects: WatchedAs::Absent });
    }
    for path in &snapshot.scope.absent {
        watched.push(Watched { at: At::new(path), expects: WatchedAs::Absent });
    }
    for part in &snapshot.cache.buckets {
        let kind = Bucket::parse(OsStr::new(&part.name)).map(|bucket| bucket.kind);
        if kind.is_some_and(|kind| kind.holds_pointers() || kind == BucketKind::Interpreter) {
            watched.push(Watched {
                at: At::new(part.name.as_ref()),
                expects: WatchedAs::Bucket { print: part.print },
            });
        }
    }
    watched
}
