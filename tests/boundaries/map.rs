//! The map in `src/lib.rs` names files and tests; this proves that they exist.
//!
//! The map has two parts that name tests: the sentences under "What always holds", and the glossary
//! (pattern, the book's term, file, test function), the table at the end. The README's links are
//! checked in the same way.

use std::{fs, path::Path};

/// What always holds, sentence by sentence, and the glossary, row by row.
struct Map<'a> {
    sentences: Vec<String>,
    glossary: Vec<Vec<&'a str>>,
}

impl<'a> Map<'a> {
    fn read(text: &'a str) -> Self {
        let lines = || text.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim_end);
        let after = lines().skip_while(|line| !line.starts_with(" ## What always holds")).skip(1);
        let mut sentences: Vec<String> = Vec::new();
        for line in after.take_while(|line| !line.starts_with(" ## ")) {
            match (line.strip_prefix(" - "), sentences.last_mut()) {
                (Some(first), _) => sentences.push(first.to_owned()),
                (None, Some(sentence)) => *sentence += line,
                _ => {}
            }
        }
        let rows = lines().filter_map(|line| line.trim_start().strip_prefix('|')?.strip_suffix('|'));
        let rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
        // Other tables of the map have fewer columns, and the line below a heading has only dashes.
        let glossary = rows.filter(|cells| cells.len() == 4 && cells[2..].iter().any(|cell| cell.contains('`')));
        Self { sentences, glossary: glossary.collect() }
    }
}

/// What stands in backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_path(code: &str) -> bool {
    [".rs", ".js", ".css", ".md", ".toml", "/"].iter().any(|end| code.ends_with(end)) && !code.contains(' ')
}

/// A test function's name is a sentence: several words in lower case.
fn is_function(code: &str) -> bool {
    code.matches('_').count() >= 2 && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The files and functions that this text names and that do not exist. A path is one of the
/// repository or of `src/`. A function must be in one of the files that the text names, if it names
/// any, or in `tests/boundaries.rs` and its folder. `x.rs` includes the folder `x/`.
fn missing(root: &Path, text: &str) -> Vec<String> {
    let found = |path: &str| [root.join(path), root.join("src").join(path)].into_iter().find(|path| path.exists());
    let (mut missing, mut files) = (Vec::new(), Vec::new());
    for path in code(text).filter(|code| is_path(code)) {
        match found(path) {
            Some(file) => files.extend([file.with_extension(""), file].into_iter().filter(|file| file.exists())),
            None => missing.push(format!("the file {path}")),
        }
    }
    if files.is_empty() {
        files = ["tests/boundaries.rs", "tests/boundaries/"].into_iter().filter_map(found).collect();
    }
    for function in code(text).filter(|code| is_function(code)) {
        if !files.iter().any(|file| has_function(file, function)) {
            missing.push(format!("the function {function} in {files:?}"));
        }
    }
    missing
}

fn has_function(path: &Path, function: &str) -> bool {
    if path.is_dir() {
        let mut entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
        return entries.any(|entry| has_function(&entry, function));
    }
    path.extension().is_some_and(|extension| extension == "rs")
        && fs::read_to_string(path).expect("a text").contains(&format!("fn {function}("))
}

mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn lib() -> String {
        fs::read_to_string(root().join("src/lib.rs")).expect("a text")
    }

    /// A sentence that names no file of its own is proved in `tests/boundaries.rs`, as the map
    /// says.
    #[test]
    fn each_sentence_of_what_always_holds_names_tests_that_exist() {
        let lib = lib();
        let map = Map::read(&lib);
        assert!(map.sentences.len() > 15, "the map was hardly read: {:#?}", map.sentences);
        let absent: Vec<_> = map.sentences.iter().flat_map(|sentence| missing(root(), sentence)).collect();
        assert!(absent.is_empty(), "{absent:#?}");
    }

    #[test]
    fn each_row_of_the_glossary_names_a_file_and_a_test_that_exist() {
        let lib = lib();
        let map = Map::read(&lib);
        assert!(map.glossary.len() > 10, "the glossary has {} rows", map.glossary.len());
        let mut broken = Vec::new();
        for row in &map.glossary {
            let [_, _, file, test] = row[..] else { unreachable!("four cells") };
            let names_both = code(file).any(is_path) && code(test).any(is_function);
            broken.extend((!names_both).then(|| format!("{row:?} names no file or no test")));
            let absent = [missing(root(), file), missing_test(root(), test)].concat();
            broken.extend(absent.iter().map(|absent| format!("{}: {absent}", row[0])));
        }
        assert!(broken.is_empty(), "{broken:#?}");
    }

    /// `[text](path)`: the path exists, and if the text is the name of a function, it is in that
    /// file.
    #[test]
    fn each_link_of_the_readme_leads_to_a_file_and_a_test_that_exist() {
        let readme = fs::read_to_string(root().join("README.md")).expect("a text");
        let links = readme.match_indices("](").filter_map(|(at, _)| {
            let text = &readme[readme[..at].rfind('[')? + 1..at];
            let path = readme[at + 2..].split([')', '#', ' ']).next()?;
            (!path.is_empty() && !path.contains(':')).then_some((text.trim_matches('`'), path))
        });
        let links: Vec<_> = links.collect();
        assert!(links.len() > 20, "the README has {} links", links.len());
        let leads_nowhere = |(text, path): &(&str, &str)| {
            let path = root().join(path);
            !path.exists() || (is_function(text) && !has_function(&path, text))
        };
        let broken: Vec<_> = links.into_iter().filter(leads_nowhere).collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }

    /// A test stands in a file that its cell names, or, if it names none, somewhere below `src/` or
    /// `tests/`.
    fn missing_test(root: &Path, test: &str) -> Vec<String> {
        match code(test).any(is_path) {
            true => missing(root, test),
            false => missing(root, &format!("`src/` `tests/` {test}")),
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_found() {
        let text = "\
//! ## What always holds
//!
//! Each sentence has a test (`tests/boundaries.rs`).
//!
//! - Files exist (`tests/boundaries.rs`,
//!   `a_name_that_does_not_exist_is_found`).
//! - This one does not (`tests/nowhere.rs`).
//! - This function does not (`tests/boundaries/map.rs`, `no_such_function_anywhere_here`).
//! - A path below `src/` is one, too (`storage/table/tests.rs`).
//!
//! ## Glossary
//!
//! | pattern | term | file | test |
//! |---|---|---|---|
//! | Outbox | transactional outbox | `storage/outbox.rs` | `a_name_that_does_not_exist_is_found` |
//! | Saga | saga | `nowhere/saga.rs` | `no_such_function_anywhere_here` |
";
        let map = Map::read(text);
        let absent: Vec<_> = map.sentences.iter().map(|sentence| missing(root(), sentence).len()).collect();
        assert_eq!(absent, [0, 1, 1, 0], "{:?}", map.sentences);
        assert_eq!(map.glossary.len(), 2);
        let [good, bad] = &map.glossary[..] else { panic!("two rows") };
        assert!(missing(root(), good[2]).is_empty() && missing_test(root(), good[3]).is_empty());
        assert_eq!((missing(root(), bad[2]).len(), missing_test(root(), bad[3]).len()), (1, 1));
    }
}
