//! Import circles between the files of `src/`.
//!
//! An arrow leads from a file to each file whose items it names. `mod x;` and the re-exports of a
//! `mod.rs` are no arrows: a reader who follows a name passes through them. A name that a `mod.rs`
//! re-exports leads to the file that defines it. What is compiled for tests only does not count.

use super::source::{House, Named};
use std::collections::{BTreeMap, BTreeSet};

/// From each file to the files that it names.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

impl House {
    /// The arrows between the files.
    pub fn arrows(&self) -> Arrows {
        let names = Names::of(self);
        let mut arrows: Arrows = self.sources.iter().map(|source| (source.file.clone(), BTreeSet::new())).collect();
        for named in self.named.iter().filter(|named| !(named.is_reexport && named.file.ends_with("mod.rs"))) {
            if let Some(target) = names.file_of(&named.path)
                && target != named.file
                && named.file != "lib.rs"
            {
                arrows.entry(named.file.clone()).or_default().insert(target.to_owned());
            }
        }
        arrows
    }
}

/// Which file defines the item of a path.
struct Names<'a> {
    /// The file of each module.
    files: BTreeMap<Vec<String>, &'a str>,
    /// The full path of each name that a module imports.
    imports: BTreeMap<(&'a [String], &'a str), &'a [String]>,
    /// The modules all of whose names a module imports.
    globs: BTreeMap<&'a [String], Vec<&'a [String]>>,
    /// The items of each file.
    definitions: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Names<'a> {
    fn of(house: &'a House) -> Self {
        // `main.rs` is the root of another crate, whose paths do not lead here.
        let library = house.sources.iter().filter(|source| source.file != "main.rs");
        let files = library.map(|source| (source.module(), source.file.as_str())).collect();
        let (mut imports, mut globs) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        for Named { module, imported_as, path, .. } in &house.named {
            match imported_as.as_deref() {
                Some("*") => globs.entry(module.as_slice()).or_default().push(&path[..path.len() - 1]),
                Some(name) => _ = imports.insert((module.as_slice(), name), path.as_slice()),
                None => {}
            }
        }
        let definitions = house.sources.iter().map(|source| (source.file.as_str(), source.definitions())).collect();
        Self { files, imports, globs, definitions }
    }

    /// The file that defines the item; `None` for other crates.
    fn file_of(&self, path: &[String]) -> Option<&'a str> {
        self.follow(path.to_vec(), 0)
    }

    fn follow(&self, path: Vec<String>, depth: usize) -> Option<&'a str> {
        let known = (1..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(known);
        let file = self.files[module];
        let Some((name, rest)) = rest.split_first() else { return Some(file) };
        Some(self.find(module, name, rest, depth).unwrap_or(file))
    }

    /// The file that defines a name of this module; `None` if the module has no such name.
    fn find(&self, module: &[String], name: &str, rest: &[String], depth: usize) -> Option<&'a str> {
        let file = *self.files.get(module)?;
        // A chain of re-exports is short; a longer one would be a name that imports itself.
        if depth > 8 || self.defines(file, name) {
            return Some(file);
        }
        if let Some(full) = self.imports.get(&(module, name)) {
            return self.follow([full, rest].concat(), depth + 1);
        }
        let mut globs = self.globs.get(module).into_iter().flatten();
        globs.find_map(|glob| self.find(glob, name, rest, depth + 1))
    }

    fn defines(&self, file: &str, name: &str) -> bool {
        self.definitions[file].contains(name)
    }
}

/// The circles: groups of files each of which leads to all others of its group. Sorted; each group
/// begins with its first name.
pub fn circles(arrows: &Arrows) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        arrows.keys().map(|file| (file, reachable(arrows, file))).collect();
    let mut circles: Vec<Vec<String>> = Vec::new();
    for (file, targets) in &reached {
        let is_known = circles.iter().any(|circle| circle.contains(file));
        if targets.contains(file) && !is_known {
            let back = targets.iter().filter(|other| reached.get(*other).is_some_and(|others| others.contains(file)));
            circles.push(back.map(|file| (*file).clone()).collect());
        }
    }
    circles
}

fn reachable<'a>(arrows: &'a Arrows, from: &String) -> BTreeSet<&'a String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for target in arrows.get(file).into_iter().flatten() {
            if found.insert(target) {
                open.push(target);
            }
        }
    }
    found
}

/// One line for each arrow inside a circle, for the message of a failed test.
pub fn describe(arrows: &Arrows, circles: &[Vec<String>]) -> String {
    let mut text = String::new();
    for circle in circles {
        text += &format!("\n  a circle of {} files:", circle.len());
        for file in circle {
            let inside: Vec<_> = arrows[file].iter().filter(|target| circle.contains(target)).cloned().collect();
            text += &format!("\n    {file} → {}", inside.join(", "));
        }
    }
    text
}

