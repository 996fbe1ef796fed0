//! Malformed lists of entity tags: they cause no panic, and never match a tag that they do not
//! contain.
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
    // At the head of a list the tag is found, whatever follows.
    let with = format!("{tag}, {list}");
    assert!(is_listed(&with, &tag) && is_matched(&with, &tag));
    let weakly = format!("W/{tag}, {}", list.replace(&tag, ""));
    assert!(is_listed(&weakly, &tag));
    assert!(!is_matched(&format!("W/{tag}"), &tag));
});
