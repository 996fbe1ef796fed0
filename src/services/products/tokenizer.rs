//! Takes texts and queries apart into terms.

/// The words that a search asks for, in alphabetical order. One that begins another asks nothing more and is left out,
/// so that no posting is read twice.
pub fn query_terms(q: &str) -> Vec<String> {
    let mut wanted: Vec<String> = terms(q).collect();
    wanted.sort();
    wanted.reverse();
    wanted.dedup_by(|word, longer| longer.starts_with(word.as_str()));
    wanted.reverse();
    wanted
}

pub fn terms(text: &str) -> impl Iterator<Item = String> + use<> {
    let folded = fold(text);
    let words: Vec<String> =
        folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect();
    words.into_iter()
}

/// Lower case, and Latin letters without their accents.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match unaccented(c) {
            Some(plain) => folded.push_str(plain),
            None => folded.push(c),
        }
    }
    folded
}

/// The letters of Latin-1 and Latin Extended-A, and combining accents. `None` for what has none.
#[rustfmt::skip]
fn unaccented(lower: char) -> Option<&'static str> {
    Some(match lower {
        ..'\u{80}' => return None,
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' | 'ĸ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' | 'ŋ' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' | 'ſ' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '\u{300}'..='\u{36f}' => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_do_not_matter() {
        assert_eq!(
            fold("Crème BRÛLÉE, Łódź, Straße, Smørrebrød, İzmir, e\u{301}"),
            "creme brulee, lodz, strasse, smorrebrod, izmir, e"
        );
        assert_eq!(fold("日本 Привет"), "日本 привет");
    }

    #[test]
    fn a_word_that_begins_another_asks_nothing_more() {
        assert_eq!(query_terms("Moka mo POT pot pots m"), ["moka", "pots"]);
        assert_eq!(query_terms(" !? "), Vec::<String>::new());
    }
}
