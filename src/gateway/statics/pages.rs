//! The pages of the web shop. Each is `index.html` with links in its head that preload the modules
//! of the page.

use super::files::{Files, VERSIONED, tag};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::LazyLock};

/// Paths, and the module that renders each: the table of `static/js/main.js`. The first match is
/// used.
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

/// A page, rendered once at its first use.
pub struct ShopPage {
    path: &'static str,
    /// The HTML.
    pub document: String,
    /// The entity tag, without its quotes.
    pub tag: String,
}

/// The page at this path, if there is one.
pub fn at(path: &str) -> Option<&'static ShopPage> {
    static RENDERED: LazyLock<Vec<ShopPage>> =
        LazyLock::new(|| PAGES.iter().map(|(path, module)| render(path, module)).collect());
    RENDERED.iter().find(|page| matches(page.path, path))
}

/// The page for all other paths: it says that nothing was found.
pub fn missing() -> &'static ShopPage {
    static RENDERED: LazyLock<ShopPage> = LazyLock::new(|| render("", "missing"));
    &RENDERED
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

fn render(path: &'static str, module: &str) -> ShopPage {
    let mut modules = BTreeSet::new();
    collect("js/main.js", &mut modules);
    collect(&format!("js/pages/{module}.js"), &mut modules);
    let prefix = VERSIONED.as_str();
    let preloads: String =
        modules.iter().map(|module| format!("  <link rel=\"modulepreload\" href=\"/{module}\">\n")).collect();
    let mut document = text("index.html").replace("</head>", &format!("{preloads}</head>"));
    for folder in ["css", "js", "favicon.svg"] {
        document = document.replace(&format!("=\"/{folder}"), &format!("=\"{prefix}/{folder}"));
    }
    let tag = tag(&Sha256::digest(&document));
    ShopPage { path, document, tag }
}

/// Adds the module and all modules that it imports, directly or indirectly. Without preload links a
/// browser finds an import only after it has fetched the importing module.
fn collect(module: &str, found: &mut BTreeSet<String>) {
    if !found.insert(module.to_owned()) {
        return;
    }
    let folder = module.rsplit_once('/').map_or("", |(folder, _)| folder);
    for import in imports(&text(module)) {
        collect(&resolve(folder, import), found);
    }
}

/// The paths of the imports in a module: `./html.js` of `import { html } from './html.js';`.
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
    fn the_front_end_has_the_same_table_of_pages() {
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
    fn a_page_preloads_all_modules_that_it_imports_and_all_of_them_exist() {
        for (path, module) in PAGES {
            let page = at(&path.replace(':', "")).unwrap();
            let preloaded: Vec<_> = page
                .document
                .lines()
                .filter_map(|line| line.trim().strip_prefix("<link rel=\"modulepreload\" href=\"")?.split_once('"'))
                .map(|(path, _)| path.strip_prefix(VERSIONED.as_str()).expect("an address with the version"))
                .collect();
            assert!(preloaded.contains(&format!("/js/pages/{module}.js").as_str()), "{preloaded:?}");
            assert!(preloaded.contains(&"/js/html.js"), "{preloaded:?}");
            for path in preloaded {
                assert!(Files::get(&path[1..]).is_some(), "{path}");
            }
            assert!(!page.document.contains("\"/js/") && !page.document.contains("\"/css/"));
        }
    }

    #[test]
    fn every_imported_module_exists() {
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
