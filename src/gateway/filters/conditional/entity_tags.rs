//! Entity tags (RFC 9110 §8.8.3): of a body, and in the lists that clients send.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The strong entity tag of a body, made from its SHA-256: equal bytes have equal tags. With its
/// quotes.
pub fn tag_of(body: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..15]))
}

/// Whether the list of entity tags holds this one, or is `*`. This is the weak comparison that RFC
/// 9110 §13.1.2 requires for `If-None-Match`.
pub fn is_listed(list: &str, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/").trim_matches('"');
    list.trim() == "*" || members(list).any(|(_, member)| member == opaque)
}

/// Whether the list of entity tags holds this one. This is the strong comparison that RFC 9110
/// §13.1.1 requires for `If-Match`: a weak tag matches nothing.
pub fn is_matched(list: &str, tag: &str) -> bool {
    members(list)
        .any(|(is_weak, member)| !is_weak && tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')) == Some(member))
}

/// The entity tags of a list, without their quotes, and whether each is weak. It ends at the first
/// error of syntax. A tag may hold a comma, so the list is read tag by tag and not split.
fn members(list: &str) -> impl Iterator<Item = (bool, &str)> {
    let (mut rest, mut is_first) = (list, true);
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once('"')?;
        let (opaque, next) = after.split_once('"')?;
        if !std::mem::take(&mut is_first) && !before.contains(',') {
            return None;
        }
        rest = next;
        match before.trim_matches([',', ' ', '\t']) {
            "" => Some((false, opaque)),
            "W/" => Some((true, opaque)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tag_is_found_in_a_list_as_a_whole() {
        assert!(is_listed(r#""a", W/"b", "c,d""#, "\"b\""));
        assert!(is_listed(r#""a", W/"b", "c,d""#, "\"c,d\""));
        assert!(is_listed(" * ", "\"x\""));
        assert!(!is_listed(r#""abc""#, "\"b\""));
        assert!(!is_listed(r#""a"#, "\"a\""));
        assert!(!is_listed("", "\"a\""));
        assert!(!is_listed("a", "\"a\""));
    }

    #[test]
    fn a_strong_tag_is_matched_only_by_an_equal_strong_tag() {
        for list in [r#""b""#, r#""a", "b""#, r#"W/"b", "b""#, r#""b", W/"zz""#, "\"a,\" ,\t\"b\""] {
            assert!(is_matched(list, "\"b\""), "{list}");
        }
        for list in ["", "b", "\"", r#"W/"b""#, r#""a", W/"b""#, r#""abc""#, r#""W/"b""#, r#""a""b""#, "\"b"] {
            assert!(!is_matched(list, "\"b\""), "{list}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read_without_a_panic(list: String) {
            let _ = (is_listed(&list, "\"a\""), is_matched(&list, "\"a\""));
        }
    }
}
