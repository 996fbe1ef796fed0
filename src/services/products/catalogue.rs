//! The products on sale in memory, sorted and indexed, so that a search reads from disk only the
//! products that it shows.
//!
//! The catalogue is built at launch. The store updates it with every change; the records stay the
//! truth. Each order is a sorted list of places (indices into `items`). A search walks the list
//! from the position where the last page ended, so that a late page costs no more than the first.

use super::{
    inverted_index::{Field, InvertedIndex, Matches},
    messages::{Category, Product, Sort},
    rules::CategoryName,
    search::{CatalogueQuery, Position, Rank, SearchPage, cut_page},
    tokenizer,
};
use crate::types::{ProductId, Slug};
use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

#[derive(Default)]
pub struct Catalogue {
    /// By place. A removed product keeps its place until [`Catalogue::tidy_up`].
    pub(super) items: Vec<CatalogueItem>,
    places: HashMap<ProductId, u32>,
    index: InvertedIndex,
    orders: [Vec<u32>; By::ALL.len()],
    sections: Vec<Section>,
}

/// The fields of a product that searches use.
pub(super) struct CatalogueItem {
    id: ProductId,
    /// Folded, for sorting.
    name: Box<str>,
    price: i64,
    /// Milliseconds since the Unix epoch.
    created_at: i64,
    section: u32,
    featured: bool,
    on_sale: bool,
    stock: StockBit,
}

/// A category, and how many of its products are on sale.
struct Section {
    slug: Slug,
    name: CategoryName,
    products: u32,
}

/// Whether a product is in stock, and the revision of the product that says so. An older revision
/// that arrives later changes nothing.
struct StockBit(AtomicU64);

impl StockBit {
    fn new(revision: u64, in_stock: bool) -> Self {
        Self(AtomicU64::new(revision << 1 | u64::from(in_stock)))
    }

    fn set(&self, revision: u64, in_stock: bool) {
        self.0.fetch_max(revision << 1 | u64::from(in_stock), Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Relaxed) & 1 == 1
    }
}

/// The keys of the sorted lists. Equal keys are sorted by id.
#[derive(Clone, Copy)]
enum By {
    Name,
    Price,
    Age,
}

impl By {
    const ALL: [Self; 3] = [Self::Name, Self::Price, Self::Age];
}

impl Catalogue {
    /// At most `limit` products after the position `after`.
    pub fn find(&self, query: &CatalogueQuery, after: Option<&Position>, limit: usize) -> SearchPage {
        let section = query.category.as_ref().map(|slug| self.section(slug));
        let passes = |item: &CatalogueItem| {
            item.on_sale
                && section.is_none_or(|section| section == Some(item.section))
                && (query.min_price..=query.max_price).contains(&item.price)
                && (!query.in_stock || item.stock.get())
                && (!query.featured || item.featured)
        };
        let matches = (!query.terms.is_empty()).then(|| self.index.matches(&query.terms, self.items.len()));
        let has_words = |place| matches.as_ref().is_none_or(|matches| matches.score(place).is_some());
        let passing = |place: &u32| has_words(*place) && passes(self.item(*place));
        match (query.sort, &matches) {
            (Sort::Relevance, Some(matches)) => self.best(matches, passes, after, limit),
            (Sort::Price, _) => self.walk(By::Price, false, passing, after, limit),
            (Sort::PriceDescending, _) => self.walk(By::Price, true, passing, after, limit),
            (Sort::Newest, _) => self.walk(By::Age, true, passing, after, limit),
            (Sort::Name | Sort::Relevance, _) => self.walk(By::Name, false, passing, after, limit),
        }
    }

    /// Walks along a sorted list. A descending order is the same list backwards, ids included.
    fn walk(
        &self,
        by: By,
        descending: bool,
        passing: impl Fn(&u32) -> bool,
        after: Option<&Position>,
        limit: usize,
    ) -> SearchPage {
        let order = &self.orders[by as usize];
        let before = |than: Ordering| {
            let begins = |after| order.partition_point(|place| self.item(*place).against(by, after) <= than);
            after.map(begins)
        };
        let places: Vec<u32> = if descending {
            let rest = &order[..before(Ordering::Less).unwrap_or(order.len())];
            rest.iter().rev().copied().filter(&passing).take(limit + 1).collect()
        } else {
            let rest = &order[before(Ordering::Equal).unwrap_or(0)..];
            rest.iter().copied().filter(&passing).take(limit + 1).collect()
        };
        let position = |place: u32| Position(self.item(place).rank(by), self.item(place).id);
        cut_page(places, limit, |place| self.item(*place).id, |place| position(*place))
    }

    /// The best matches; equal scores are sorted by id, oldest first.
    fn best(
        &self,
        matches: &Matches,
        passes: impl Fn(&CatalogueItem) -> bool,
        after: Option<&Position>,
        limit: usize,
    ) -> SearchPage {
        let after = after.and_then(|Position(rank, id)| match rank {
            Rank::Number(score) => Some((Reverse(*score), *id)),
            Rank::Name(_) => None,
        });
        let on_sale = matches.places().filter(|(place, _)| passes(self.item(*place)));
        let ranked = on_sale.map(|(place, score)| (Reverse(i64::from(score)), self.item(place).id));
        // A heap with the worst match on top, which the next better match replaces.
        let mut best = BinaryHeap::with_capacity(limit + 1);
        for ranked in ranked.filter(|ranked| after.is_none_or(|after| *ranked > after)) {
            if best.len() <= limit {
                best.push(ranked);
            } else if let Some(mut worst) = best.peek_mut()
                && ranked < *worst
            {
                *worst = ranked;
            }
        }
        let found = best.into_sorted_vec();
        cut_page(found, limit, |(_, id)| *id, |(Reverse(score), id)| Position(Rank::Number(*score), *id))
    }

