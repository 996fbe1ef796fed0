//! What holds, counted; what does not, one by one.

use super::Equation;
use std::collections::BTreeMap;

/// Counts what holds, keeps what does not.
#[derive(Debug, Default)]
pub struct Reconciliation {
    held: BTreeMap<&'static str, usize>,
    pub broken: Vec<Equation>,
}

impl Reconciliation {
    pub fn add(&mut self, other: Self) {
        for (name, count) in other.held {
            *self.held.entry(name).or_default() += count;
        }
        self.broken.extend(other.broken);
    }

    pub fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        name: &'static str,
        subject: impl std::fmt::Display,
        left: T,
        right: T,
    ) {
        *self.held.entry(name).or_default() += usize::from(left == right);
        if left != right {
            let (left, right) = (format!("{left:?}"), format!("{right:?}"));
            self.broken.push(Equation { name, subject: subject.to_string(), left, right, holds: false });
        }
    }

    /// What is broken first, one by one; then a line for all subjects for which an equation holds.
    pub fn told(self) -> Vec<Equation> {
        let summed = self.held.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| {
            let (left, right) = (count.to_string(), count.to_string());
            Equation { name, subject: "all others".into(), left, right, holds: true }
        });
        self.broken.into_iter().chain(summed).collect()
    }
}
