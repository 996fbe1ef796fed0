//! What independent tools find on the pages: axe on accessibility, Lighthouse on performance and
//! more.

use crate::{
    Open, driver,
    harness::Shop,
    pages::{PRODUCT, World},
};
use serde_json::Value;
use std::process::{Command, Stdio};

pub const AXE: &str = "axe-core/axe.min.js";
pub const LIGHTHOUSE: &str = "lighthouse/cli/index.js";

pub fn the_first_page_is_light(open: &Open) {
    const LIMIT: u64 = 100_000;
    /// The bytes that are transferred, without pictures: with headers, and compressed.
    const TRANSFERRED: &str = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')] \
        .filter(({ name }) => !new URL(name).pathname.match(/\\.(svg|png|jpe?g|webp|avif|ico)$/)) \
        .reduce((sum, { transferSize }) => sum + transferSize, 0)";
    let shop = Shop::options().demo().open();
    let browser = open(&shop);
    browser.go_to("/");
    browser.see("Fennick Cast-Iron Skillet");
    let bytes = browser.run(TRANSFERRED, &[]).as_u64().expect("a number");
    println!("the first page without pictures: {bytes} bytes");
    assert!((1..LIMIT).contains(&bytes));
}

pub fn axe_finds_nothing_on_any_page_in_the_light(open: &Open) {
    axe_finds_nothing(open, "light");
}

pub fn axe_finds_nothing_on_any_page_in_the_dark(open: &Open) {
    axe_finds_nothing(open, "dark");
}

fn axe_finds_nothing(open: &Open, theme: &str) {
    let axe = std::fs::read_to_string(driver::tool(AXE).expect("it was looked for")).expect("a script");
    let mut found = Vec::new();
    World::new().walk(open, |browser, path| {
        browser.set_theme(theme);
        // A reload ends the transition of the colours, which axe would measure.
        browser.reload();
        browser.run(&axe, &[]);
        let report = browser.promised("axe.run()");
        assert!(report["passes"].as_array().is_some_and(|passes| passes.len() > 10), "it has looked: {report}");
        for violation in report["violations"].as_array().into_iter().flatten() {
            let nodes: Vec<_> = violation["nodes"].as_array().into_iter().flatten().map(|it| &it["html"]).collect();
            found.push(format!("{path}: {} {nodes:#?}", violation["help"]));
        }
    });
    assert!(found.is_empty(), "in the {theme}:\n{}", found.join("\n"));
}

/// The least scores, out of 100.
#[rustfmt::skip]
const ENOUGH: [(&str, u64); 4] = [
    ("performance",    95),
    ("accessibility",  100),
    ("best-practices", 100),
    ("seo",            95),
];

pub fn lighthouse_finds_the_pages_fast_and_sound(_: &Open) {
    let world = World::new();
    let cart = world.shop.anonymous().put_in_cart(&world.customer.product(PRODUCT).ok().id(), 1).ok();
    let cookie = cart.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let mut poor = Vec::new();
    for path in ["/", &format!("/products/{PRODUCT}"), "/checkout"] {
        let url = format!("http://{}{path}", world.shop.address());
        let mut report = lighthouse(&url, &cookie);
        if score(&report, "performance") < ENOUGH[0].1 {
            // The machine may have been busy: the median of three runs counts.
            let mut reports = vec![report, lighthouse(&url, &cookie), lighthouse(&url, &cookie)];
            reports.sort_by_key(|report| score(report, "performance"));
            report = reports.swap_remove(1);
        }
        let scores: Vec<_> = ENOUGH.iter().map(|(name, _)| format!("{name} {}", score(&report, name))).collect();
        println!("lighthouse {path}: {}", scores.join(", "));
        for (name, enough) in ENOUGH {
            if score(&report, name) < enough {
                poor.push(format!("{path}: {name} {} {:#?}", score(&report, name), shortcomings(&report, name)));
            }
        }
    }
    assert!(poor.is_empty(), "{}", poor.join("\n"));
}

fn lighthouse(url: &str, cookie: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Through a pipe Lighthouse wrote only the start of the report.
    let report = folder.path().join("report.json");
    let run = Command::new(driver::on_the_path(&["node"]).expect("node, which runs it"))
        .arg(driver::tool(LIGHTHOUSE).expect("it was looked for"))
        .args([
            url,
            "--output=json",
            "--quiet",
            &format!("--output-path={}", report.display()),
            "--max-wait-for-load=20000",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-quic",
        ])
        // The checkout excludes search engines on purpose.
        .args(url.ends_with("/checkout").then_some("--skip-audits=is-crawlable"))
        .arg(format!("--extra-headers={}", serde_json::json!({ "Cookie": cookie })))
        .env("CHROME_PATH", driver::chromium().expect("a browser"))
        .stdout(Stdio::null())
        .status()
        .expect("it runs");
    let written = std::fs::read(&report).unwrap_or_else(|error| panic!("no report, {run}: {error}"));
    serde_json::from_slice(&written).expect("JSON")
}

fn score(report: &Value, category: &str) -> u64 {
    (report["categories"][category]["score"].as_f64().unwrap_or(0.0) * 100.0).round() as u64
}

/// The audits that lowered the score.
fn shortcomings(report: &Value, category: &str) -> Vec<String> {
    let audits = report["categories"][category]["auditRefs"].as_array().expect("audits");
    let weighs = audits.iter().filter(|audit| audit["weight"].as_f64().is_some_and(|weight| weight > 0.0));
    let seen = weighs.map(|audit| &report["audits"][audit["id"].as_str().unwrap_or_default()]);
    let poor = seen.filter(|audit| audit["score"].as_f64().is_some_and(|score| score < 0.9));
    poor.map(|audit| format!("{}: {}", audit["title"], audit["displayValue"])).collect()
}
