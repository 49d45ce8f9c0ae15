use regrow_runtime::{receive, simulate, sleep, try_receive};

use super::*;

fn in_process<F: Future<Output = ()> + Send + 'static>(test: F) {
    simulate(0, test);
}

fn itself(retry: Retry<u8>) -> Retry<u8> {
    retry
}

#[test]
fn of_attempts_with_a_delay_only_the_last_counts_and_only_once() {
    in_process(async {
        let mut retries = Retries::default();
        let second = Duration::from_secs(1);
        retries.after(second, 1, 5, itself);
        sleep(2 * second).await; // it is in the mailbox
        retries.cancel(1);
        retries.after(second, 1, 4, itself);
        assert_eq!(retries.take(receive().await), None);
        let due = receive::<Retry<u8>>().await;
        let again = Retry { ..due };
        let counted = retries.take(due).and_then(|attempt| attempt.counted);
        assert_eq!(counted, Some(4));
        assert_eq!(retries.take(again), None);
    });
}

#[test]
fn an_attempt_without_a_delay_is_made_once_unless_it_was_called_off() {
    in_process(async {
        let mut retries = Retries::default();
        for key in [1, 2, 3] {
            retries.now(key, itself);
        }
        retries.cancel(1);
        retries.now(2, itself); // because of a sibling, say
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.extend(retries.take(receive().await).map(|attempt| attempt.key));
        }
        taken.sort();
        assert_eq!(taken, [2, 3]);
        assert!(retries.due.is_empty());
    });
}

#[test]
fn an_attempt_called_off_in_time_sends_nothing() {
    in_process(async {
        let mut retries = Retries::default();
        let second = Duration::from_secs(1);
        retries.after(second, 1, 5, itself);
        retries.after(second, 2, 4, itself);
        retries.forget(1);
        sleep(2 * second).await;
        let attempt = retries.take(receive().await).unwrap();
        assert_eq!((attempt.key, attempt.counted), (2, Some(4)));
        assert!(try_receive::<Retry<u8>>().is_none());
    });
}

#[test]
fn nothing_is_kept_of_children_without_a_back_off() {
    in_process(async {
        let mut retries = Retries::default();
        retries.started(1, None);
        assert_eq!(retries.delay(1, None), None);
        retries.now(1, itself);
        assert!(retries.take(receive().await).is_some());
        assert!(retries.due.is_empty() && retries.histories.is_empty());
        let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(1));
        retries.started(2, Some(&backoff));
        retries.rename(2, 3);
        assert!(retries.delay(3, Some(&backoff)).is_some());
        retries.forget(3);
        assert!(retries.due.is_empty() && retries.histories.is_empty());
    });
}
