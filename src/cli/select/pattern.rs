//! Matching names against what somebody typed, and finding near ones.

use crate::uv::distribution::normalize;

/// Whether a name contains `pattern`, or matches it as a whole where it has `*` or `?`; both as PEP 503 compares them.
pub fn name_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (normalize(pattern), normalize(name));
    if pattern.contains(['*', '?']) {
        wildcard(pattern.as_bytes(), name.as_bytes())
    } else {
        name.contains(&pattern)
    }
}

/// Matches `*` and `?`, in time linear in the product of both lengths: it returns to the last star only.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((position, start)) => {
                    star = Some((position, start + 1));
                    at = position + 1;
                    from = start + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Up to `limit` of `names` that somebody may have meant by `wanted`, nearest first, without repetition.
pub fn near_names<'a>(wanted: &str, names: impl Iterator<Item = &'a str>, limit: usize) -> Vec<&'a str> {
    let wanted = normalize(wanted);
    let allowed = 1 + wanted.chars().count() / 4;
    let mut near: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let normal = normalize(name);
            let within = !wanted.is_empty() && (normal.contains(&wanted) || wanted.contains(&normal));
            let distance = distance(&wanted, &normal);
            (within || distance <= allowed).then_some((distance, name))
        })
        .collect();
    near.sort_unstable();
    near.dedup_by(|one, other| one.1 == other.1);
    near.into_iter().take(limit).map(|(_, name)| name).collect()
}

/// How many characters have to be put in, taken out or replaced to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, character) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..other.len() {
            let replaced = diagonal + usize::from(other[column] != character);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_by_part_or_by_wildcard() {
        assert!(name_matches("NV", "nvidia_cudnn"));
        assert!(name_matches("nvidia-*", "nvidia_cudnn_cu12"));
        assert!(name_matches("*cu?2", "nvidia-cudnn-cu12"));
        assert!(!name_matches("nv*x", "nvidia-cudnn"));
        assert!(!name_matches("torch?", "torch"));
        assert!(name_matches("a*b*c", "aXbXbXc"));
    }

    #[test]
    fn near_names_come_nearest_first() {
        let names = ["torch", "torchvision", "numpy", "pytorch-lightning"];
        assert_eq!(near_names("toch", names.into_iter(), 3), ["torch"]);
        assert_eq!(near_names("torch", names.into_iter(), 2), ["torch", "torchvision"]);
        assert_eq!(near_names("zzz", names.into_iter(), 3), [] as [&str; 0]);
    }

    #[test]
    fn distance_counts_single_changes() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
