//! Values as people read them: sizes, counts, ages, paths and names that came from outside.
//!
//! [`escape`] is the one escaper of the project. Every file name, package name or other text that was read from disk
//! passes it before it reaches a screen, a log or a window title; JSON output carries such text losslessly instead.

pub mod read;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use humansize::{BINARY, FormatSizeOptions, format_size};

/// Writes `bytes` in binary units with at most one decimal, as `1.2 GiB`.
pub fn bytes(bytes: u64) -> String {
    let places = usize::from(bytes >= 1024);
    format_size(bytes, FormatSizeOptions::from(BINARY).decimal_places(places).decimal_zeroes(places))
}

/// Writes a count with a comma between groups of three digits, as `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a count and its noun, as `1 file` or `1,204 files`; `plural` is the noun for every number but one.
pub fn counted(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", count(number), if number == 1 { singular } else { plural })
}

/// Joins with commas and a last "and".
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Writes a text with a capital at its beginning, as a sentence begins.
pub fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

/// Writes the time from `then` to `now` in its largest whole unit, as `3 days`; times in the future read `now`.
pub fn age(then: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let seconds = u64::try_from(now.as_second().saturating_sub(then.as_second())).unwrap_or(0);
    let (number, singular, plural) = match seconds {
        0..60 => return "now".to_owned(),
        60..3_600 => (seconds / 60, "minute", "minutes"),
        3_600..86_400 => (seconds / 3_600, "hour", "hours"),
        86_400..5_184_000 => (seconds / 86_400, "day", "days"),
        5_184_000..63_072_000 => (seconds / 2_592_000, "month", "months"),
        _ => (seconds / 31_536_000, "year", "years"),
    };
    counted(number, singular, plural)
}

/// Writes a length of time in its largest unit of which there are at least two, as `90 seconds` or `8 hours`, rounded up.
pub fn duration(duration: std::time::Duration) -> String {
    // Of what is begun the whole counts.
    match duration.as_secs() + u64::from(duration.subsec_nanos() > 0) {
        seconds @ 0..120 => counted(seconds, "second", "seconds"),
        seconds @ 120..7_200 => counted(seconds.div_ceil(60), "minute", "minutes"),
        seconds @ 7_200..172_800 => counted(seconds.div_ceil(3_600), "hour", "hours"),
        seconds => counted(seconds.div_ceil(86_400), "day", "days"),
    }
}

/// Writes how long ago something was, as `3 days ago` or `just now`.
pub fn ago(then: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let age = age(then, now);
    if age == "now" { "just now".to_owned() } else { format!("{age} ago") }
}

/// Writes an age in at most four cells, as `3d`, `11mo` or `now`.
pub fn short_age(then: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    match seconds {
        0..60 => "now".to_owned(),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        86_400..5_184_000 => format!("{}d", seconds / 86_400),
        5_184_000..63_072_000 => format!("{}mo", seconds / 2_592_000),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// Whether a character must not reach a terminal as it is: C0, DEL and C1 controls, bidirectional controls, zero-width
/// and other invisible characters that make two different names look alike.
pub fn is_hostile(character: char) -> bool {
    matches!(character,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Makes text from outside safe to show, so that different texts stay visibly different.
///
/// Hostile characters become `\xNN` or `\u{N}`, a backslash becomes `\\` only where something else had to be escaped too
/// (so that ordinary Windows paths stay readable, and an escaped text still cannot be confused with another).
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        push_escaped(&mut shown, character);
    }
    Cow::Owned(shown)
}

fn push_escaped(shown: &mut String, character: char) {
    let written = match character {
        '\\' => write!(shown, "\\\\"),
        _ if !is_hostile(character) => write!(shown, "{character}"),
        _ if u32::from(character) < 0x80 => write!(shown, "\\x{:02x}", u32::from(character)),
        _ => write!(shown, "\\u{{{:x}}}", u32::from(character)),
    };
    written.expect("writing to a string succeeds");
}

/// Like [`escape`], for bytes of unknown encoding: what is not UTF-8 becomes `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return escape(text);
    }
    let mut shown = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_escaped(&mut shown, character);
        }
        for byte in chunk.invalid() {
            write!(shown, "\\x{byte:02x}").expect("writing to a string succeeds");
        }
    }
    Cow::Owned(shown)
}

/// Like [`escape`], for a name or path of the operating system.
pub fn escape_os(text: &OsStr) -> Cow<'_, str> {
    escape_bytes(text.as_encoded_bytes())
}

/// Writes a path for a person: escaped, and with `~` for the home directory where it lies beneath it.
pub fn path(path: &Path, home: Option<&Path>) -> String {
    let beneath = home.filter(|home| home.parent().is_some()).and_then(|home| path.strip_prefix(home).ok());
    match beneath {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~{}{}", std::path::MAIN_SEPARATOR, escape_os(rest.as_os_str())),
        None => escape_os(path.as_os_str()).into_owned(),
    }
}

/// One word of a command that can be pasted into a shell of this system: a POSIX shell's, or what both shells of Windows
/// read as one word.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    word_for(word, cfg!(windows))
}

