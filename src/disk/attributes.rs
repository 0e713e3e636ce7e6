//! What the attributes and the reparse tag of a file on Windows say: tables, so that they can be read and tested
//! everywhere.
//!
//! A reparse point is a file that somebody else answers for: the filesystem (a symlink, a junction), or a driver that
//! keeps the content elsewhere (a folder of a cloud, deduplicated or compressed data). The tag says who, and one of its
//! bits whether it stands for another name ([MS-FSCC] 2.1.2.1).

use super::stat::{Content, FileKind};

/// `FILE_ATTRIBUTE_READONLY`.
pub const READ_ONLY: u32 = 0x1;
/// `FILE_ATTRIBUTE_DIRECTORY`.
pub const DIRECTORY: u32 = 0x10;
/// `FILE_ATTRIBUTE_DEVICE`.
pub const DEVICE: u32 = 0x40;
/// `FILE_ATTRIBUTE_SPARSE_FILE`.
pub const SPARSE: u32 = 0x200;
/// `FILE_ATTRIBUTE_REPARSE_POINT`.
pub const REPARSE_POINT: u32 = 0x400;
/// `FILE_ATTRIBUTE_COMPRESSED`.
pub const COMPRESSED: u32 = 0x800;
/// `FILE_ATTRIBUTE_OFFLINE`: the content lies on a tape or the like.
pub const OFFLINE: u32 = 0x1000;
/// `FILE_ATTRIBUTE_RECALL_ON_OPEN`: the file has no local part at all.
pub const RECALL_ON_OPEN: u32 = 0x4_0000;
/// `FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS`: the content, or a part of it, is fetched when it is read.
pub const RECALL_ON_DATA_ACCESS: u32 = 0x40_0000;

/// The bit of a tag that says that the file stands for another name.
const NAME_SURROGATE: u32 = 0x2000_0000;
/// `IO_REPARSE_TAG_APPEXECLINK`: what the Microsoft Store puts at `python.exe`; only starting it does anything.
const APP_EXECUTION_ALIAS: u32 = 0x8000_001b;
/// `IO_REPARSE_TAG_AF_UNIX`, and the FIFOs and devices of the Linux subsystem.
const SPECIAL: [u32; 4] = [0x8000_0023, 0x8000_0024, 0x8000_0025, 0x8000_0026];

/// The kind of a file with these attributes and, if it is a reparse point, this tag.
pub fn kind(attributes: u32, tag: u32) -> FileKind {
    let reparse = attributes & REPARSE_POINT != 0;
    if reparse && tag & NAME_SURROGATE != 0 {
        // Symlinks, junctions, and whatever else leads to another place: none of them is followed.
        FileKind::Symlink
    } else if attributes & DIRECTORY != 0 {
        FileKind::Directory
    } else if attributes & DEVICE != 0 || (reparse && (tag == APP_EXECUTION_ALIAS || SPECIAL.contains(&tag)))
    {
        FileKind::Other
    } else {
        FileKind::File
    }
}

/// Where the content of a file with these attributes lies.
pub fn content(attributes: u32) -> Content {
    if attributes & (OFFLINE | RECALL_ON_OPEN | RECALL_ON_DATA_ACCESS) == 0 {
        Content::Here
    } else {
        Content::Elsewhere
    }
}

