//! Where uv and programs that use it keep caches, so that an environment which is linked to another one can be told so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Place;
use crate::snapshot::FoundBy;

/// The caches that a home and the environment variables name: uv's own, pixi's and prek's.
pub(super) fn places(
    variable: &dyn Fn(&str) -> Option<OsString>,
    home: Option<&Path>,
    caches: Option<&Path>,
) -> Vec<Place> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let beneath = |rest: &str| home.map(|home| home.join(rest));
    let in_caches = |rest: &str| caches.map(|caches| caches.join(rest));
    let all = [
        path("UV_CACHE_DIR"),
        in_caches("uv"),
        beneath("Library/Caches/uv"),
        path("LOCALAPPDATA").map(|data| data.join("uv").join("cache")),
        path("PIXI_CACHE_DIR").map(|cache| cache.join("uv-cache")),
        path("RATTLER_CACHE_DIR").map(|cache| cache.join("uv-cache")),
        in_caches("rattler/cache/uv-cache"),
        beneath("Library/Caches/rattler/cache/uv-cache"),
        path("PREK_HOME").map(|store| store.join("cache").join("uv")),
        in_caches("prek/cache/uv"),
    ];
    let place =
        |path| Place { path, found_by: FoundBy::KnownPlace, reason: "another cache", depth: 0, named: false };
    all.into_iter().flatten().map(place).collect()
}
