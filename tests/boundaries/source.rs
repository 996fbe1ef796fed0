//! Reads Rust as far as is needed to know what a file names. It knows paths, `use`, `mod` and
//! braces, and no more of the grammar.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// All files of `src/`, and every path that they name outside of tests.
pub struct House {
    pub sources: Vec<Source>,
    pub named: Vec<Named>,
    modules: BTreeSet<Vec<String>>,
}

pub struct Source {
    /// From `src/`: `services/orders/saga.rs`.
    pub file: String,
    pub text: String,
    /// Without comments, strings and tests.
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

/// A path that a file names.
#[derive(Debug)]
pub struct Named {
    pub file: String,
    pub line: usize,
    /// The full path: `crate, services, orders, messages, PlaceOrder`; or another crate's name
    /// first. The last part of a glob is a star.
    pub path: Vec<String>,
    /// The module that names it.
    pub module: Vec<String>,
    /// The name that it gets in this module, if this is an import.
    pub imported_as: Option<String>,
    /// Whether this is a `pub use`, or one with another visibility.
    pub is_reexport: bool,
}

impl Named {
    /// The room of the file: `gateway`, `main`.
    pub fn room(&self) -> &str {
        self.module.get(1).map_or_else(|| self.file.trim_end_matches(".rs"), String::as_str)
    }

    /// The room that is named, if it is one of this crate.
    pub fn target_room(&self) -> Option<&str> {
        (self.path[0] == "crate").then(|| self.path.get(1).map(String::as_str)).flatten()
    }

    /// The service of the file.
    pub fn service<'a>(&'a self, house: &House) -> Option<&'a str> {
        service_of(&self.module, house)
    }

    /// The service that is named.
    pub fn target_service<'a>(&'a self, house: &House) -> Option<&'a str> {
        service_of(&self.path, house)
    }
}

fn service_of<'a>(path: &'a [String], house: &House) -> Option<&'a str> {
    let [root, services, service, ..] = path else { return None };
    let is_one = root == "crate" && services == "services" && house.modules.contains(&path[..3]);
    is_one.then_some(service)
}

impl House {
    pub fn read(src: &Path) -> Self {
        let mut files = Vec::new();
        walk(src, &mut files);
        let sources = files.iter().map(|path| {
            let file = path.strip_prefix(src).expect("within").to_string_lossy().into_owned();
            Source::new(&file, &std::fs::read_to_string(path).expect("a text"))
        });
        Self::of(sources.collect())
    }

    /// What another file would name, if it were in this crate.
    pub fn named_by(&self, planted: &Source) -> Vec<Named> {
        Reader::new(planted, &self.modules).read()
    }

    /// These files. Files that are compiled for tests only are left out.
    pub fn of(mut sources: Vec<Source>) -> Self {
        let tests: BTreeSet<Vec<String>> = sources.iter().flat_map(Source::test_modules).collect();
        sources.retain(|source| !tests.iter().any(|tests| source.module().starts_with(tests)));
        let modules: BTreeSet<_> = sources.iter().map(Source::module).collect();
        let named = sources.iter().flat_map(|source| Reader::new(source, &modules).read()).collect();
        Self { sources, named, modules }
    }

    pub fn source(&self, file: &str) -> &Source {
        self.sources.iter().find(|source| source.file == file).unwrap_or_else(|| panic!("no {file}"))
    }

    /// Whether there is a module of this name directly under `src/`.
    pub fn has_room(&self, name: &str) -> bool {
        self.modules.contains(&["crate".to_owned(), name.to_owned()][..])
    }

    /// The requests that a service's messages list.
    pub fn requests_of(&self, service: &str) -> BTreeSet<&str> {
        let tokens = &self.source(&format!("services/{service}/messages.rs")).tokens;
        let kinds = ["query", "poll", "command", "keyed"];
        // `keyed owner PlaceOrder`, or `keyed staff(Forbidden) FulfilOrder`.
        let rows = tokens.windows(6).filter(|row| kinds.contains(&row[0].text.as_str()));
        rows.map(|row| if row[2].text == "(" { &row[5] } else { &row[2] }).map(|name| name.text.as_str()).collect()
    }
}

fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => walk(&path, files),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
}

