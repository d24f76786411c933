//! The house stands: a module of `src` imports only what lies below it, so that it can be read, and compiled in one's head,
//! from the ground up. `ARCHITECTURE.md` says what is on each floor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The top-level modules, from the ground up. Nothing but re-exports and documentation is in `lib`.
const FLOORS: [&str; 18] = [
    "num",
    "error",
    "data",
    "kernel",
    "activation",
    "model",
    "layers",
    "loss",
    "optimizer",
    "metrics",
    "quantization",
    "io",
    "train",
    "inspect",
    "tuning",
    "plot",
    "guide",
    "lib",
];

/// Imports that point up all the same: the file, the module that it imports, and why. Ten at most.
const UP: [(&str, &str, &str); 0] = [];

/// How many entries the first screen of `src` may have.
const ENTRIES: usize = 18;

/// A file's path below `src`, and its text.
type File = (String, String);

/// The top-level module that a file belongs to.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// A file without comments and without what is there for its tests alone.
fn code(text: &str) -> String {
    let (mut code, mut lines) = (String::new(), text.lines());
    while let Some(line) = lines.next() {
        let line = line.split(" // ").next().unwrap_or(line);
        if line.trim_start().starts_with("//") {
            continue;
        }
        let attribute = line.trim_start();
        if !attribute.starts_with("#[cfg(test)]") && !attribute.starts_with("#[cfg(all(test") {
            code += line;
            code.push('\n');
            continue;
        }
        // As far as the semicolon of the item that follows, or the end of its braces.
        let mut depth = 0;
        for line in lines.by_ref() {
            depth += line.matches(['{', '(']).count();
            depth -= line.matches(['}', ')']).count().min(depth);
            if depth == 0 && line.ends_with(['}', ';']) {
                break;
            }
        }
    }
    code
}

