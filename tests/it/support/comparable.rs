//! What of cachetui's answers has to be the same wherever a cache is read.

use serde_json::{Map, Value, json};

/// What of an answer depends on the cache alone: paths with `/`, and environments by their place below the root.
pub(crate) fn comparable(answer: &Value, root: &str) -> Value {
    let plain = |value: &Value| {
        let text = value.as_str().unwrap_or_default().replace('\\', "/");
        let root = root.replace('\\', "/");
        Value::from(text.strip_prefix(&root).unwrap_or(&text).trim_start_matches('/'))
    };
    let keys = |value: &Value, keys: &[&str]| -> Map<String, Value> {
        keys.iter().map(|key| ((*key).to_owned(), value[*key].clone())).collect()
    };
    let all = |key: &str, row: &dyn Fn(&Value) -> Value| -> Value {
        answer[key].as_array().map_or(Value::Null, |rows| rows.iter().map(row).collect())
    };
    let pointer = |pointer: &Value| {
        let mut row = keys(pointer, &["form", "state", "target", "entry", "name", "version"]);
        row.insert("path".to_owned(), plain(&pointer["path"]));
        Value::Object(row)
    };
    let entries = all("entries", &|entry| {
        let names =
            ["id", "kind", "name", "version", "tags", "source", "files", "modified", "links", "state"];
        let mut row = keys(entry, &names);
        row.insert("logical".to_owned(), entry["bytes"]["logical"].clone());
        row.insert(
            "pointers".to_owned(),
            entry["pointers"].as_array().unwrap().iter().map(pointer).collect(),
        );
        let users = entry["users"].as_array().unwrap().iter().map(|user| {
            let mut row = keys(user, &["distribution", "by", "evidence"]);
            row.insert("environment".to_owned(), plain(&user["environment"]));
            Value::Object(row)
        });
        row.insert("users".to_owned(), users.collect());
        Value::Object(row)
    });
    let environments = all("environments", &|environment| {
        let mut row = keys(environment, &["kind", "manager", "python"]);
        row.insert("path".to_owned(), plain(&environment["path"]));
        let distributions = environment["distributions"].as_array().unwrap().iter();
        let names = ["name", "version", "entry", "mode", "files", "state"];
        row.insert(
            "distributions".to_owned(),
            distributions.map(|it| Value::Object(keys(it, &names))).collect(),
        );
        Value::Object(row)
    });
    json!({ "entries": entries, "environments": environments, "pointers": all("pointers", &pointer) })
}
