//! A parent of very many children pays for those that live, and not for those that
//! have lived.
//!
//! By default they are a few thousand; a million takes some seconds:
//!
//! ```text
//! REGROW_CHILDREN=1000000 cargo test --release -p regrow-runtime --test many_children
//! ```

mod common;

use common::run;
use regrow_runtime::{
    Exit, ExitReason, process_info, receive, receive_any, self_pid, send, spawn_link, trap_exit,
};

fn children() -> usize {
    let wanted = std::env::var("REGROW_CHILDREN");
    wanted.map_or(20_000, |wanted| wanted.parse().expect("a number"))
}

#[test]
fn the_links_to_children_that_have_ended_normally_are_gone() {
    run(2, async {
        let me = self_pid();
        for traps in [false, true] {
            trap_exit(traps);
            let count = children();
            let mut pids = Vec::new();
            for _ in 0..count {
                pids.push(spawn_link(async move {
                    receive::<()>().await;
                    send(me, 'x');
                }));
            }
            let links = process_info(me).await.expect("it lives").links;
            assert_eq!(links.len(), count);
            for pid in pids {
                send(pid, ());
            }
            // Whatever comes: to look for one kind would be to pass all the others.
            for _ in 0..if traps { 2 * count } else { count } {
                let message = receive_any().await;
                if let Ok(exit) = message.downcast::<Exit>() {
                    assert_eq!(exit.reason, ExitReason::Normal);
                }
            }
            // Their last words come before their ends.
            while !process_info(me).await.expect("it lives").links.is_empty() {}
        }
    });
}