impl Source {
    pub fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), tokens: tokens(&without_words(text)) }
    }

    /// Whether these tokens follow each other, outside of tests.
    pub fn has(&self, wanted: &[&str]) -> bool {
        let (tokens, _) = without_tests(&self.tokens);
        tokens
            .windows(wanted.len())
            .any(|window| window.iter().zip(wanted).all(|(token, wanted)| token.text == **wanted))
    }

    /// The names of the items that this file defines, outside of tests.
    pub fn definitions(&self) -> BTreeSet<String> {
        let kinds = ["struct", "enum", "union", "trait", "type", "fn", "const", "static"];
        let (tokens, _) = without_tests(&self.tokens);
        let is_item = |pair: &&[Token]| kinds.contains(&pair[0].text.as_str());
        let items = tokens.windows(2).filter(is_item).map(|pair| pair[1].text.clone());
        let is_macro = |three: &&[Token]| three[0].text == "macro_rules" && three[1].text == "!";
        let macros = tokens.windows(3).filter(is_macro).map(|three| three[2].text.clone());
        items.chain(macros).collect()
    }

    /// The module that this file is: `crate, services, orders`.
    pub fn module(&self) -> Vec<String> {
        let path = self.file.trim_end_matches(".rs").trim_end_matches("/mod");
        let parts = path.split('/').filter(|part| !["lib", "main", "mod"].contains(part));
        std::iter::once("crate").chain(parts).map(str::to_owned).collect()
    }

    /// The modules that are compiled for tests only.
    fn test_modules(&self) -> Vec<Vec<String>> {
        let inner = |name: String| [self.module(), vec![name]].concat();
        without_tests(&self.tokens).1.into_iter().map(inner).collect()
    }
}

/// The text with spaces for comments, strings and characters; the lines stay the same.
pub fn without_words(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let length = word_at(&chars, at);
        match length {
            0 => {
                kept.push(chars[at]);
                at += 1;
            }
            _ => {
                let blank = |c: &char| if *c == '\n' { '\n' } else { ' ' };
                kept.extend(chars[at..(at + length).min(chars.len())].iter().map(blank));
                at += length;
            }
        }
    }
    kept
}

/// The length of the comment, string or character literal that begins here; 0 if none does.
fn word_at(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let starts = |word: &str| word.chars().enumerate().all(|(n, c)| rest.get(n) == Some(&c));
    let in_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if starts("//") {
        return rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
    }
    if starts("/*") {
        let mut depth = 0;
        for n in 0..rest.len() {
            match (rest[n], rest.get(n + 1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                return n + 2;
            }
        }
        return rest.len();
    }
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| starts(prefix)).unwrap_or_default();
    if !prefix.is_empty() && in_name {
        return 0;
    }
    let body = &rest[prefix.len()..];
    let hashes = body.iter().take_while(|c| **c == '#').count();
    if prefix.contains('r') && body.get(hashes) == Some(&'"') {
        let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        let inside = &body[hashes + 1..];
        let close = inside.windows(end.len()).position(|window| window == end).unwrap_or(inside.len());
        return prefix.len() + hashes + 1 + close + end.len();
    }
    match body.first() {
        Some('"') => prefix.len() + quoted(body, '"'),
        // A lifetime has no closing quote after one character.
        Some('\'') if body.get(1) == Some(&'\\') || body.get(2) == Some(&'\'') => prefix.len() + quoted(body, '\''),
        _ => 0,
    }
}

fn quoted(body: &[char], quote: char) -> usize {
    let mut n = 1;
    while n < body.len() && body[n] != quote {
        n += if body[n] == '\\' { 2 } else { 1 };
    }
    n + 1
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (line, words) in text.lines().enumerate() {
        let mut rest = words;
        while let Some(first) = rest.chars().next() {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let length = match first {
                _ if is_name(first) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            if !first.is_whitespace() {
                tokens.push(Token { text: rest[..length].to_owned(), line: line + 1 });
            }
            rest = &rest[length..];
        }
    }
    tokens
}

/// The tokens without what is compiled for tests only, and the names of the modules that are.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        if !MARK.iter().enumerate().all(|(n, text)| is(at + n, text)) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += MARK.len();
        if is(at, "mod") && is(at + 2, ";") {
            modules.push(tokens[at + 1].text.clone());
        }
        // To the end of the item: a semicolon outside of all brackets, or the brace that closes the
        // first one.
        let mut depth = 0i32;
        while at < tokens.len() {
            let text = tokens[at].text.as_str();
            at += 1;
            match text {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(text, ";" | "}") {
                break;
            }
        }
    }
    (kept, modules)
}

