//! URLs as they stand in settings, lock files and `direct_url.json`: what of one may be shown, and the digest by which uv names
//! its directories in the cache.
//!
//! A user name, a password, a query and most fragments may be secrets. Nothing that was read keeps one: each becomes a blank,
//! which a person can fill in.

use std::borrow::Cow;
use std::path::Path;

/// What stands for a user name and password.
pub const CREDENTIALS: &str = "<CREDENTIALS>";

/// What stands for a query.
pub const QUERY: &str = "<QUERY>";

/// What stands for a fragment that may be a secret.
const FRAGMENT: &str = "<FRAGMENT>";

/// The parts of a fragment that are never secrets (PEP 508, PEP 503).
const PLAIN_FRAGMENTS: [&str; 10] =
    ["egg", "subdirectory", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "name"];

/// A text with every secret of the URLs in it blanked.
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let scheme =
            rest[..start].rsplit(|it: char| !it.is_ascii_alphanumeric() && !"+-.".contains(it)).next();
        let after = &rest[start + 3..];
        let ends = |it: char| it.is_whitespace() || it.is_control() || "\"'`\\".contains(it);
        let (url, left) = after.split_at(after.find(ends).unwrap_or(after.len()));
        shown.push_str(&rest[..start + 3]);
        push_masked(&mut shown, scheme.unwrap_or_default(), url);
        rest = left;
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// Whether a text has a blank where something was hidden.
pub fn is_masked(text: &str) -> bool {
    [CREDENTIALS, QUERY, FRAGMENT].iter().any(|blank| text.contains(blank))
}

fn push_masked(shown: &mut String, scheme: &str, url: &str) {
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, fragment)| (url, Some(fragment)));
    let (url, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
    let (authority, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    match authority.rsplit_once('@') {
        // The user of SSH is part of the place, as `git` is.
        Some((user, _)) if is_ssh(scheme) && !user.contains(':') => shown.push_str(authority),
        Some((user, host)) if !user.is_empty() => shown.extend([CREDENTIALS, "@", host]),
        _ => shown.push_str(authority),
    }
    shown.push_str(path);
    if query.is_some_and(|query| !query.is_empty()) {
        shown.extend(["?", QUERY]);
    }
    if let Some(fragment) = fragment {
        let is_plain = |pair: &str| {
            let key = pair.split_once('=').map(|(key, _)| key);
            key.is_some_and(|key| PLAIN_FRAGMENTS.contains(&key))
        };
        let plain = fragment.is_empty() || fragment.split('&').all(is_plain);
        shown.extend(["#", if plain { fragment } else { FRAGMENT }]);
    }
}

fn is_ssh(scheme: &str) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    scheme.ends_with("ssh") || scheme.ends_with("sftp")
}

/// A URL without user name and password.
pub fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    if is_ssh(scheme) {
        return url.to_owned();
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
    format!("{scheme}://{host}{}", &rest[end..])
}

/// The digests by which releases of uv may call what came from a URL (uv 0.9.30 to 0.13.8): `SeaHash` over its text, in which
/// neither credentials nor a slash at the end count.
pub fn digests(url: &str) -> impl Iterator<Item = String> {
    let plain = without_credentials(url);
    let plain = plain.split('#').next().unwrap_or_default();
    let short = plain.trim_end_matches('/');
    let bare = short.strip_suffix(".git").unwrap_or(short);
    let mut all = [bare.to_owned(), short.to_owned(), plain.to_owned(), format!("{short}/")]
        .map(|it| digest(&it))
        .to_vec();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}

fn digest(text: &str) -> String {
    use std::hash::Hasher as _;
    let mut hasher = seahash::SeaHasher::new();
    hasher.write(text.as_bytes());
    // The end of a text, as the standard library hashes it.
    hasher.write(&[0xff]);
    data_encoding::HEXLOWER.encode(&hasher.finish().to_le_bytes())
}

/// The `file://` URL of an absolute path; none for what is not UTF-8.
pub fn of_path(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let mut url = String::from("file://");
    if cfg!(windows) {
        url.push('/');
    }
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_graphic() && !b"\"#<>?`{}%\\".contains(&byte);
        match byte {
            b'\\' if cfg!(windows) => url.push('/'),
            _ if is_plain => url.push(char::from(byte)),
            _ => url.extend(["%", &data_encoding::HEXUPPER.encode(&[byte])]),
        }
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_shown_and_the_rest_is() {
        for (text, expected) in [
            ("https://e.org/a.whl", "https://e.org/a.whl"),
            ("https://e.org/@scope/a@1.0", "https://e.org/@scope/a@1.0"),
            ("https://me:pw@e.org/a", "https://<CREDENTIALS>@e.org/a"),
            ("https://ghp_token@e.org/a", "https://<CREDENTIALS>@e.org/a"),
            ("https://me:p@w@e.org", "https://<CREDENTIALS>@e.org"),
            ("HTTPS://me:pw@e.org:8443/x?y", "HTTPS://<CREDENTIALS>@e.org:8443/x?<QUERY>"),
            (
                "git+https://t0k@e.org/r.git@abc#subdirectory=x",
                "git+https://<CREDENTIALS>@e.org/r.git@abc#subdirectory=x",
            ),
            ("git+ssh://git@e.org/r", "git+ssh://git@e.org/r"),
            ("ssh://me:pw@e.org/r", "ssh://<CREDENTIALS>@e.org/r"),
            ("https://e.org/a.whl?token=x&sig=y#sha256=00", "https://e.org/a.whl?<QUERY>#sha256=00"),
            ("https://e.org/a#access_token=x", "https://e.org/a#<FRAGMENT>"),
            (
                "uv --index=https://a:b@e.org/s x --index https://c@f.org?q=1 y",
                "uv --index=https://<CREDENTIALS>@e.org/s x --index https://<CREDENTIALS>@f.org?<QUERY> y",
            ),
            ("file:///home/me/a.whl", "file:///home/me/a.whl"),
            ("no url at all: me@e.org ? #", "no url at all: me@e.org ? #"),
        ] {
            assert_eq!(masked(text), expected);
            assert_eq!(is_masked(&masked(text)), text != expected);
            assert_eq!(masked(&masked(text)), expected, "masking again changes nothing");
        }
    }

    #[test]
    fn digests_are_those_of_uv() {
        // Made by uv 0.13.8, 0.12.5 and 0.9.30.
        for (url, expected) in [
            ("http://127.0.0.1:18765/simple/", "5abb261fefa03203"),
            ("http://user:pw@127.0.0.1:18765/simple/", "5abb261fefa03203"),
            ("file:///tmp/x/links", "993de1c04e2cda30"),
            ("file:///tmp/x/links/demo_a-1.0-py3-none-any.whl", "fd46add62de1c68e"),
        ] {
            assert!(digests(url).any(|digest| digest == expected), "{url}");
        }
        assert!(!digests("http://127.0.0.1:18765/simpler").any(|digest| digest == "5abb261fefa03203"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_a_url_and_back() {
        use crate::uv::distribution::file_path;
        for path in ["/a/b c/ü#?%.whl", "/x"] {
            let url = of_path(Path::new(path)).unwrap();
            assert_eq!(file_path(&url).unwrap(), Path::new(path), "{url}");
        }
    }
}
