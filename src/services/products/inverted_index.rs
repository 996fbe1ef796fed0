//! Finding products by words: an inverted index from words to the places of the products that have them.
//!
//! Words are folded to lower case without accents, so that "Müsli" is found by "musli". A product that goes leaves its
//! postings behind; whoever reads them knows which places are empty, and now and then [`InvertedIndex::renumber`] clears up.

use super::tokenizer::terms;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

/// Where a word stands. A later field says more about the product.
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

/// A product's place (30 bits) and the best field in which it has the word (2 bits): 3 million of these are 12 MB.
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

/// Every word of the catalogue, and the products that have it.
#[derive(Default)]
pub struct InvertedIndex {
    /// In alphabetical order, so that the words with one beginning stand together.
    words: BTreeMap<Box<str>, Vec<Posting>>,
    /// By the first letter and the first two of words: a search for so little would read the postings of thousands of words.
    beginnings: HashMap<Box<str>, Vec<Posting>>,
}

const LONGEST_BEGINNING: usize = 2;

impl InvertedIndex {
    /// Adds a product at a place that had none.
    pub fn add<'a>(&mut self, place: u32, texts: impl IntoIterator<Item = (Field, &'a str)>) {
        let mut best: HashMap<String, Field> = HashMap::new();
        for (field, text) in texts {
            for word in terms(text) {
                let known = best.entry(word).or_insert(field);
                *known = field.max(*known);
            }
        }
        let mut best_beginnings: HashMap<&str, Field> = HashMap::new();
        for (word, field) in &best {
            for beginning in beginnings(word) {
                let known = best_beginnings.entry(beginning).or_insert(*field);
                *known = (*field).max(*known);
            }
        }
        for (beginning, field) in best_beginnings {
            self.beginnings.entry(beginning.into()).or_default().push(Posting::new(place, field));
        }
        for (word, field) in best {
            self.words.entry(word.into()).or_default().push(Posting::new(place, field));
        }
    }

    /// How well each of the `places` matches all of at most 255 words; a word matches those that it begins.
    pub fn matches(&self, wanted: &[String], places: usize) -> Matches {
        let mut matches = Matches { wanted: wanted.len() as u8, reconciled: vec![Score::default(); places] };
        for (number, word) in (0u8..).zip(wanted) {
            let mut found = false;
            for posting in self.postings(word).flatten() {
                found |= matches.reconciled[posting.place() as usize].count(number, posting.field().weight());
            }
            if !found {
                break;
            }
        }
        matches
    }

    fn postings<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a Vec<Posting>> {
        let is_short = wanted.chars().count() <= LONGEST_BEGINNING;
        let short = is_short.then(|| self.beginnings.get(wanted)).flatten();
        let begun = self.words.range::<str, _>((Bound::Included(wanted), Bound::Unbounded));
        let long = begun.take_while(move |(word, _)| !is_short && word.starts_with(wanted));
        short.into_iter().chain(long.map(|(_, postings)| postings))
    }

    /// Follows the products to their new places; forgets those that have none.
    pub fn renumber(&mut self, place: impl Fn(u32) -> Option<u32>) {
        let renumber = |postings: &mut Vec<Posting>| {
            let moved = postings.iter().filter_map(|old| Some(Posting::new(place(old.place())?, old.field())));
            *postings = moved.collect();
            !postings.is_empty()
        };
        self.words.retain(|_, postings| renumber(postings));
        self.beginnings.retain(|_, postings| renumber(postings));
    }
}

/// The first letter of a word, and the first two.
fn beginnings(word: &str) -> impl Iterator<Item = &str> {
    let ends = word.char_indices().map(|(start, letter)| start + letter.len_utf8());
    ends.take(LONGEST_BEGINNING).map(|end| &word[..end])
}

/// What a search by words found, by place.
pub struct Matches {
    wanted: u8,
    reconciled: Vec<Score>,
}

#[derive(Clone, Copy, Default)]
struct Score {
    /// How many of the words it has, from the first on.
    words: u8,
    /// The weight of the last of these.
    last: u8,
    score: u16,
}

impl Score {
    /// The word of that number was found; of several fields that have it, the best counts. `false` where an earlier word is missing.
    fn count(&mut self, number: u8, weight: u16) -> bool {
        if self.words == number {
            *self = Self { words: number + 1, last: weight as u8, score: self.score + weight };
        } else if self.words == number + 1 && weight > self.last.into() {
            self.score += weight - u16::from(self.last);
            self.last = weight as u8;
        }
        self.words > number
    }
}

impl Matches {
    /// The score at a place that has all the words.
    pub fn score(&self, place: u32) -> Option<u16> {
        self.reconciled
            .get(place as usize)
            .filter(|reconcile| reconcile.words == self.wanted)
            .map(|reconcile| reconcile.score)
    }

    pub fn places(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        (0u32..)
            .zip(&self.reconciled)
            .filter(|(_, reconcile)| reconcile.words == self.wanted)
            .map(|(place, reconcile)| (place, reconcile.score))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tokenizer::query_terms, *};

    #[test]
    fn every_word_must_begin_a_word_and_the_best_field_counts() {
        let mut index = InvertedIndex::default();
        index.add(0, [(Field::Name, "Moka pot"), (Field::Description, "A pot for coffee; potter about.")]);
        index.add(1, [(Field::Description, "moka"), (Field::Tag, "potent")]);
        index.add(2, [(Field::Name, "moka")]);
        let found: Vec<_> = index.matches(&query_terms("pot mok"), 3).places().collect();
        assert_eq!(found, [(0, 16), (1, 5)]);
        assert_eq!(index.matches(&query_terms("tea"), 3).places().count(), 0);
    }

    #[test]
    fn products_that_go_are_forgotten_with_their_words() {
        let mut index = InvertedIndex::default();
        index.add(0, [(Field::Name, "kettle")]);
        index.add(1, [(Field::Name, "teapot")]);
        index.renumber(|place| place.checked_sub(1));
        assert_eq!(index.words.keys().map(AsRef::as_ref).collect::<Vec<_>>(), ["teapot"]);
        assert_eq!(index.matches(&query_terms("tea"), 1).score(0), Some(8));
    }
}
