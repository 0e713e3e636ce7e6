//! Buckets whose number or kind no tested release of uv writes, and what a scan learnt about them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::entry::{Bucket, Cache};
use crate::uv::TESTED;
use crate::uv::bucket::{Bucket as Name, BucketKind};

/// What keeps a bucket of an unknown number or kind from being understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Odd {
    /// The first file or directory of an unknown form, relative to the cache's root; the bucket itself where its kind is not
    /// known.
    pub path: PathBuf,
    /// What is odd about it, as a predicate: `has an unknown form`.
    pub what: String,
}

impl Bucket {
    /// Its kind and number, where it is a bucket of a known kind.
    pub fn parsed(&self) -> Option<Name> {
        Name::parse(OsStr::new(&self.name))
    }

    /// Whether what lies in it is understood: a tested release writes its number, or everything in it has the forms that the
    /// newest known number has.
    pub fn is_understood(&self) -> bool {
        self.odd.is_none()
    }

    /// Whether anything in the cache may depend on it in ways that cannot be read: then everything stays.
    pub fn keeps_everything(&self) -> bool {
        // The store holds nothing but files, which are found by their inodes whatever they are called.
        let alone = self.parsed().is_some_and(|bucket| bucket.kind == BucketKind::Files);
        self.odd.is_some() && !alone
    }

    /// Why it is not understood, as a sentence without its end: which bucket, which file, and which numbers are known. Not
    /// escaped.
    pub fn why_odd(&self) -> Option<String> {
        let odd = self.odd.as_ref()?;
        let name = &self.name;
        let Some(bucket) = self.parsed() else {
            return Some(format!(
                "`{name}` is not understood: no bucket of that kind is known (tested with {TESTED})"
            ));
        };
        let age = if bucket.is_old() { ", written by uv 0.4 or older," } else { "" };
        let known = bucket.kind.numbers();
        Some(format!(
            "`{name}`{age} is not understood: `{}` {} (known: {known})",
            odd.path.display(),
            odd.what
        ))
    }
}

impl Cache {
    /// Why everything in it stays: the buckets that are not understood, each with its sentence.
    pub fn odd(&self) -> impl Iterator<Item = (&Bucket, String)> {
        let keeps = self.buckets.iter().filter(|bucket| bucket.keeps_everything());
        keeps.filter_map(|bucket| Some((bucket, bucket.why_odd()?)))
    }

    /// The bucket that a path relative to the cache's root lies in.
    pub fn bucket_of(&self, path: &Path) -> Option<&Bucket> {
        let name = path.iter().next()?;
        self.buckets.iter().find(|bucket| OsStr::new(&bucket.name) == name)
    }
}
