//! Programs of other makers that work with the OpenAPI document.

use crate::{
    Open, driver,
    harness::{DOCUMENT, Shop},
};
use std::{fs, process::Command};

/// Swagger UI, under the shop's Content-Security-Policy, from the footer's link.
pub fn the_api_is_read_and_tried_out_at_docs(open: &Open) {
    let shop = Shop::open();
    shop.operator().stock_up(25_00, 10);
    let browser = open(&shop);
    browser.go_to("/");
    browser.click("API documentation");
    browser.see("with its own tree on disk");
    browser.click("products");
    browser.click("get /api/v1/products");
    browser.click("Try it out");
    browser.fill("q", "nothing like it");
    browser.click("Execute");
    browser.see("Server response");
    browser.see("\"items\": []");
}

pub const GENERATOR: &str = "openapi-typescript/bin/cli.js";
const COMPILER: &str = "typescript/bin/tsc";

/// openapi-typescript generates the client, the TypeScript compiler checks a purchase against its
/// types, and Node.js runs it.
pub fn a_generated_client_buys_something(_: &Open) {
    let folder = driver::output().join("client");
    fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
    write("package.json", r#"{"type": "module"}"#);
    write("openapi.json", &DOCUMENT.to_string());
    write("purchase.ts", include_str!("purchase.ts"));

    let node = |tool: &str, arguments: &[&str]| {
        let mut command = Command::new("node");
        command.current_dir(&folder).arg(tool).args(arguments);
        let output = command.output().expect("node runs");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said.into_owned())
    };
    let tool = |file| driver::tool(file).expect("it was looked for").display().to_string();
    let done = |(succeeded, said): (bool, String)| assert!(succeeded, "{said}");
    done(node(&tool(GENERATOR), &["openapi.json", "--output", "api.ts"]));
    let compile = ["--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext", "--skipLibCheck"];
    let compiled = |source: &str| node(&tool(COMPILER), &[&compile[..], &[source]].concat());
    done(compiled("purchase.ts"));
    // The types also refuse a mistake.
    write("mistaken.ts", &include_str!("purchase.ts").replace("quantity: 2", "quantity: 'two'"));
    let (succeeded, said) = compiled("mistaken.ts");
    assert!(!succeeded && said.contains("Type 'string' is not assignable to type 'number'"), "{said}");

    let shop = Shop::open();
    let product = shop.operator().stock_up(25_00, 10);
    let (succeeded, said) = node("purchase.js", &[&format!("http://{}", shop.address()), &product]);
    assert!(succeeded && said.starts_with("bought ord_"), "{said}");
}
