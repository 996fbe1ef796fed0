//! What the shop counts, read as Prometheus reads it.

use super::harness::Shop;

/// The sum of all series of that name, as it is now.
pub fn counter(shop: &Shop, name: &str) -> f64 {
    let text = shop.anonymous().get("/metrics").ok().text;
    let samples = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    samples.map(|line| line.rsplit(' ').next().and_then(|it| it.parse::<f64>().ok()).expect("a number")).sum()
}
