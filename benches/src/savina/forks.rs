//! The forks on the philosophers' table.

/// Which of them are taken.
#[derive(Debug)]
pub(super) struct Forks(Vec<bool>);

impl Forks {
    pub(super) fn new(count: usize) -> Forks {
        Forks(vec![false; count])
    }

    /// Both forks of that philosopher, or none.
    pub(super) fn take(&mut self, index: usize) -> bool {
        let both = self.both(index);
        let free = both.iter().all(|&fork| !self.0[fork]);
        if free {
            for fork in both {
                self.0[fork] = true;
            }
        }
        free
    }

    pub(super) fn put_back(&mut self, index: usize) {
        for fork in self.both(index) {
            assert!(self.0[fork], "a fork that nobody had");
            self.0[fork] = false;
        }
    }

    fn both(&self, index: usize) -> [usize; 2] {
        [index, (index + 1) % self.0.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_cannot_eat_at_the_same_time() {
        let mut forks = Forks::new(5);
        assert!(forks.take(0));
        assert!(!forks.take(1));
        assert!(!forks.take(4));
        assert!(forks.take(2));
        forks.put_back(0);
        assert!(!forks.take(1), "half of its forks");
        assert!(forks.take(4));
    }
}
