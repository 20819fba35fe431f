//! The module dependencies in `src/` point one way and have no cycles, and only one folder uses the AWS SDKs.
// Clippy allows `unwrap` only in functions under `#[test]`, but the helpers here are test code too.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The folders, from the top layer to the bottom. A folder may import the layers below it. Folders that share
/// a layer do not import each other.
const LAYERS: [&[&str]; 6] =
    [&["app"], &["aws"], &["messages"], &["alerts", "coverage"], &["checks", "events"], &["network"]];

/// Files that any folder may import. They import nothing from `app` or `aws`.
const SHARED: [&str; 3] = ["channel", "error", "settings"];

/// Modules by their path from the crate root, such as `alerts::plan`, with their code without tests and comments.
type Modules = BTreeMap<String, String>;

fn modules() -> Modules {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = Modules::new();
    for file in files(&root) {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect();
        let is_test = parts.contains(&"testing") || parts.contains(&"tests") || parts.contains(&"schemas");
        if !is_test && !["lib", "main"].contains(&parts[0]) {
            modules.insert(parts.join("::"), code(&fs::read_to_string(&file).unwrap()));
        }
    }
    modules
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The code of a file without comments and unit tests. The unit tests are at the end of each file.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that a module names in `use crate::…`, in `use super::…` and in paths that begin with `crate::`.
fn imports(module: &str, code: &str, modules: &Modules) -> BTreeSet<String> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let is_nested = code[..at].ends_with("::");
            if !is_nested {
                let parent = if root == "crate::" { String::new() } else { parent_of(module) };
                let tree = &code[at + root.len()..];
                paths.extend(expand(tree).into_iter().map(|path| absolute(&parent, &path)));
            }
        }
    }
    paths.iter().filter_map(|path| longest_module(path, modules)).filter(|imported| imported != module).collect()
}

fn parent_of(module: &str) -> String {
    module.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned())
}

/// Resolves a path that is relative to `parent`. Each `super` in it goes up one level.
fn absolute(parent: &str, path: &str) -> String {
    let mut parts: Vec<&str> = parent.split("::").filter(|part| !part.is_empty()).collect();
    for part in path.split("::") {
        if part == "super" {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("::")
}

/// Expands a use tree into its paths: `a::{b, c::D}` becomes `a::b` and `a::c::D`.
fn expand(tree: &str) -> Vec<String> {
    let end = tree.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(tree.len());
    let (prefix, rest) = tree.split_at(end);
    let Some(inner) = rest.strip_prefix('{') else { return vec![prefix.trim_end_matches("::").to_owned()] };
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                let branch = inner[start..at].trim();
                if !branch.is_empty() {
                    paths.extend(expand(branch).into_iter().map(|path| format!("{prefix}{path}")));
                }
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    paths
}

/// The module that contains the item at a path: `alerts::plan` for `alerts::plan::Plan`.
fn longest_module(path: &str, modules: &Modules) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    (1..=parts.len()).rev().map(|n| parts[..n].join("::")).find(|module| modules.contains_key(module))
}

/// The modules, with the modules that each imports.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules();
    modules.iter().map(|(module, code)| (module.clone(), imports(module, code, &modules))).collect()
}

fn folder_of(module: &str) -> &str {
    module.split("::").next().unwrap()
}

fn layer_of(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&folder))
}

/// The role may delete rows. The README says that gatewatch deletes one only where it moves it: its tests are in `tests/function/history.rs`.
#[test]
fn only_the_history_table_deletes_rows_of_the_alert_history() {
    let words = ["DeleteRequest", "delete_request", "DeleteItem", "delete_item", "BatchExecuteStatement"];
    let found: Vec<String> = modules()
        .into_iter()
        .filter(|(_, code)| words.iter().any(|word| code.contains(word)))
        .map(|(module, _)| module)
        .collect();
    assert_eq!(found, ["aws::dynamodb::history_table"]);
}

#[test]
fn a_use_tree_expands_to_its_paths() {
    assert_eq!(expand("a::{b, c::{D, e::F as G}, h::*};"), ["a::b", "a::c::D", "a::c::e::F", "a::h"]);
    assert_eq!(expand("a::B;"), ["a::B"]);
    assert_eq!(absolute("messages::json", "super::prose::reason"), "messages::prose::reason");
}

#[test]
fn every_module_belongs_to_a_layer_and_its_imports_are_found() {
    let graph = graph();
    assert!(graph.len() > 40, "{graph:#?}");
    for module in graph.keys() {
        let folder = folder_of(module);
        assert!(layer_of(folder).is_some() || SHARED.contains(&folder), "{module} is in no layer");
    }
    let planner: Vec<&str> = graph["alerts::planner"].iter().map(String::as_str).collect();
    assert_eq!(
        planner,
        [
            "alerts::affected",
            "alerts::alert",
            "alerts::history",
            "alerts::observation",
            "alerts::plan",
            "alerts::policy",
            "alerts::resolved",
            "channel",
            "checks::finding",
            "checks::subject",
            "events::record",
        ]
    );
}

#[test]
fn dependencies_point_one_way() {
    for (module, imports) in graph() {
        let Some(layer) = layer_of(folder_of(&module)) else { continue };
        for import in imports {
            let folder = folder_of(&import);
            let is_allowed = folder == folder_of(&module)
                || SHARED.contains(&folder)
                || layer_of(folder).is_some_and(|below| below > layer);
            assert!(is_allowed, "{module} imports {import}");
        }
    }
}

#[test]
fn imports_have_no_cycle() {
    let graph = graph();
    for module in graph.keys() {
        let mut reached = BTreeSet::new();
        let mut to_visit: Vec<&String> = graph[module].iter().collect();
        while let Some(next) = to_visit.pop() {
            assert!(next != module, "{module} imports itself through {reached:?}");
            if reached.insert(next) {
                to_visit.extend(&graph[next]);
            }
        }
    }
}

#[test]
fn a_mod_file_only_declares_modules() {
    let modules = modules();
    let folders: BTreeSet<String> = modules.keys().map(|module| parent_of(module)).collect();
    for folder in folders.iter().filter(|folder| !folder.is_empty()) {
        for line in modules[folder].lines().filter(|line| !line.is_empty()) {
            let is_declaration =
                ["pub mod ", "pub(crate) mod ", "pub(super) mod ", "mod "].iter().any(|start| line.starts_with(start))
                    || line.starts_with("#[")
                    || line.starts_with("#![");
            assert!(is_declaration, "{folder}: {line}");
        }
    }
}

#[test]
fn only_the_folder_aws_uses_the_sdks() {
    for (module, code) in modules() {
        let names_sdk = ["aws_sdk_", "aws_smithy_", "aws_types::"].iter().any(|name| code.contains(name));
        assert!(!names_sdk || folder_of(&module) == "aws", "{module} names an SDK");
    }
}
