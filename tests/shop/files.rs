//! The files of the web shop: which files are immutable, and which files a browser must revalidate.

use crate::harness::Shop;

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The `href` and `src` values of a page.
fn named(page: &str) -> Vec<&str> {
    let after = |mark| page.split(mark).skip(1).filter_map(|rest: &str| rest.split('"').next());
    after("href=\"").chain(after("src=\"")).filter(|path| path.starts_with("/v/")).collect()
}

#[test]
fn a_page_is_revalidated_and_names_files_that_may_be_cached_for_ever() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    for path in ["/", "/products", "/products/anything", "/cart", "/checkout", "/orders/anything", "/operator"] {
        let page = guest.get(path).ok();
        assert_eq!(page.header("cache-control"), "no-cache", "{path}");
        let again = guest.send("GET", path, &[("if-none-match", page.header("etag"))], None);
        assert_eq!(again.status, 304, "{path}");
        let files = named(&page.text);
        assert!(files.len() > 10, "{path} names {files:?}");
        for file in files {
            assert_eq!(guest.get(file).ok().header("cache-control"), FOR_EVER, "{file}");
        }
    }
}

#[test]
fn a_file_is_served_under_both_names_and_never_in_another_version() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    let page = guest.get("/").ok();
    let lasting = *named(&page.text).iter().find(|path| path.ends_with("/js/main.js")).expect("the first module");
    let (plain, kept) = (guest.get("/js/main.js").ok(), guest.get(lasting).ok());
    assert_eq!(plain.header("cache-control"), "no-cache");
    assert_eq!((plain.text.as_str(), plain.header("etag")), (kept.text.as_str(), kept.header("etag")));
    let old = lasting.replacen(&lasting[3..15], "AAAAAAAAAAAA", 1);
    guest.get(&old).problem(404, "not_found");
    guest.send("POST", lasting, &[], None).problem(405, "method_not_allowed");
    // A compressed file has other bytes, and therefore another entity tag.
    let [packed, unpacked] =
        ["gzip", "identity"].map(|coding| guest.send("GET", lasting, &[("accept-encoding", coding)], None).ok());
    assert_ne!(packed.header("etag"), unpacked.header("etag"));
    for answer in [&plain, &kept, &packed, &unpacked] {
        assert_eq!(answer.header("vary"), "Accept-Encoding");
    }
}