/// The first names of the paths in `text` that begin with `prefix`, which may be a group in braces.
fn names_after<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let name = |text: &'a str| {
        text.split(|c: char| !c.is_alphanumeric() && !"_*".contains(c)).next().filter(|name| !name.is_empty())
    };
    let mut names = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.extend(name(rest));
            continue;
        };
        let (mut depth, mut begin) = (1, 0);
        for (place, c) in group.char_indices() {
            depth = if c == '{' { depth + 1 } else { depth - usize::from(c == '}') };
            if depth == 0 || (depth == 1 && c == ',') {
                names.extend(name(group[begin..place].trim_start()));
                begin = place + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// The macros that stand in the root of the crate wherever they are written, with their modules.
fn macros(files: &[File]) -> BTreeMap<&str, &str> {
    let mut macros = BTreeMap::new();
    for (path, text) in files {
        for after in text.split("#[macro_export]").skip(1) {
            let name = after.split_once("macro_rules! ").and_then(|(_, name)| name.split([' ', '{']).next());
            macros.extend(name.map(|name| (name, module(path))));
        }
    }
    macros
}

/// Which file imports which other top-level module.
fn arrows(files: &[File]) -> BTreeSet<(&str, String)> {
    let macros = macros(files);
    let modules: BTreeSet<_> = files.iter().map(|(path, _)| module(path)).collect();
    let mut arrows = BTreeSet::new();
    for (path, text) in files {
        let code = code(text);
        // So many times `super` lead to the root.
        let up = path.trim_end_matches("/mod.rs").split('/').count();
        let root = "super::".repeat(up);
        let relative = names_after(&code, &root).into_iter().filter(|name| modules.contains(name));
        // All names of the root, or the root by another name. In a module within a file, `super` is the file.
        let line = |wanted: &str| code.lines().any(|line| line.starts_with(wanted));
        let all = (line(&format!("use {root}*")) || code.contains("use crate as ")).then_some("*");
        for name in names_after(&code, "crate::").into_iter().chain(relative).chain(all) {
            // What is no module is an item of the root.
            let to = modules.get(name).or(macros.get(name)).copied().unwrap_or("lib");
            if to != module(path) {
                arrows.insert((path.as_str(), to.to_string()));
            }
        }
    }
    arrows
}

/// Modules each of which imports the next, and the last the first.
fn circle(arrows: &BTreeSet<(&str, String)>) -> Option<Vec<String>> {
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, to) in arrows {
        imports.entry(module(path)).or_default().insert(to);
    }
    // What imports nothing that is left is in no circle.
    while let Some(done) =
        imports.iter().find(|(_, to)| to.iter().all(|to| !imports.contains_key(to))).map(|(&done, _)| done)
    {
        imports.remove(done);
    }
    let mut way = vec![*imports.keys().next()?];
    loop {
        let next = *imports[way[way.len() - 1]].iter().find(|to| imports.contains_key(*to))?;
        if let Some(begin) = way.iter().position(|&seen| seen == next) {
            return Some(way[begin..].iter().map(|name| name.to_string()).collect());
        }
        way.push(next);
    }
}

/// All that is wrong with the imports.
fn faults(files: &[File], floors: &[&str], listed: &[(&str, &str, &str)]) -> Vec<String> {
    let mut faults = Vec::new();
    let arrows = arrows(files);
    let floor = |name: &str| floors.iter().position(|&floor| floor == name);
    faults.extend(circle(&arrows).map(|circle| format!("a circle of imports: {}", circle.join(" -> "))));
    for (path, to) in &arrows {
        let is_listed = listed.iter().any(|&(from, up, _)| from == *path && up == to);
        match (floor(module(path)), floor(to)) {
            (Some(from), Some(to_floor)) if to_floor > from && !is_listed => {
                faults.push(format!("src/{path} imports `{to}`, which lies above it"));
            }
            (Some(_), Some(_)) => {}
            _ => faults.push(format!("src/{path} imports `{to}`: one of the two has no floor")),
        }
    }
    for &(path, to, _) in listed {
        let points_up = floor(module(path)) < floor(to);
        if !points_up || !arrows.contains(&(path, to.to_string())) {
            faults.push(format!("src/{path} no longer imports `{to}` from above: take it off the list"));
        }
    }
    faults
}

fn read(folder: &Path, below: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{path}/"), files);
        } else if path.ends_with(".rs") {
            files.push((path, fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

/// The folder of the library.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of the library")
}

#[test]
fn imports_point_down() {
    let mut files = Vec::new();
    read(&root().join("src"), "", &mut files);
    assert!(arrows(&files).len() > 100, "the test no longer finds the imports");
    assert!(UP.len() <= 10, "more than ten imports point up");
    let faults = faults(&files, &FLOORS, &UP);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_first_screen_is_short_and_explained() {
    let root = root();
    let entries: BTreeSet<String> = fs::read_dir(root.join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(entries.len() <= ENTRIES, "src has {} entries, and may have {ENTRIES}", entries.len());
    let floors: BTreeSet<_> = FLOORS.into_iter().collect();
    assert_eq!(entries.iter().map(|entry| module(entry)).collect::<BTreeSet<_>>(), floors, "src, and its floors here");

    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut last = 0;
    for floor in FLOORS {
        let entry = if entries.contains(floor) { format!("| `{floor}/`") } else { format!("| `{floor}.rs`") };
        let Some(place) = architecture.find(&entry) else { panic!("ARCHITECTURE.md does not say what `{floor}` is") };
        assert!(place > last, "`{floor}` stands in another place in ARCHITECTURE.md than here");
        last = place;
    }
}

/// The tests above can fail.
#[test]
fn faults_are_found() {
    let find = |files: &[(&str, &str)], listed: &[(&str, &str, &str)]| {
        let files: Vec<File> = files.iter().map(|&(path, text)| (path.to_string(), text.to_string())).collect();
        faults(&files, &["low", "middle", "high", "lib"], listed)
    };
    let low = (
        "low.rs",
        "/// [`High`](crate::high::High)\npub struct Low; // crate::high\n#[cfg(test)]\nmod tests {\n    use crate::high;\n}\n",
    );
    let middle = ("middle/mod.rs", "use crate::low::Low;\n");
    let high = ("high.rs", "use crate::{low, middle::{self, Middle}};");
    let tall = "#[macro_export]\nmacro_rules! tall { () => {} }";
    assert_eq!(find(&[low, middle, high], &[]), [""; 0]);

    let up = "src/middle/part.rs imports `high`, which lies above it";
    for import in [
        "use crate::high::High;",
        "use crate::{\n    low::{Low, Lower},\n    high::High,\n};",
        "fn f(high: crate::high::High) {}",
        "#[serde(with = \"crate::high::one\")]",
        "$crate::tall!();",
        "use super::super::high;",
        "#[cfg(test)]\nmod tests {\n    use super::*;\n}\nuse crate::high::High;",
    ] {
        let files = [low, middle, ("middle/part.rs", import), ("high.rs", tall)];
        assert_eq!(find(&files, &[]), [up], "{import}");
        assert_eq!(find(&files, &[("middle/part.rs", "high", "")]), [""; 0], "{import}");
    }

    let part = ("middle/part.rs", "use crate::high;");
    assert_eq!(find(&[low, middle, part, high], &[]), ["a circle of imports: high -> middle", up]);
    assert_eq!(
        find(&[low, middle, part, high], &[("middle/part.rs", "high", "")]),
        ["a circle of imports: high -> middle"]
    );
    let stale = "src/middle/mod.rs no longer imports `high` from above: take it off the list";
    assert_eq!(find(&[low, middle, high], &[("middle/mod.rs", "high", "")]), [stale]);
    let root = "src/low.rs imports `lib`, which lies above it";
    for import in
        ["use crate::seeded;", "use crate::*;", "use crate as root;", "use crate::{self as root};", "use super::*;"]
    {
        assert_eq!(find(&[("low.rs", import), middle], &[]), [root], "{import}");
    }
    let homeless = "src/attic.rs imports `low`: one of the two has no floor";
    assert_eq!(find(&[low, ("attic.rs", "use crate::low;")], &[]), [homeless]);
}
