use regrow_runtime::{receive, simulate, sleep, try_receive};

use super::*;

fn in_process<F: Future<Output = ()> + Send + 'static>(test: F) {
    simulate(0, test);
}

fn itself(retry: Retry<u8>) -> Retry<u8> {
    retry
}

#[test]
fn only_the_last_message_of_a_child_counts_and_only_once() {
    in_process(async {
        let mut retries = Retries::default();
        retries.now(1, itself);
        retries.now(2, itself);
        retries.cancel(1);
        retries.now(1, itself);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(retries.take(receive().await).map(|attempt| attempt.key));
        }
        assert_eq!(taken, [None, Some(2), Some(1)]);
        let again = Retry { key: 1, ticket: 3 };
        assert_eq!(retries.take(again), None);
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
