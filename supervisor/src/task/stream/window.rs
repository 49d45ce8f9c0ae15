//! The outcomes of a stream that have come and were not taken: pure.

use std::collections::BTreeMap;

use crate::report::discard;

/// Outcomes by the number of their task, and which of them is next.
#[derive(Debug)]
pub(super) struct Window<T> {
    ordered: bool,
    /// The first number that has not been taken. Only of an ordered window.
    head: u64,
    /// Of an ordered window by the number of the task, else by the order in which they came.
    outcomes: BTreeMap<u64, T>,
    came: u64,
}

impl<T> Drop for Window<T> {
    /// Each for itself: two whose drops panic would abort the program.
    fn drop(&mut self) {
        std::mem::take(&mut self.outcomes)
            .into_values()
            .for_each(discard);
    }
}

impl<T> Window<T> {
    pub(super) fn new(ordered: bool) -> Self {
        Window {
            ordered,
            head: 0,
            outcomes: BTreeMap::new(),
            came: 0,
        }
    }

    /// The outcome of the task with this number; there is one of each.
    pub(super) fn insert(&mut self, number: u64, outcome: T) {
        let key = if self.ordered { number } else { self.came };
        self.came += 1;
        self.outcomes.insert(key, outcome);
    }

    /// The outcome that is next, if it has come.
    pub(super) fn take(&mut self) -> Option<T> {
        if self.ordered {
            let outcome = self.outcomes.remove(&self.head)?;
            self.head += 1;
            return Some(outcome);
        }
        self.outcomes.pop_first().map(|(_, outcome)| outcome)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers in the order in which their tasks end, and how many are taken after each.
    fn ends() -> impl Strategy<Value = Vec<(u64, usize)>> {
        let order = (0..20_u64).collect::<Vec<_>>();
        let takes = prop::collection::vec(0..4_usize, 20);
        (Just(order).prop_shuffle(), takes)
            .prop_map(|(order, takes)| order.into_iter().zip(takes).collect())
    }

    proptest! {
        #[test]
        fn an_ordered_window_gives_each_in_its_order_and_as_soon_as_it_can(ends in ends()) {
            let mut window = Window::new(true);
            let mut come = Vec::new();
            let mut next = 0;
            for (number, takes) in ends {
                window.insert(number, number);
                come.push(number);
                for _ in 0..takes {
                    let expected = come.contains(&next).then_some(next);
                    prop_assert_eq!(window.take(), expected);
                    next += u64::from(expected.is_some());
                }
            }
            while let Some(number) = window.take() {
                prop_assert_eq!(number, next);
                next += 1;
            }
            prop_assert_eq!(next, 20);
        }

        #[test]
        fn an_unordered_window_gives_each_in_the_order_of_the_ends(ends in ends()) {
            let mut window = Window::new(false);
            let mut waiting = std::collections::VecDeque::new();
            for (number, takes) in ends {
                window.insert(number, number);
                waiting.push_back(number);
                for _ in 0..takes {
                    prop_assert_eq!(window.take(), waiting.pop_front());
                }
            }
        }
    }
}