/// The same of a name or path of the operating system: bytes that are not UTF-8 keep their value where a shell can say it.
pub fn shell_os(text: &OsStr) -> String {
    match text.to_str() {
        Some(text) => escape(&shell_word(text)).into_owned(),
        None if cfg!(windows) => escape(&shell_word(&text.to_string_lossy())).into_owned(),
        None => ansi_c(text.as_encoded_bytes()),
    }
}

fn word_for(word: &str, windows: bool) -> Cow<'_, str> {
    let marks = if windows { r"-_./=+:@,~\" } else { "-_./=+:@%,~" };
    let is_plain = |character: char| character.is_ascii_alphanumeric() || marks.contains(character);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    if !windows && word.contains(is_hostile) {
        return Cow::Owned(ansi_c(word.as_bytes()));
    }
    if windows {
        // Neither shell takes single quotes for what they are elsewhere; a backslash before the last quote would hide it.
        let slashes = word.len() - word.trim_end_matches('\\').len();
        return Cow::Owned(format!("\"{}{}\"", word.replace('"', "\\\""), "\\".repeat(slashes)));
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

/// A word in `$'…'`, as bash, zsh, ksh and POSIX of 2024 read it: what does not show, and what a terminal would obey, is
/// written byte by byte. A shell that does not know it takes it for one other word, never for a second command.
fn ansi_c(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    let push_byte = |quoted: &mut String, byte: u8| {
        // Three octal digits end by themselves; a hexadecimal escape would take what follows along.
        write!(quoted, "\\{byte:03o}").expect("writing to a string succeeds");
    };
    for chunk in word.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' | '\'' => quoted.extend(['\\', character]),
                _ if is_hostile(character) => {
                    character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(&mut quoted, byte));
                }
                _ => quoted.push(character),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_byte(&mut quoted, *byte));
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_is_a_word_of_the_same_bytes() {
        use std::os::unix::ffi::OsStrExt as _;
        let shown = shell_os(OsStr::from_bytes(b"/a\xff\n7'"));
        assert_eq!(shown, r"$'/a\377\0127\''");
        assert_eq!(shell_os(OsStr::new("/a b")), "'/a b'");
        assert_eq!(shell_os(OsStr::new("/a-b")), "/a-b");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_a_hostile_word_as_that_word_and_nothing_hostile_is_in_it() {
        for word in
            ["a\nb", "\nreboot\n", "it's\r\\", "\x1b[31m7", "\u{202e}\u{200b}x", "\u{9b}1", "$(x)`y`\n"]
        {
            let quoted = word_for(word, false);
            assert!(!quoted.contains(is_hostile), "{quoted}");
            let Ok(told) =
                std::process::Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output()
            else {
                continue;
            };
            assert_eq!(String::from_utf8(told.stdout).unwrap(), word, "{quoted}");
        }
    }

    #[test]
    fn words_are_quoted_as_the_shells_of_each_system_read_them() {
        let posix = [
            ("a/b-1.0", "a/b-1.0"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("~x", "'~x'"),
            (r"C:\x", r"'C:\x'"),
        ];
        for (word, expected) in posix {
            assert_eq!(word_for(word, false), expected);
        }
        let windows = [
            (r"C:\code\.venv", r"C:\code\.venv"),
            (r"C:\my code", "\"C:\\my code\""),
            (r"C:\my code\", "\"C:\\my code\\\\\""),
            ("it's", "\"it's\""),
            ("100%", "\"100%\""),
            ("", "\"\""),
        ];
        for (word, expected) in windows {
            assert_eq!(word_for(word, true), expected);
        }
    }

    #[test]
    fn sizes_and_counts_read_as_people_write_them() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1_288_490_188), "1.2 GiB");
        assert_eq!(count(1_204_000), "1,204,000");
        assert_eq!(counted(1, "file", "files"), "1 file");
        assert_eq!(counted(1_204, "file", "files"), "1,204 files");
    }

    #[test]
    fn different_names_stay_visibly_different() {
        assert_eq!(escape("plain\\name"), "plain\\name");
        assert_eq!(escape("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(escape("a\\x1b"), "a\\x1b");
        assert_eq!(escape("a\\x1b\x07"), "a\\\\x1b\\x07");
        assert_eq!(escape("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(escape_bytes(b"a\xffb"), "a\\xffb");
    }

    #[test]
    fn the_home_directory_is_a_tilde() {
        let home = Some(Path::new("/home/ada"));
        assert_eq!(path(Path::new("/home/ada/x"), home), format!("~{}x", std::path::MAIN_SEPARATOR));
        assert_eq!(path(Path::new("/home/ada"), home), "~");
        assert_eq!(path(Path::new("/home/adam"), home), "/home/adam");
        assert_eq!(path(Path::new("/etc"), Some(Path::new("/"))), "/etc");
    }

    #[test]
    fn ages_use_their_largest_unit() {
        let now = jiff::Timestamp::from_second(1_000_000_000).unwrap();
        let ago = |seconds: i64| jiff::Timestamp::from_second(1_000_000_000 - seconds).unwrap();
        assert_eq!(age(ago(-5), now), "now");
        assert_eq!(age(ago(90), now), "1 minute");
        assert_eq!(age(ago(86_400 * 3), now), "3 days");
        assert_eq!(age(ago(86_400 * 400), now), "13 months");
        assert_eq!(short_age(ago(86_400 * 3), now), "3d");
    }
}
