//! Saved plans that name something twice.

use serde_json::Value;

use super::{Ground, everything};

/// Applies a saved plan after a change of it; it has to be refused, with nothing changed.
fn refused(change: impl FnOnce(&mut Value), why: &str) {
    let ground = Ground::new();
    let plan = ground.path("plan.json");
    ground.done(&everything(&["--save", plan.to_str().unwrap()]));
    let mut value: Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&plan, serde_json::to_vec(&value).unwrap()).unwrap();
    let before = ground.listing();
    for more in [&["--yes"][..], &["--yes", "--json"], &["--dry-run"], &["--yes", "--trash"]] {
        let told = ground.run(&[&["apply", plan.to_str().unwrap()][..], more].concat());
        assert_eq!(told.code, 2, "{why}: {}", told.text());
        assert!(told.text().contains(why), "{why}: {}", told.text());
    }
    assert_eq!(ground.listing(), before);
}

fn steps(plan: &mut Value) -> &mut Vec<Value> {
    plan["steps"].as_array_mut().unwrap()
}

#[test]
fn a_step_that_is_there_twice_is_refused() {
    refused(
        |plan| {
            let again = steps(plan)[0].clone();
            steps(plan).push(again);
        },
        "is in it twice",
    );
    // Written differently, and with another action.
    refused(
        |plan| {
            let mut again = steps(plan)[0].clone();
            let path = again["path"].as_str().unwrap().replace("archive-v0/", "archive-v0/./");
            again["path"] = path.into();
            steps(plan).push(again);
        },
        "is in it twice",
    );
    refused(
        |plan| {
            let mut again = steps(plan)[0].clone();
            again["action"] = "remove-leftover".into();
            again["pointers"] = serde_json::json!([]);
            steps(plan).push(again);
        },
        "is in it twice",
    );
}

#[test]
fn a_pointer_that_is_there_twice_is_refused_in_one_step_or_in_two() {
    let with_pointers = |plan: &mut Value| {
        steps(plan).iter().position(|step| !step["pointers"].as_array().unwrap().is_empty()).unwrap()
    };
    refused(
        |plan| {
            let first = with_pointers(plan);
            let pointers = steps(plan)[first]["pointers"].as_array_mut().unwrap();
            pointers.push(pointers[0].clone());
        },
        "is in it twice",
    );
    refused(
        |plan| {
            let first = with_pointers(plan);
            let pointer = steps(plan)[first]["pointers"][0].clone();
            let other = (first + 1) % steps(plan).len();
            steps(plan)[other]["pointers"].as_array_mut().unwrap().push(pointer);
        },
        "is in it twice",
    );
}

#[test]
fn a_path_inside_another_steps_path_is_refused() {
    refused(
        |plan| {
            let mut again = steps(plan)[0].clone();
            again["path"] = format!("{}/inner", again["path"].as_str().unwrap()).into();
            steps(plan).push(again);
        },
        "in which it lies",
    );
    // A pointer in a bucket that goes as a whole.
    refused(
        |plan| {
            let mut bucket = steps(plan)[0].clone();
            bucket["action"] = "remove-bucket".into();
            bucket["path"] = "wheels-v7".into();
            bucket["pointers"] = serde_json::json!([]);
            steps(plan).push(bucket);
        },
        "another step removes what it lies in",
    );
}
