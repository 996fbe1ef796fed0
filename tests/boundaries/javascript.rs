//! Import circles between the modules of `static/js`.
//!
//! Reads `import … from './x.js'`, `export … from './x.js'`, `import './x.js'` and
//! `import('./x.js')`.

use super::circles::Arrows;
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

/// The arrows between these modules: their paths, with their texts.
fn arrows(modules: &BTreeMap<String, String>) -> Arrows {
    let targets = |file: &str, text: &str| imports(text).iter().filter_map(|import| resolved(file, import)).collect();
    modules.iter().map(|(file, text)| (file.clone(), targets(file, text))).collect()
}

/// All modules of a folder and its subfolders, by their paths from it.
fn modules(folder: &Path) -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(inside) = folders.pop() {
        for entry in std::fs::read_dir(inside).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "js") {
                let file = path.strip_prefix(folder).expect("within").to_string_lossy().into_owned();
                found.insert(file, std::fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    found
}

/// The relative paths that a module imports.
fn imports(text: &str) -> Vec<String> {
    let text = without_comments(text);
    let quoted = |rest: &str| {
        let rest = rest.trim_start().trim_start_matches('(').trim_start();
        let quote = rest.chars().next().filter(|first| ['\'', '"'].contains(first))?;
        let path = rest[1..].split(quote).next()?;
        path.starts_with('.').then(|| path.to_owned())
    };
    let mut found = Vec::new();
    for keyword in ["from", "import"] {
        for (at, _) in text.match_indices(keyword) {
            let is_word = !text[..at].ends_with(|before: char| before.is_alphanumeric() || "_$.".contains(before));
            found.extend(quoted(&text[at + keyword.len()..]).filter(|_| is_word));
        }
    }
    found
}

/// The text without comments. A quote ends at the end of its line at the latest, so that a quote in
/// a regular expression hides no more than its line.
pub fn without_comments(text: &str) -> String {
    let (mut kept, mut quote, mut at) = (String::with_capacity(text.len()), None, 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match quote {
            None if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            None if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => 0,
        };
        if length > 0 {
            kept.extend(rest[..length].chars().filter(|c| *c == '\n'));
            at += length;
            continue;
        }
        match (quote, c) {
            (Some(_), '\\') => {
                let escaped = rest.chars().take(2).map(char::len_utf8).sum();
                kept.push_str(&rest[..escaped]);
                at += escaped;
                continue;
            }
            (Some(open), c) if c == open || (c == '\n' && open != '`') => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(c),
            _ => {}
        }
        kept.push(c);
        at += c.len_utf8();
    }
    kept
}

/// The imported module, from the folder of all modules.
fn resolved(file: &str, import: &str) -> Option<String> {
    let mut path = PathBuf::new();
    for part in Path::new(file).parent()?.join(import).components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    Some(path.to_string_lossy().into_owned())
}

mod tests {
    use super::{
        super::circles::{circles, describe},
        *,
    };
    use std::collections::BTreeSet;

    #[test]
    fn no_module_of_the_pages_imports_another_in_a_circle() {
        let arrows = arrows(&modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("static/js")));
        assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 100, "the arrows were hardly read");
        for (file, targets) in &arrows {
            let missing: Vec<_> = targets.iter().filter(|target| !arrows.contains_key(*target)).collect();
            assert!(missing.is_empty(), "{file} imports {missing:?}, which does not exist");
        }
        let circles = circles(&arrows);
        assert!(
            circles.is_empty(),
            "{} circles in {} modules{}",
            circles.len(),
            arrows.len(),
            describe(&arrows, &circles)
        );
        println!("0 circles in {} modules", arrows.len());
    }

    #[test]
    fn a_planted_circle_of_modules_is_found() {
        let modules = [
            ("a.js", "import { b } from './pages/b.js';\nimport './c.js';"),
            ("c.js", "// import { a } from './a.js'\nconst page = `it's ${1}`; export const c = 1;"),
            ("pages/b.js", "const load = () => import('../a.js');\nexport { c } from \"../c.js\";"),
        ];
        let arrows = arrows(&modules.map(|(file, text)| (file.to_owned(), text.to_owned())).into());
        assert_eq!(circles(&arrows), [["a.js", "pages/b.js"]], "{arrows:?}");
        assert_eq!(arrows["pages/b.js"].len(), 2);
        assert!(arrows["c.js"].is_empty());
    }
}
