//! The table of checks in `README.md` is generated from the list of checks.
// The helpers are test code too, but clippy recognises only functions under `#[test]`.
#![allow(clippy::unwrap_used)]

use std::{env, fs, path::PathBuf};

use gatewatch::checks::list::CHECKS;

const BEGIN: &str = "<!-- The table of checks. `make readme` writes it from src/checks/list.rs. -->\n";
const END: &str = "<!-- The end of the table of checks. -->\n";

/// One line per check: its name, what it finds, whether it runs by default, and the permissions that only it needs.
fn table() -> String {
    let rows = CHECKS.iter().map(|check| {
        let default = if check.is_default { "on" } else { "off" };
        let actions: Vec<String> = check.actions.iter().map(|action| format!("`{action}`")).collect();
        format!("| `{}` | {} | {default} | {} |\n", check.name.name(), check.finds, actions.join(", "))
    });
    let head = "| check | what it finds | default | further permissions |\n|---|---|---|---|\n";
    [head.to_owned()].into_iter().chain(rows).collect()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "make readme sets the variable")]
fn the_table_of_checks_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (table_in_readme, after) = rest.split_once(END).unwrap();
    let expected = format!("\n{}\n", table());
    if env::var_os("UPDATE_README").is_some() {
        fs::write(path, [before, BEGIN, &expected, END, after].concat()).unwrap();
    } else {
        assert!(table_in_readme == expected, "README.md is out of date: run `make readme`, and read what changes");
    }
}