    /// The categories that have products on sale, by name.
    pub fn categories(&self) -> Vec<Category> {
        let used = self.sections.iter().filter(|section| section.products > 0);
        let mut categories: Vec<Category> = used
            .map(|section| Category {
                slug: section.slug.clone(),
                name: section.name.clone(),
                product_count: section.products,
            })
            .collect();
        categories.sort_by_cached_key(|category| (tokenizer::fold(&category.name), category.slug.clone()));
        categories
    }

    /// Adds or replaces a product that is on sale. `category` is the name of its category.
    pub fn put(&mut self, product: &Product, category: &CategoryName, revision: u64) {
        self.remove(product.id);
        let place = self.append(product, category, revision);
        for by in By::ALL {
            let at = self.orders[by as usize].partition_point(|other| self.compare(by, *other, place).is_lt());
            self.orders[by as usize].insert(at, place);
        }
    }

    /// Adds many new products at once.
    pub fn fill<E>(
        &mut self,
        products: impl Iterator<Item = Result<(Product, CategoryName, u64), E>>,
    ) -> Result<(), E> {
        for product in products {
            let (product, category, revision) = product?;
            let place = self.append(&product, &category, revision);
            self.orders.iter_mut().for_each(|order| order.push(place));
        }
        for by in By::ALL {
            let mut order = std::mem::take(&mut self.orders[by as usize]);
            order.sort_unstable_by(|a, b| self.compare(by, *a, *b));
            self.orders[by as usize] = order;
        }
        Ok(())
    }

    pub fn remove(&mut self, id: ProductId) {
        let Some(place) = self.places.remove(&id) else { return };
        for by in By::ALL {
            let at = self.orders[by as usize].partition_point(|other| self.compare(by, *other, place).is_lt());
            self.orders[by as usize].remove(at);
        }
        let item = &mut self.items[place as usize];
        item.on_sale = false;
        self.sections[item.section as usize].products -= 1;
        // When a quarter of the places is empty: this bounds the memory, and costs little per
        // change.
        let empty = self.items.len() - self.places.len();
        if empty > 256 && empty > self.items.len() / 4 {
            self.tidy_up();
        }
    }

    /// Needs only a read lock, because no product moves.
    pub fn set_in_stock(&self, id: ProductId, revision: u64, in_stock: bool) {
        if let Some(place) = self.places.get(&id) {
            self.item(*place).stock.set(revision, in_stock);
        }
    }

    fn append(&mut self, product: &Product, category: &CategoryName, revision: u64) -> u32 {
        let place = self.items.len() as u32;
        let section = self.section(&product.category).unwrap_or_else(|| {
            self.sections.push(Section { slug: product.category.clone(), name: category.clone(), products: 0 });
            self.sections.len() as u32 - 1
        });
        self.sections[section as usize].products += 1;
        let tags = product.tags.iter().map(|tag| (Field::Tag, tag.as_str()));
        let texts = [
            (Field::Name, product.name.as_str()),
            (Field::Category, category.as_str()),
            (Field::Category, product.category.as_str()),
            (Field::Description, product.description.as_str()),
        ];
        self.index.add(place, texts.into_iter().chain(tags));
        self.items.push(CatalogueItem {
            id: product.id,
            name: tokenizer::fold(&product.name).into_boxed_str(),
            price: product.price.amount(),
            created_at: product.created_at.as_millisecond(),
            section,
            featured: product.featured,
            on_sale: true,
            stock: StockBit::new(revision, product.stock.available > 0),
        });
        self.places.insert(product.id, place);
        place
    }

    /// Closes the gaps that removed products left.
    pub(super) fn tidy_up(&mut self) {
        let mut next = 0u32..;
        let moved: Vec<Option<u32>> =
            self.items.iter().map(|item| if item.on_sale { next.next() } else { None }).collect();
        let new = |old: u32| moved[old as usize];
        self.items.retain(|item| item.on_sale);
        self.index.renumber(new);
        for place in self.orders.iter_mut().flatten().chain(self.places.values_mut()) {
            *place = new(*place).unwrap_or(*place);
        }
    }

    fn item(&self, place: u32) -> &CatalogueItem {
        &self.items[place as usize]
    }

    fn section(&self, slug: &Slug) -> Option<u32> {
        self.sections.iter().position(|section| section.slug == *slug).map(|at| at as u32)
    }

    fn compare(&self, by: By, a: u32, b: u32) -> Ordering {
        let (a, b) = (self.item(a), self.item(b));
        let order = match by {
            By::Name => a.name.cmp(&b.name),
            By::Price => a.price.cmp(&b.price),
            By::Age => a.created_at.cmp(&b.created_at),
        };
        order.then_with(|| a.id.cmp(&b.id))
    }
}

impl CatalogueItem {
    fn rank(&self, by: By) -> Rank {
        match by {
            By::Name => Rank::Name(self.name.clone()),
            By::Price => Rank::Number(self.price),
            By::Age => Rank::Number(self.created_at),
        }
    }

    fn against(&self, by: By, Position(rank, id): &Position) -> Ordering {
        let order = match (by, rank) {
            (By::Name, Rank::Name(name)) => self.name.cmp(name),
            (By::Price, Rank::Number(price)) => self.price.cmp(price),
            (By::Age, Rank::Number(millis)) => self.created_at.cmp(millis),
            // No list of the catalogue gives out such a cursor.
            _ => Ordering::Greater,
        };
        order.then_with(|| self.id.cmp(id))
    }
}
