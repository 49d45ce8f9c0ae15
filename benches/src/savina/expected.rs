//! What each workload must give, found in the plain way: one loop, no actors.

use super::concurrent_dictionary::WRITES;
use super::numbers::{checksum, numbers};
use super::random::Random;
use super::transactions::{INITIAL_BALANCE, transactions};
use super::{Size, Workload};

pub(super) fn expected(workload: Workload, size: Size) -> u64 {
    let Size { actors, count, .. } = size;
    match workload {
        Workload::PingPong | Workload::SleepingBarber => (1..=count).sum(),
        Workload::Counting => count,
        Workload::ForkJoinCreate => (0..count).sum(),
        Workload::ForkJoinThroughput => actors * (0..count).sum::<u64>(),
        // The first token too.
        Workload::ThreadRing => count + 1,
        // Each meeting has two sides.
        Workload::Chameneos => 2 * count,
        Workload::Big | Workload::Philosophers => actors * count,
        Workload::ProducerConsumer => (0..actors * count).sum(),
        Workload::ConcurrentDictionary => requests(size),
        Workload::BankTransaction => balances(size),
        Workload::Sieve => primes(count).sum(),
        Workload::Quicksort => {
            let mut sorted = numbers(count);
            sorted.sort_unstable();
            checksum(&sorted)
        }
    }
}

/// All requests, the one before the clock starts included, and the keys that are written.
fn requests(size: Size) -> u64 {
    let worker = |index| {
        let mut random = Random::new(index);
        let request = |_| match (random.below(100), random.below(size.room)) {
            (draw, key) if draw < WRITES => 1 + key,
            _ => 1,
        };
        (0..size.count).map(request).sum::<u64>()
    };
    1 + (0..size.actors).map(worker).sum::<u64>()
}

fn balances(size: Size) -> u64 {
    let mut balances = vec![INITIAL_BALANCE; size.actors as usize];
    for it in transactions(size) {
        balances[it.from] -= it.amount;
        balances[it.to] += it.amount;
    }
    (1..)
        .zip(balances)
        .map(|(weight, balance): (u64, u64)| weight * balance)
        .sum()
}

/// Those below `limit`.
fn primes(limit: u64) -> impl Iterator<Item = u64> {
    let mut composite = vec![false; limit as usize];
    (2..limit).filter(move |&number| {
        let prime = !composite[number as usize];
        if prime {
            for multiple in (number * number..limit).step_by(number as usize) {
                composite[multiple as usize] = true;
            }
        }
        prime
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primes_below_100_add_up_to_1060() {
        assert_eq!(primes(100).count(), 25);
        assert_eq!(primes(100).sum::<u64>(), 1060);
    }

    #[test]
    fn transactions_keep_the_money_in_the_bank_and_go_upwards() {
        let size = Workload::BankTransaction.size();
        assert!(transactions(size).all(|it| it.from < it.to && it.to < size.actors as usize));
        assert_eq!(transactions(size).count() as u64, size.count);
    }
}
