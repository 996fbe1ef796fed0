//! An inverted index: from each term to the places of the products that contain it (Manning et al.,
//! *Introduction to Information Retrieval*, ch. 1).
//!
//! A removed product leaves its postings behind. The reader knows which places are empty, and
//! [`InvertedIndex::renumber`] removes such postings now and then.

use super::tokenizer::terms;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

/// The field of a product that contains a term. A later variant says more about the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Description,
    Category,
    Tag,
    Name,
}

impl Field {
    /// What a match in this field adds to the score.
    pub const fn weight(self) -> u16 {
        match self {
            Self::Description => 1,
            Self::Category => 2,
            Self::Tag => 4,
            Self::Name => 8,
        }
    }

    const fn of_bits(bits: u32) -> Self {
        match bits & 0b11 {
            0 => Self::Description,
            1 => Self::Category,
            2 => Self::Tag,
            _ => Self::Name,
        }
    }
}

/// A product's place (30 bits), and the best field that contains the term (2 bits). 3 million
/// postings take 12 MB.
#[derive(Clone, Copy)]
struct Posting(u32);

impl Posting {
    fn new(place: u32, field: Field) -> Self {
        Self(place << 2 | field as u32)
    }

    fn place(self) -> u32 {
        self.0 >> 2
    }

    fn field(self) -> Field {
        Field::of_bits(self.0)
    }
}

/// Every term of the catalogue, and the products that contain it.
#[derive(Default)]
pub struct InvertedIndex {
    /// Sorted, so that terms with the same prefix are neighbours.
    terms: BTreeMap<Box<str>, Vec<Posting>>,
    /// The postings of all prefixes of one or two letters. Without them, a search for such a prefix
    /// would read the postings of thousands of terms.
    prefixes: HashMap<Box<str>, Vec<Posting>>,
}

const LONGEST_PREFIX: usize = 2;

impl InvertedIndex {
    /// Adds a product at an empty place.
    pub fn add<'a>(&mut self, place: u32, texts: impl IntoIterator<Item = (Field, &'a str)>) {
        let mut best: HashMap<String, Field> = HashMap::new();
        for (field, text) in texts {
            for word in terms(text) {
                let known = best.entry(word).or_insert(field);
                *known = field.max(*known);
            }
        }
        let mut best_prefixes: HashMap<&str, Field> = HashMap::new();
        for (word, field) in &best {
            for prefix in prefixes(word) {
                let known = best_prefixes.entry(prefix).or_insert(*field);
                *known = (*field).max(*known);
            }
        }
        for (prefix, field) in best_prefixes {
            self.prefixes.entry(prefix.into()).or_default().push(Posting::new(place, field));
        }
        for (word, field) in best {
            self.terms.entry(word.into()).or_default().push(Posting::new(place, field));
        }
    }

    /// How well the product at each of the `places` matches all wanted terms (at most 255). A
    /// wanted term matches every term that begins with it.
    pub fn matches(&self, wanted: &[String], places: usize) -> Matches {
        let mut matches = Matches { wanted: wanted.len() as u8, scores: vec![Score::default(); places] };
        for (number, word) in (0u8..).zip(wanted) {
            let mut found = false;
            for posting in self.postings(word).flatten() {
                found |= matches.scores[posting.place() as usize].count(number, posting.field().weight());
            }
            if !found {
                break;
            }
        }
        matches
    }

    fn postings<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a Vec<Posting>> {
        let is_short = wanted.chars().count() <= LONGEST_PREFIX;
        let short = is_short.then(|| self.prefixes.get(wanted)).flatten();
        let begun = self.terms.range::<str, _>((Bound::Included(wanted), Bound::Unbounded));
        let long = begun.take_while(move |(word, _)| !is_short && word.starts_with(wanted));
        short.into_iter().chain(long.map(|(_, postings)| postings))
    }

    /// Moves the postings to the products' new places, and drops those of removed products.
    pub fn renumber(&mut self, place: impl Fn(u32) -> Option<u32>) {
        let renumber = |postings: &mut Vec<Posting>| {
            let moved = postings.iter().filter_map(|old| Some(Posting::new(place(old.place())?, old.field())));
            *postings = moved.collect();
            !postings.is_empty()
        };
        self.terms.retain(|_, postings| renumber(postings));
        self.prefixes.retain(|_, postings| renumber(postings));
    }
}

/// The prefixes of one and two letters.
fn prefixes(word: &str) -> impl Iterator<Item = &str> {
    let ends = word.char_indices().map(|(start, letter)| start + letter.len_utf8());
    ends.take(LONGEST_PREFIX).map(|end| &word[..end])
}

/// How well the products match a search, by place.
pub struct Matches {
    wanted: u8,
    scores: Vec<Score>,
}

#[derive(Clone, Copy, Default)]
struct Score {
    /// How many of the wanted terms matched so far, counted from the first.
    matched: u8,
    /// The weight of the last match.
    last: u8,
    score: u16,
}

impl Score {
    /// Counts a match of the term with this number. Of several fields the best one counts. `false`
    /// if an earlier term did not match.
    fn count(&mut self, number: u8, weight: u16) -> bool {
        if self.matched == number {
            *self = Self { matched: number + 1, last: weight as u8, score: self.score + weight };
        } else if self.matched == number + 1 && weight > self.last.into() {
            self.score += weight - u16::from(self.last);
            self.last = weight as u8;
        }
        self.matched > number
    }
}

impl Matches {
    /// The score of the product at this place, if all terms matched.
    pub fn score(&self, place: u32) -> Option<u16> {
        self.scores.get(place as usize).filter(|score| score.matched == self.wanted).map(|score| score.score)
    }

    /// The places where all terms matched, with their scores.
    pub fn places(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        (0u32..)
            .zip(&self.scores)
            .filter(|(_, score)| score.matched == self.wanted)
            .map(|(place, score)| (place, score.score))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tokenizer::query_terms, *};

    #[test]
    fn every_wanted_term_must_match_and_the_best_field_counts() {
        let mut index = InvertedIndex::default();
        index.add(0, [(Field::Name, "Moka pot"), (Field::Description, "A pot for coffee; potter about.")]);
        index.add(1, [(Field::Description, "moka"), (Field::Tag, "potent")]);
        index.add(2, [(Field::Name, "moka")]);
        let found: Vec<_> = index.matches(&query_terms("pot mok"), 3).places().collect();
        assert_eq!(found, [(0, 16), (1, 5)]);
        assert_eq!(index.matches(&query_terms("tea"), 3).places().count(), 0);
    }

    #[test]
    fn removed_products_lose_their_postings() {
        let mut index = InvertedIndex::default();
        index.add(0, [(Field::Name, "kettle")]);
        index.add(1, [(Field::Name, "teapot")]);
        index.renumber(|place| place.checked_sub(1));
        assert_eq!(index.terms.keys().map(AsRef::as_ref).collect::<Vec<_>>(), ["teapot"]);
        assert_eq!(index.matches(&query_terms("tea"), 1).score(0), Some(8));
    }
}
