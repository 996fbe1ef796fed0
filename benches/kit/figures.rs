//! Medians, and the table that they are printed in.

use std::time::Duration;

/// The middle one of an odd number, the mean of the middle two of an even one.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
    }
}

/// How far the smallest and the largest lie from the median: `−3 % +5 %`.
pub fn spread(figures: &[f64]) -> String {
    let middle = median(figures);
    let part = |figure: f64| (figure / middle - 1.0).abs() * 100.0;
    let (least, most) =
        figures.iter().fold((f64::MAX, f64::MIN), |(least, most), &figure| (least.min(figure), most.max(figure)));
    format!("−{:.0} % +{:.0} %", part(least), part(most))
}

/// Of two contenders, round by round: what was measured in the same minute is compared, and the median of that is told.
pub fn ratio(figures: &[f64], baseline: &[f64]) -> f64 {
    let ratios: Vec<_> = figures.iter().zip(baseline).map(|(figure, baseline)| figure / baseline).collect();
    median(&ratios)
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A table in Markdown, as it can stand in the README.
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
