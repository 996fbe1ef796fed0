//! The pages of the web shop: all are `index.html`, each with the modules that it begins with announced in its head.

use super::{Files, LASTING, tag};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::LazyLock};

/// Paths and the module that draws them, as `static/js/main.js` has them; the first that matches is taken.
#[rustfmt::skip]
const PAGES: &[(&str, &str)] = &[
    ("/",                      "home"),
    ("/products",              "listing"),
    ("/categories/:category",  "listing"),
    ("/products/:product",     "product"),
    ("/cart",                  "cart"),
    ("/checkout",              "checkout"),
    ("/orders",                "orders"),
    ("/orders/:id",            "order"),
    ("/tracking/:number",      "tracking"),
    ("/account",               "account"),
    ("/inbox",                 "inbox"),
    ("/sign-in",               "sign-in"),
    ("/setup",                 "setup"),
    ("/operator",              "operator"),
    ("/operator/orders",       "operator/orders"),
    ("/operator/products",     "operator/products"),
    ("/operator/products/new", "operator/product"),
    ("/operator/products/:id", "operator/product"),
    ("/operator/stock",        "operator/stock"),
    ("/operator/events",       "operator/events"),
];

pub struct ShopPage {
    path: &'static str,
    pub document: String,
    pub tag: String,
}

/// The page of that path, if it is one.
pub fn at(path: &str) -> Option<&'static ShopPage> {
    static DRAWN: LazyLock<Vec<ShopPage>> =
        LazyLock::new(|| PAGES.iter().map(|(path, module)| draw(path, module)).collect());
    DRAWN.iter().find(|page| matches(page.path, path))
}

/// For every other path.
pub fn missing() -> &'static ShopPage {
    static DRAWN: LazyLock<ShopPage> = LazyLock::new(|| draw("", "missing"));
    &DRAWN
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part == given || (part.starts_with(':') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

fn draw(path: &'static str, module: &str) -> ShopPage {
    let mut modules = BTreeSet::new();
    follow("js/main.js", &mut modules);
    follow(&format!("js/pages/{module}.js"), &mut modules);
    let lasting = LASTING.as_str();
    let announced: String =
        modules.iter().map(|module| format!("  <link rel=\"modulepreload\" href=\"/{module}\">\n")).collect();
    let mut document = text("index.html").replace("</head>", &format!("{announced}</head>"));
    for folder in ["css", "js", "favicon.svg"] {
        document = document.replace(&format!("=\"/{folder}"), &format!("=\"{lasting}/{folder}"));
    }
    let tag = tag(&Sha256::digest(&document));
    ShopPage { path, document, tag }
}

/// The module and all that it imports: else a browser learns of each only when it has read the one before.
fn follow(module: &str, met: &mut BTreeSet<String>) {
    if !met.insert(module.to_owned()) {
        return;
    }
    let folder = module.rsplit_once('/').map_or("", |(folder, _)| folder);
    for import in imports(&text(module)) {
        follow(&resolve(folder, import), met);
    }
}

/// What stands behind `from` at the end of an import: `import { html } from './html.js';`
fn imports(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let from = line.strip_prefix("import '").or_else(|| {
            let is_import = line.starts_with("import ") || line.starts_with("} from") || line.starts_with("export ");
            is_import.then(|| line.split_once(" from '").map(|(_, from)| from)).flatten()
        })?;
        from.split_once('\'').map(|(path, _)| path)
    })
}

/// `../html.js` in `js/pages` is `js/html.js`.
fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn text(name: &str) -> String {
    Files::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_has_the_same_table() {
        let main = text("js/main.js");
        let rows: Vec<(&str, &str)> = main
            .lines()
            .filter_map(|line| {
                let (path, rest) = line.trim().strip_prefix("['")?.split_once("', () => import('./pages/")?;
                Some((path, rest.split_once(".js'")?.0))
            })
            .collect();
        assert_eq!(rows, PAGES);
    }

    #[test]
    fn a_page_announces_all_modules_that_it_begins_with_and_only_such_as_there_are() {
        for (path, module) in PAGES {
            let page = at(&path.replace(':', "")).unwrap();
            let announced: Vec<_> = page
                .document
                .lines()
                .filter_map(|line| line.trim().strip_prefix("<link rel=\"modulepreload\" href=\"")?.split_once('"'))
                .map(|(path, _)| path.strip_prefix(LASTING.as_str()).expect("an address that lasts"))
                .collect();
            assert!(announced.contains(&format!("/js/pages/{module}.js").as_str()), "{announced:?}");
            assert!(announced.contains(&"/js/html.js"), "{announced:?}");
            for path in announced {
                assert!(Files::get(&path[1..]).is_some(), "{path}");
            }
            assert!(!page.document.contains("\"/js/") && !page.document.contains("\"/css/"));
        }
    }

    #[test]
    fn every_module_that_is_imported_is_there() {
        for name in Files::iter().filter(|name| name.ends_with(".js")) {
            let folder = name.rsplit_once('/').unwrap().0;
            for import in imports(&text(&name)) {
                assert!(Files::get(&resolve(folder, import)).is_some(), "{name} imports {import}");
            }
        }
        let both = "import {\n  a,\n} from './a.js';\nimport './b.js';\nconst c = \" from 'd'\";";
        assert_eq!(imports(both).collect::<Vec<_>>(), ["./a.js", "./b.js"]);
    }

    #[test]
    fn a_path_matches_part_by_part() {
        assert!(matches("/orders/:id", "/orders/ord_1") && matches("/", "/"));
        for path in ["/orders/", "/orders", "/orders/a/b", "/order/x", ""] {
            assert!(!matches("/orders/:id", path), "{path}");
        }
    }
}
