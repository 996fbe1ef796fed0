//! Lists of entity tags, as no client would write them: read without a panic, and never believed to hold a tag that they do not hold.
#![no_main]

use galleria::gateway::fuzzed::{is_listed, is_matched, tag_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (list, body) = input;
    let tag = tag_of(body);
    let (listed, matched) = (is_listed(list, &tag), is_matched(list, &tag));
    assert!(listed || !matched, "what matches strongly matches weakly");
    if list.trim() != "*" {
        assert!(!listed || list.contains(&tag), "{list:?} does not hold {tag}");
    }
    // Put at the head of a list it is found, whatever follows.
    let with = format!("{tag}, {list}");
    assert!(is_listed(&with, &tag) && is_matched(&with, &tag));
    let weakly = format!("W/{tag}, {}", list.replace(&tag, ""));
    assert!(is_listed(&weakly, &tag));
    assert!(!is_matched(&format!("W/{tag}"), &tag));
});