/// Finds what a file names.
struct Reader<'a> {
    source: &'a Source,
    modules: &'a BTreeSet<Vec<String>>,
    tokens: Vec<Token>,
    /// The full path of each imported name of this file.
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Whether the `use` that is being read is a re-export.
    is_reexport: bool,
    named: Vec<Named>,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source, modules: &'a BTreeSet<Vec<String>>) -> Self {
        let (tokens, _) = without_tests(&source.tokens);
        Self {
            source,
            modules,
            tokens,
            imports: BTreeMap::new(),
            globs: Vec::new(),
            is_reexport: false,
            named: Vec::new(),
        }
    }

    /// Reads the file twice, because a name may be used above the line that imports it.
    fn read(mut self) -> Vec<Named> {
        self.pass();
        self.named.clear();
        self.pass();
        self.named
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    fn pass(&mut self) {
        let mut module = self.source.module();
        // The depth of braces at which each inner module began.
        let (mut depth, mut inner): (usize, Vec<usize>) = (0, Vec::new());
        let mut at = 0;
        while at < self.tokens.len() {
            match self.text(at) {
                "use" => {
                    self.is_reexport = at > 0 && matches!(self.text(at - 1), "pub" | ")");
                    at = self.read_use(at + 1, &module, &[]);
                }
                "mod" if self.text(at + 2) == "{" => {
                    module.push(self.text(at + 1).to_owned());
                    inner.push(depth);
                    depth += 1;
                    at += 3;
                }
                "{" => {
                    depth += 1;
                    at += 1;
                }
                "}" => {
                    depth = depth.saturating_sub(1);
                    if inner.last() == Some(&depth) {
                        inner.pop();
                        module.pop();
                    }
                    at += 1;
                }
                text if is_name(text) && self.text(at + 1) == "::" && !self.goes_on(at) => {
                    at = self.read_path(at, &module)
                }
                _ => at += 1,
            }
        }
    }

    /// Whether this name is a later part of a longer path.
    fn goes_on(&self, at: usize) -> bool {
        at > 0 && (self.text(at - 1) == "." || (self.text(at - 1) == "::" && at > 1 && is_name(self.text(at - 2))))
    }

    fn read_path(&mut self, mut at: usize, module: &[String]) -> usize {
        let line = self.tokens[at].line;
        let mut path = vec![self.text(at).to_owned()];
        while self.text(at + 1) == "::" && is_name(self.text(at + 2)) {
            at += 2;
            path.push(self.text(at).to_owned());
        }
        self.name(path, line, module, None);
        at + 1
    }

    /// Reads one tree of a `use`; gives the index after it.
    fn read_use(&mut self, mut at: usize, module: &[String], prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        loop {
            match self.text(at) {
                "::" => at += 1,
                "{" => {
                    at += 1;
                    while !matches!(self.text(at), "}" | "") {
                        at = self.read_use(at, module, &path);
                        if self.text(at) == "," {
                            at += 1;
                        }
                    }
                    return at + 1;
                }
                "*" => {
                    let full = self.full(path.clone(), module);
                    self.globs.push(full);
                    path.push("*".into());
                    self.name(path, line, module, Some("*"));
                    return at + 1;
                }
                "as" => {
                    let full = self.full(path.clone(), module);
                    let alias = self.text(at + 1).to_owned();
                    self.name(path, line, module, Some(&alias));
                    self.imports.insert(alias, full);
                    return at + 2;
                }
                name if is_name(name) => {
                    if name != "self" || path.is_empty() {
                        path.push(name.to_owned());
                    }
                    at += 1;
                    if !matches!(self.text(at), "::" | "as") {
                        let full = self.full(path.clone(), module);
                        let last = path.last().cloned().unwrap_or_default();
                        self.name(path, line, module, Some(&last));
                        // `use x;` of a crate adds no name.
                        if full != [last.clone()] {
                            self.imports.insert(last, full);
                        }
                        return at;
                    }
                }
                _ => return at,
            }
        }
    }

    fn name(&mut self, path: Vec<String>, line: usize, module: &[String], import: Option<&str>) {
        let path = self.full(path, module);
        let file = self.source.file.clone();
        let imported_as = import.map(str::to_owned);
        let is_reexport = import.is_some() && self.is_reexport;
        self.named.push(Named { file, line, path, module: module.to_vec(), imported_as, is_reexport });
    }

    /// The path from the root of the crate, or of another crate.
    fn full(&self, path: Vec<String>, module: &[String]) -> Vec<String> {
        let Some((first, rest)) = path.split_first() else { return path };
        let on = |base: &[String]| [base, rest].concat();
        let child = |base: &[String]| [base, std::slice::from_ref(first)].concat();
        match first.as_str() {
            "crate" => path,
            "galleria" => on(&["crate".to_owned()]),
            "self" => self.full_rest(module, rest),
            "super" => self.full_rest(&module[..module.len().saturating_sub(1)], rest),
            // A module first: an import of the same name is that of a macro.
            _ if self.modules.contains(&child(module)) => on(&child(module)),
            _ if self.imports.get(first).is_some_and(|full| full.first() != Some(first)) => on(&self.imports[first]),
            _ => match self.globs.iter().find(|glob| self.modules.contains(&child(glob))) {
                Some(glob) => on(&child(glob)),
                None => path,
            },
        }
    }

    fn full_rest(&self, base: &[String], rest: &[String]) -> Vec<String> {
        let ups = rest.iter().take_while(|part| *part == "super").count();
        [&base[..base.len().saturating_sub(ups)], &rest[ups..]].concat()
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
