//! The program ends, is ended, and goes on where it was.

use std::sync::atomic::Ordering;

use reqwest::StatusCode;

use crate::support::{Bank, Folder, Shop, eventually, nobody, order, run};

#[test]
fn sigterm_ends_it_with_code_0_and_a_second_start_knows_the_orders() {
    run(async {
        let folder = Folder::new();
        let mut shop = Shop::start(&folder, &[]).await;
        let id = shop.accepted("a", &order("spade", 1, "tok_visa")).await;
        shop.wait(id, "completed").await;
        assert_eq!(shop.stop().await.code(), Some(0));
        let shop = Shop::start(&folder, &[]).await;
        let (status, again) = shop.order("a", &order("spade", 1, "tok_visa")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            (again["id"].as_i64(), &again["state"]),
            (Some(id), &"completed".into())
        );
    });
}

#[test]
fn sigterm_waits_for_orders_that_are_worked_on() {
    run(async {
        let folder = Folder::new();
        let bank = Bank::open(&folder).await;
        bank.deaf.store(true, Ordering::SeqCst);
        let mut shop = Shop::start(&folder, &["--bank", &bank.url]).await;
        let id = shop.accepted("a", &order("spade", 1, "tok_visa")).await;
        shop.wait(id, "charging").await;
        shop.terminate();
        eventually("closing", async || {
            shop.log().contains("closing").then_some(())
        })
        .await;
        bank.deaf.store(false, Ordering::SeqCst);
        assert_eq!(shop.ended().await.code(), Some(0));
        let shop = Shop::start(&folder, &["--bank", &bank.url, "--chaos"]).await;
        let (_, order) = shop.get(&format!("/orders/{id}")).await;
        assert_eq!(order["state"], "completed", "it was not waited for");
    });
}

#[test]
fn sigterm_does_not_wait_for_ever_and_the_next_start_goes_on() {
    run(async {
        let folder = Folder::new();
        let arguments = ["--bank", &nobody(), "--drain", "0.2"];
        let mut shop = Shop::start(&folder, &arguments).await;
        let id = shop.accepted("a", &order("spade", 1, "tok_visa")).await;
        shop.wait(id, "charging").await;
        assert_eq!(shop.stop().await.code(), Some(0));
        let bank = Bank::open(&folder).await;
        let shop = Shop::start(&folder, &["--bank", &bank.url]).await;
        shop.wait(id, "completed").await;
        assert_eq!(bank.money(id), (1, 2_499));
    });
}

/// The worst moment: the bank has the money, and nobody here has heard of it.
#[test]
fn a_kill_between_the_money_and_its_receipt_does_not_charge_twice() {
    run(async {
        let folder = Folder::new();
        let bank = Bank::open(&folder).await;
        bank.deaf.store(true, Ordering::SeqCst);
        let shop = Shop::start(&folder, &["--bank", &bank.url]).await;
        let id = shop.accepted("a", &order("spade", 1, "tok_visa")).await;
        eventually("the money", async || {
            (bank.money(id) == (1, 2_499)).then_some(())
        })
        .await;
        shop.kill();
        bank.deaf.store(false, Ordering::SeqCst);
        let shop = Shop::start(&folder, &["--bank", &bank.url]).await;
        shop.wait(id, "completed").await;
        assert_eq!(bank.money(id), (1, 2_499));
    });
}

#[test]
fn an_order_whose_bank_does_not_answer_fails_and_its_money_is_given_back() {
    run(async {
        let folder = Folder::new();
        let bank = Bank::open(&folder).await;
        bank.deaf.store(true, Ordering::SeqCst);
        let arguments = ["--bank", &bank.url, "--payment-patience", "0.2"];
        let shop = Shop::start(&folder, &arguments).await;
        let id = shop.accepted("a", &order("orchid", 100, "tok_visa")).await;
        // It has taken the money, and the order may not fail before that is given back.
        shop.wait(id, "voiding").await;
        bank.deaf.store(false, Ordering::SeqCst);
        let failed = shop.wait(id, "failed").await;
        let reason = failed["reason"].as_str().unwrap();
        assert!(reason.contains("payment was not possible"), "{reason}");
        assert_eq!(bank.money(id), (1, 0));
        let next = shop.accepted("b", &order("orchid", 100, "tok_visa")).await;
        shop.wait(next, "completed").await;
    });
}

#[test]
fn each_customer_is_told_how_the_order_ended_also_after_a_kill() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &["--bank", &nobody()]).await;
        let id = shop.accepted("a", &order("spade", 1, "tok_visa")).await;
        shop.wait(id, "charging").await;
        shop.kill();
        let shop = Shop::start(&folder, &[]).await;
        shop.wait(id, "completed").await;
        let line = format!("order::notification: completed id={id}");
        eventually("the notification", async || {
            shop.log().contains(&line).then_some(())
        })
        .await;
    });
}