/// The target in the content of a reparse point, if it is a symlink or a junction ([MS-FSCC] 2.1.2.4 and 2.1.2.5), in code
/// units; of an absolute one without the prefix that only the kernel understands.
pub fn target(content: &[u8]) -> Option<Vec<u16>> {
    const SYMLINK: u32 = 0xa000_000c;
    const JUNCTION: u32 = 0xa000_0003;
    let half = |at: usize| {
        let bytes = content.get(at..at + 2)?;
        Some(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    };
    let tag = u32::from_le_bytes(content.get(..4)?.try_into().ok()?);
    // Behind tag, length and a reserved number: where the names are, and of a symlink whether it is relative.
    let names = match tag {
        SYMLINK => 20,
        JUNCTION => 16,
        _ => return None,
    };
    let (start, length) = (names + half(8)?, half(10)?);
    let units: Vec<u16> = content
        .get(start..start + length)?
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    let prefix: Vec<u16> = r"\??\".encode_utf16().collect();
    let network: Vec<u16> = r"\??\UNC\".encode_utf16().collect();
    Some(match (units.strip_prefix(network.as_slice()), units.strip_prefix(prefix.as_slice())) {
        (Some(rest), _) => r"\\".encode_utf16().chain(rest.iter().copied()).collect(),
        (None, Some(rest)) => rest.to_vec(),
        (None, None) => units,
    })
}

/// Permission bits that say what the attributes say, which is only whether a file may be written.
pub fn mode_bits(attributes: u32) -> u32 {
    if attributes & READ_ONLY == 0 { 0o644 } else { 0o444 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_another_name_is_a_symlink_and_never_entered() {
        const SYMLINK: u32 = 0xa000_000c;
        const JUNCTION: u32 = 0xa000_0003;
        const LINUX_SYMLINK: u32 = 0xa000_001d;
        for tag in [SYMLINK, JUNCTION, LINUX_SYMLINK] {
            assert_eq!(kind(REPARSE_POINT | DIRECTORY, tag), FileKind::Symlink, "{tag:x}");
            assert_eq!(kind(REPARSE_POINT, tag), FileKind::Symlink, "{tag:x}");
        }
        assert_eq!(kind(DIRECTORY, SYMLINK), FileKind::Directory, "a tag counts only at a reparse point");
    }

    #[test]
    fn what_a_driver_answers_for_stays_what_it_looks_like() {
        const CLOUD: u32 = 0x9000_701a;
        const COMPRESSED_BY_FILTER: u32 = 0x8000_0017;
        const DEDUPLICATED: u32 = 0x8000_0013;
        for tag in [CLOUD, COMPRESSED_BY_FILTER, DEDUPLICATED] {
            assert_eq!(kind(REPARSE_POINT | DIRECTORY, tag), FileKind::Directory, "{tag:x}");
            assert_eq!(kind(REPARSE_POINT, tag), FileKind::File, "{tag:x}");
        }
        for tag in [APP_EXECUTION_ALIAS, SPECIAL[0], SPECIAL[3]] {
            assert_eq!(kind(REPARSE_POINT, tag), FileKind::Other, "{tag:x}");
        }
        assert_eq!(kind(DEVICE, 0), FileKind::Other);
        assert_eq!(kind(READ_ONLY, 0), FileKind::File);
    }

    #[test]
    fn content_that_would_have_to_be_fetched_is_elsewhere() {
        for attribute in [OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS] {
            assert_eq!(content(attribute | REPARSE_POINT), Content::Elsewhere);
        }
        // A file of a cloud's folder that is kept on this device is still a reparse point.
        assert_eq!(content(REPARSE_POINT | READ_ONLY | COMPRESSED | SPARSE), Content::Here);
    }

    /// The content of a reparse point with this text as its target.
    fn reparse(tag: u32, text: &str) -> Vec<u8> {
        let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        let mut content = tag.to_le_bytes().to_vec();
        content.extend([0; 4]);
        content.extend([0, 0]);
        content.extend(length);
        content.extend(length);
        content.extend([0, 0]);
        if tag == 0xa000_000c {
            content.extend([0; 4]);
        }
        content.extend(text);
        content
    }

    #[test]
    fn the_targets_of_symlinks_and_junctions_are_read_and_damaged_ones_are_not() {
        let read = |tag, text| target(&reparse(tag, text)).map(|units| String::from_utf16(&units).unwrap());
        for tag in [0xa000_000c, 0xa000_0003] {
            assert_eq!(read(tag, r"\??\C:\uv\cache").as_deref(), Some(r"C:\uv\cache"));
            assert_eq!(read(tag, r"\??\UNC\server\share\x").as_deref(), Some(r"\\server\share\x"));
            assert_eq!(read(tag, r"..\archive-v0\x").as_deref(), Some(r"..\archive-v0\x"));
            let whole = reparse(tag, r"\??\C:\uv\cache");
            for end in 0..whole.len() {
                assert_eq!(target(&whole[..end]), None, "{end}");
            }
        }
        assert_eq!(target(&reparse(APP_EXECUTION_ALIAS, "python")), None);
    }
}
