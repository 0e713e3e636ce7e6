//! Where the search for a project's configuration starts.
//!
//! Inside a project uv starts at the root of its workspace, not at the current directory: a member's own configuration
//! does not count. What uv checks by listing directories (that every member is a project) is not checked here.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::RootInputs;

/// The directory from which uv looks upwards for the project's configuration.
pub(super) fn start(inputs: &RootInputs<'_>) -> PathBuf {
    workspace_root(inputs).unwrap_or_else(|| inputs.current_dir.to_path_buf())
}

fn workspace_root(inputs: &RootInputs<'_>) -> Option<PathBuf> {
    let manifest =
        |directory: &Path| (inputs.read)(&directory.join("pyproject.toml")).map(|text| text.parse::<Table>());
    let (project, table) = nearest(inputs.current_dir, &manifest)?;
    let table = table.ok()?;
    let section = uv_section(&table);
    if section.and_then(|section| section.get("managed")).and_then(Value::as_bool) == Some(false) {
        return None;
    }
    if workspace(&table).is_some() {
        return Some(project.to_path_buf());
    }
    table.get("project")?;
    // The next manifest above decides, whatever it says.
    let Some((above, table)) = project.parent().and_then(|parent| nearest(parent, &manifest)) else {
        return Some(project.to_path_buf());
    };
    let table = table.ok()?;
    let is_member = workspace(&table).is_some_and(|workspace| {
        let relative = project.strip_prefix(above).unwrap_or(project);
        lists(workspace, "members", relative) && !lists(workspace, "exclude", relative)
    });
    Some(if is_member { above } else { project }.to_path_buf())
}

/// The closest directory, from `start` upwards, for which there is a manifest.
fn nearest<'p, T>(start: &'p Path, manifest: &dyn Fn(&Path) -> Option<T>) -> Option<(&'p Path, T)> {
    start.ancestors().find_map(|directory| manifest(directory).map(|found| (directory, found)))
}

fn uv_section(table: &Table) -> Option<&Table> {
    table.get("tool")?.get("uv")?.as_table()
}

fn workspace(table: &Table) -> Option<&Table> {
    uv_section(table)?.get("workspace")?.as_table()
}

/// Whether one of the patterns under a key matches a directory relative to the workspace's root.
fn lists(workspace: &Table, key: &str, relative: &Path) -> bool {
    let Some(names) = relative.iter().map(|name| name.to_str()).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let patterns =
        workspace.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    patterns.into_iter().any(|pattern| {
        let parts: Vec<&str> = pattern.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
        matches_path(&parts, &names)
    })
}

/// The most components of a pattern or path that are compared, so that `**` upon `**` stays cheap.
const MOST_COMPONENTS: usize = 64;

fn matches_path(pattern: &[&str], names: &[&str]) -> bool {
    if pattern.len() > MOST_COMPONENTS || names.len() > MOST_COMPONENTS {
        return false;
    }
    // reached[n]: the parts read so far match the first n names.
    let mut reached = vec![false; names.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; names.len() + 1];
        for count in 0..=names.len() {
            next[count] = if *part == "**" {
                reached[..=count].contains(&true)
            } else {
                count > 0 && reached[count - 1] && matches_name(part, names[count - 1])
            };
        }
        reached = next;
    }
    reached[names.len()]
}

/// Matches one component against a pattern with `*`, `?` and `[…]`.
fn matches_name(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    let mut rest = pattern.chars();
    while let Some(sign) = rest.next() {
        if sign == '*' {
            let first = reached.iter().position(|is_reached| *is_reached).unwrap_or(reached.len());
            reached[first..].fill(true);
            continue;
        }
        let set = (sign == '[').then(|| rest.as_str().split_once(']')).flatten();
        if let Some((_, after)) = set {
            rest = after.chars();
        }
        let fits = |character: char| match set {
            Some((set, _)) => in_set(set, character),
            None => sign == '?' || sign == character,
        };
        let next = (0..=name.len()).map(|count| count > 0 && reached[count - 1] && fits(name[count - 1]));
        reached = next.collect();
    }
    reached[name.len()]
}

fn in_set(set: &str, character: char) -> bool {
    let (set, negated) = set.strip_prefix('!').map_or((set, false), |set| (set, true));
    let signs: Vec<char> = set.chars().collect();
    let mut found = false;
    let mut index = 0;
    while index < signs.len() {
        if signs.get(index + 1) == Some(&'-') && index + 2 < signs.len() {
            found |= (signs[index]..=signs[index + 2]).contains(&character);
            index += 3;
        } else {
            found |= signs[index] == character;
            index += 1;
        }
    }
    found != negated
}