mod tests {
    use super::{super::source::Source, *};

    /// The circles of a small crate.
    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources = files.iter().map(|(file, text)| Source::new(file, text));
        circles(&House::of(sources.collect()).arrows())
    }

    #[test]
    fn no_file_of_a_room_imports_another_in_a_circle() {
        let arrows = super::super::house().arrows();
        assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 300, "the arrows were hardly read");
        let circles = circles(&arrows);
        assert!(
            circles.is_empty(),
            "{} circles in {} files{}",
            circles.len(),
            arrows.len(),
            describe(&arrows, &circles)
        );
        println!("0 circles in {} files", arrows.len());
    }

    #[test]
    fn a_planted_circle_is_found() {
        #[rustfmt::skip]
        let planted: &[(&str, &[(&str, &str)])] = &[
            ("two files", &[
                ("mesh/mod.rs", "mod a;\nmod b;"),
                ("mesh/a.rs",   "use super::b::B;\npub struct A;"),
                ("mesh/b.rs",   "pub struct B;\nfn f() { crate::mesh::a::A; }"),
            ]),
            ("three files", &[
                ("mesh/mod.rs", "mod a;\nmod b;\nmod c;"),
                ("mesh/a.rs",   "use super::b::B;\npub struct A;"),
                ("mesh/b.rs",   "use crate::mesh::{c::C};\npub struct B;"),
                ("mesh/c.rs",   "use super::a;\npub struct C;\nfn f() -> a::A {}"),
            ]),
            ("a re-export", &[
                ("mesh/mod.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use b::{B as Other};"),
                ("mesh/a.rs",   "use super::Other;\npub struct A;"),
                ("mesh/b.rs",   "use crate::mesh::A;\npub struct B;"),
            ]),
            ("a re-export of a re-export", &[
                ("mesh/mod.rs",   "mod a;\nmod b;\npub use b::*;"),
                ("mesh/a.rs",     "use super::B;\npub struct A;"),
                ("mesh/b/mod.rs", "mod c;\npub use c::B;"),
                ("mesh/b/c.rs",   "use super::super::a::A;\npub struct B;"),
            ]),
            ("super", &[
                ("mesh/mod.rs", "mod a;\nuse a::A;\npub struct Shared;"),
                ("mesh/a.rs",   "use super::Shared;\npub struct A;"),
            ]),
            ("a glob of super", &[
                ("mesh/mod.rs", "mod a;\npub struct Shared;\nfn f() { a::g() }"),
                ("mesh/a.rs",   "use super::*;\npub fn g() {}"),
            ]),
            ("two rooms", &[
                ("lab.rs", "use crate::demo::D;\npub struct L;"),
                ("demo/mod.rs", "use crate::lab::L;\npub struct D;"),
            ]),
        ];
        for (what, files) in planted {
            assert_eq!(circles_of(files).len(), 1, "{what}: {:?}", circles_of(files));
        }
        let three = circles_of(planted[1].1);
        assert_eq!(three, [["mesh/a.rs", "mesh/b.rs", "mesh/c.rs"]]);
    }

    #[test]
    fn re_exports_and_tests_are_no_circle() {
        #[rustfmt::skip]
        let harmless: &[(&str, &[(&str, &str)])] = &[
            ("mod.rs re-exports what its files use", &[
                ("mesh/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;"),
                ("mesh/a.rs",   "use super::B;\npub struct A;"),
                ("mesh/b.rs",   "pub struct B;"),
            ]),
            ("tests", &[
                ("mesh/mod.rs",   "mod a;\nmod b;\n#[cfg(test)]\nmod tests;"),
                ("mesh/a.rs",     "use super::b::B;\npub struct A;"),
                ("mesh/b.rs",     "pub struct B;\n#[cfg(test)]\nmod tests { use super::super::a::A; }"),
                ("mesh/tests.rs", "use super::{a::A, b::B};"),
            ]),
            ("comments and strings", &[
                ("mesh/mod.rs", "mod a;\nmod b;"),
                ("mesh/a.rs",   "use super::b::B;\npub struct A;"),
                ("mesh/b.rs",   "/// See [`super::a::A`].\npub struct B;\nconst C: &str = \"super::a::A\";"),
            ]),
        ];
        for (what, files) in harmless {
            assert_eq!(circles_of(files), [[""; 0]; 0], "{what}");
        }
    }
}
