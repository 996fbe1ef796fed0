//! Text on a label: broken into lines that fit, and escaped for XML.

/// Breaks text of a font size into at most `most` lines of `width` pixels, between words if
/// possible. The last line ends in `…` if the text was cut.
pub fn wrapped(words: &str, size: usize, width: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = words.trim();
    while !rest.is_empty() {
        let fits = fitting(rest, size, width);
        if fits < rest.len() && lines.len() + 1 == most {
            lines.push(cut(rest, size, width));
            break;
        }
        let line = if fits < rest.len() { rest[..fits].rfind(' ').unwrap_or(fits) } else { fits };
        lines.push(rest[..line].to_owned());
        rest = rest[line..].trim_start();
    }
    lines
}

/// One line of `width` pixels, with `…` if the text was cut.
pub fn cut(words: &str, size: usize, width: usize) -> String {
    if fitting(words, size, width) == words.len() {
        return words.to_owned();
    }
    format!("{}…", words[..fitting(words, size, width - size)].trim_end())
}

/// How many bytes from the beginning fit into `width` pixels; at least one character.
fn fitting(words: &str, size: usize, width: usize) -> usize {
    let mut used = 0;
    let too_much = words.char_indices().find(|(at, c)| {
        used += advance(*c) * size;
        used > width * 100 && *at > 0
    });
    too_much.map_or(words.len(), |(at, _)| at)
}

/// The approximate width of a bold letter, in hundredths of the font size. Unknown letters count as
/// the widest.
fn advance(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe0f}' => 0,
        'f' | 'i' | 'j' | 'l' | 'r' | 't' | 'I' | ' ' | '.' | ',' | ':' | '\'' | '-' | '›' => 34,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 95,
        'a'..='z' | '0'..='9' => 61,
        '\0'..='\u{58f}' => 76,
        _ => 120,
    }
}

/// Escapes text for XML 1.0. Characters that XML does not allow become U+FFFD.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_field_is_broken_between_words_and_then_cut() {
        let lines = wrapped("Internationale Gesellschaft für lange Namen", 17, 200, 2);
        assert_eq!(lines, ["Internationale", "Gesellschaft für lang…"]);
        assert_eq!(wrapped("Ada Lovelace", 17, 300, 2), ["Ada Lovelace"]);
        assert!(wrapped("", 17, 300, 2).is_empty());
    }

    #[test]
    fn markup_characters_are_escaped() {
        assert_eq!(escaped(r#"<a b="c">&'"#), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
        assert_eq!(escaped("Zoë\u{1f}\u{ffff}"), "Zoë\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_text_is_wrapped_into_lines_that_fit(words: String, size in 8usize..30, most in 1usize..4) {
            let lines = wrapped(&words, size, 300, most);
            prop_assert!(lines.len() <= most);
            prop_assert!(lines.iter().all(|line| fitting(line, size, 300 + size) == line.len()));
        }
    }
}
