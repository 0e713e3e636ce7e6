//! Sizes and ages as people write them, on the command line and in a filter.

/// Reads a size: a number with or without a unit. `K`, `KiB`, `M` … are powers of 1024, `kB`, `MB` … of 1000.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let lower = unit.to_ascii_lowercase();
    let power = match lower.chars().next() {
        None | Some('b') => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return Err(format!("`{unit}` is no unit of size; use K, M, G or T")),
    };
    let base = match lower.get(1..).unwrap_or_default() {
        "" | "ib" => 1024_u64,
        "b" if power > 0 => 1000,
        _ => return Err(format!("`{unit}` is no unit of size; use K, M, G or T")),
    };
    scaled(number, base.pow(power)).ok_or_else(|| "a size is a number and a unit, as 10M".to_owned())
}

/// Reads an age: a number and a unit, of which months have 30 days and years 365.
pub fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "min" => 60,
        "h" => 3_600,
        "d" | "" => 86_400,
        "w" => 7 * 86_400,
        "mo" => 30 * 86_400,
        "y" => 365 * 86_400,
        "m" => return Err("`m` may be minutes or months; use min or mo".to_owned()),
        _ => return Err(format!("`{unit}` is no unit of time; use min, h, d, w, mo or y")),
    };
    scaled(number, seconds).ok_or_else(|| "an age is a number and a unit, as 30d".to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Multiplies a decimal number exactly, rounding down; none where it is no number or does not fit.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let factor = u128::from(factor);
    let mut sum = whole.parse::<u128>().ok()?.checked_mul(factor)?;
    if !fraction.is_empty() {
        let places = u32::try_from(fraction.len()).ok()?;
        sum = sum.checked_add(fraction.parse::<u128>().ok()? * factor / 10_u128.pow(places))?;
    }
    u64::try_from(sum).ok()
}
