//! Splits texts and queries into terms: folded to lower case, without accents.
//!
//! The same folding is applied to what is indexed and to what is searched, so that "Müsli" is found
//! by "musli" and "phở" by "pho".

use unicode_normalization::UnicodeNormalization;

/// The terms of a query, in alphabetical order. A term that another one begins with asks nothing
/// more and is left out, so that no posting is read twice.
pub fn query_terms(q: &str) -> Vec<String> {
    let mut wanted: Vec<String> = terms(q).collect();
    wanted.sort();
    wanted.reverse();
    wanted.dedup_by(|term, longer| longer.starts_with(term.as_str()));
    wanted.reverse();
    wanted
}

/// The terms of a text, in its order: maximal runs of letters and digits, folded.
pub fn terms(text: &str) -> impl Iterator<Item = String> + use<> {
    let folded = fold(text);
    let terms: Vec<String> =
        folded.split(|c: char| !c.is_alphanumeric()).filter(|term| !term.is_empty()).map(str::to_owned).collect();
    terms.into_iter()
}

/// The text in lower case, without accents, ligatures and other variants of letters.
///
/// Compatibility decomposition (NFKD, Unicode Standard Annex #15) separates letters from their
/// accents and resolves ligatures; the accents are dropped, and the rest is composed again. Marks
/// of other scripts stay, as they tell words apart: が is not か.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut plain = String::with_capacity(text.len());
    // U+0140 would decompose into l and a middle dot, and the dot would split the word.
    let decomposed = text.chars().map(|c| if matches!(c, 'ŀ' | 'Ŀ') { 'l' } else { c }).nfkd();
    for c in decomposed.filter(|c| !is_accent(*c)).flat_map(char::to_lowercase) {
        match base_letters(c) {
            Some(letters) => plain.push_str(letters),
            None => plain.push(c),
        }
    }
    plain.nfc().collect()
}

/// The block "Combining Diacritical Marks": the accents of Latin, Greek and Cyrillic letters.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Letters that Unicode does not decompose, although people write them without their stroke or as
/// two letters. `None` for all others.
#[rustfmt::skip]
fn base_letters(lower: char) -> Option<&'static str> {
    Some(match lower {
        'æ'       => "ae",
        'đ' | 'ð' => "d",
        'ħ'       => "h",
        'ı'       => "i",
        'ĸ'       => "k",
        'ł'       => "l",
        'ŋ'       => "n",
        'ø'       => "o",
        'œ'       => "oe",
        'ß'       => "ss",
        'ŧ'       => "t",
        'þ'       => "th",
        // The same letter at the end of a word.
        'ς'       => "σ",
        _         => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_and_case_do_not_matter() {
        assert_eq!(
            fold("Crème BRÛLÉE, Łódź, Straße, Smørrebrød, İzmir, e\u{301}"),
            "creme brulee, lodz, strasse, smorrebrod, izmir, e"
        );
        assert_eq!(fold("日本 Привет"), "日本 привет");
    }

    #[test]
    fn accents_are_dropped_in_every_language_that_writes_them() {
        for (text, folded) in [
            ("Phở bò, Tiếng Việt, Đà Nẵng", "pho bo, tieng viet, da nang"),
            ("IĞDIR ışık İSTANBUL", "igdir isik istanbul"),
            ("ΚΑΦΈΣ καφές Ἀθῆναι", "καφεσ καφεσ αθηναι"),
            ("Ёлка, Київ", "елка, киів"),
            ("Ænima Œuvre ẞ Þór Ŋ Ŧ", "aenima oeuvre ss thor n t"),
            ("ﬁlter ﬂask Ĳssel col·lecció coŀlecció", "filter flask ijssel col·leccio colleccio"),
            ("５００ｍｌ ① m²", "500ml 1 m2"),
            ("à la carte / à la carte", "a la carte / a la carte"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn marks_that_tell_words_apart_stay() {
        for text in ["がく", "한국", "हिन्दी", "日本"] {
            assert_eq!(fold(text), text);
        }
    }

    #[test]
    fn a_word_that_begins_another_asks_nothing_more() {
        assert_eq!(query_terms("Moka mo POT pot pots m"), ["moka", "pots"]);
        assert_eq!(query_terms(" !? "), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn a_text_and_its_decomposed_form_have_the_same_terms(text: String) {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(terms(&text).collect::<Vec<_>>(), terms(&decomposed).collect::<Vec<_>>());
        }
    }
}
