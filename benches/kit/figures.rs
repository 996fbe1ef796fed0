//! Medians, spreads and ratios, and the table that prints them.

use std::time::Duration;

/// The middle figure of an odd number of figures; of an even number the mean of the middle two.
/// NaN without figures.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
    }
}

/// The distances of the smallest and the largest figure from the median, in percent: `−3 % +5 %`.
pub fn spread(figures: &[f64]) -> String {
    let middle = median(figures);
    let part = |figure: f64| (figure / middle - 1.0).abs() * 100.0;
    let (least, most) =
        figures.iter().fold((f64::MAX, f64::MIN), |(least, most), &figure| (least.min(figure), most.max(figure)));
    format!("−{:.0} % +{:.0} %", part(least), part(most))
}

/// The median of the ratios of two contenders, round by round. Only figures that were measured
/// within the same minute are compared.
pub fn ratio(figures: &[f64], baseline: &[f64]) -> f64 {
    let ratios: Vec<_> = figures.iter().zip(baseline).map(|(figure, baseline)| figure / baseline).collect();
    median(&ratios)
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A table in Markdown, ready for `benches/README.md`.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec(), head.map(|_| "---".to_owned()).to_vec()] }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    pub fn print(&self) {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:width$}", width = width(column)));
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        println!();
    }
}
