//! Reads a counter of the shop from `GET /metrics`, as Prometheus does.

use super::harness::Shop;

/// The present sum of all series of the metric `name`.
pub fn counter(shop: &Shop, name: &str) -> f64 {
    let text = shop.anonymous().get("/metrics").ok().text;
    let samples = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    samples.map(|line| line.rsplit(' ').next().and_then(|it| it.parse::<f64>().ok()).expect("a number")).sum()
}
