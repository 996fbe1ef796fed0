//! The result of comparing: a count of the equations that hold, and each equation that does not.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `left = right`, about a subject. An equation that holds for many subjects appears once: both
/// sides are then the number of subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Equation {
    pub name: &'static str,
    pub subject: String,
    pub left: String,
    pub right: String,
    pub holds: bool,
}

/// Counts the equations that hold; keeps those that do not.
#[derive(Debug, Default)]
pub struct Reconciliation {
    held: BTreeMap<&'static str, usize>,
    pub broken: Vec<Equation>,
}

impl Reconciliation {
    /// Adds the results of another comparison.
    pub fn add(&mut self, other: Self) {
        for (name, count) in other.held {
            *self.held.entry(name).or_default() += count;
        }
        self.broken.extend(other.broken);
    }

    /// Compares the two sides of one equation about one subject.
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

    /// First each broken equation; then one line for each equation that holds, for all its
    /// subjects.
    pub fn into_equations(self) -> Vec<Equation> {
        let summed = self.held.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| {
            let (left, right) = (count.to_string(), count.to_string());
            Equation { name, subject: "all others".into(), left, right, holds: true }
        });
        self.broken.into_iter().chain(summed).collect()
    }
}
