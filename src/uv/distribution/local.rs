//! `uv_cache.json`: that uv installed a distribution from a file or directory of this machine.

use serde::Deserialize;

/// What uv notes of a wheel, source distribution or directory of this machine. Of what came over the network it writes no such
/// file (uv 0.9.30 to 0.13.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalSource {
    /// When the file was changed last, in nanoseconds since 1970; none where the note has no such time.
    pub changed: Option<i64>,
}

#[derive(Deserialize)]
struct Written {
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Timestamp {
    secs_since_epoch: i64,
    nanos_since_epoch: i64,
}

impl LocalSource {
    /// Reads the file. One of an unknown form still says that the source was local.
    pub fn parse(bytes: &[u8]) -> Self {
        let time = serde_json::from_slice::<Written>(bytes).ok().and_then(|written| written.timestamp);
        let changed = time.and_then(|time| {
            time.secs_since_epoch.checked_mul(1_000_000_000)?.checked_add(time.nanos_since_epoch)
        });
        Self { changed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_source_is_read_and_an_unknown_form_still_says_that_it_was_local() {
        let text =
            br#"{"timestamp":{"secs_since_epoch":17,"nanos_since_epoch":5},"commit":null,"tags":null}"#;
        assert_eq!(LocalSource::parse(text).changed, Some(17_000_000_005));
        for odd in [
            &b""[..],
            b"{}",
            b"[1]",
            br#"{"timestamp":{"secs_since_epoch":9223372036854775807,"nanos_since_epoch":0}}"#,
        ] {
            assert_eq!(LocalSource::parse(odd), LocalSource::default());
        }
    }
}
