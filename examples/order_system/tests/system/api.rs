//! What a customer can do.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Folder, Shop, order, run};

#[test]
fn an_order_is_accepted_once_and_completed() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        let id = shop.accepted("a", &order("spade", 2, "tok_visa")).await;
        let (status, again) = shop.order("a", &order("spade", 2, "tok_visa")).await;
        assert_eq!((status, &again["id"]), (StatusCode::OK, &json!(id)));
        let (status, error) = shop.order("a", &order("spade", 3, "tok_visa")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(error["error"].as_str().unwrap().contains("Idempotency-Key"));

        let done = shop.wait(id, "completed").await;
        assert_eq!(done["amount"], 4_998);
        assert_eq!(done["lines"][0]["quantity"], 2);
        assert!(done.get("reason").is_none());
        let (_, products) = shop.get("/products").await;
        let spade = products
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["sku"] == "spade");
        assert_eq!(spade.unwrap()["stock"], 999_998);
    });
}

#[test]
fn orders_without_a_key_are_different_orders() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        let client = reqwest::Client::new();
        let mut ids = Vec::new();
        for _ in 0..2 {
            let post = client.post(shop.url("/orders"));
            let answer = post
                .json(&order("rake", 1, "tok_visa"))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::ACCEPTED);
            let location = answer.headers()["location"].to_str().unwrap().to_owned();
            let (status, shown) = shop.get(&location).await;
            assert_eq!(status, StatusCode::OK);
            ids.push(shown["id"].as_i64().unwrap());
        }
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn an_order_that_cannot_be_filled_or_paid_fails_with_the_reason_and_holds_no_stock() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        let declined = order("orchid", 60, "tok_declined");
        let declined = shop.accepted("declined", &declined).await;
        let failed = shop.wait(declined, "failed").await;
        assert!(failed["reason"].as_str().unwrap().contains("declined"));
        // What it had put aside is there again.
        let good = shop
            .accepted("good", &order("orchid", 60, "tok_visa"))
            .await;
        shop.wait(good, "completed").await;
        let late = shop
            .accepted("late", &order("orchid", 60, "tok_visa"))
            .await;
        let failed = shop.wait(late, "failed").await;
        assert!(
            failed["reason"].as_str().unwrap().contains("40 left"),
            "{failed}"
        );
    });
}

#[test]
fn orders_are_listed_by_pages_and_by_state() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        for n in 0..7 {
            let card = if n % 2 == 0 {
                "tok_visa"
            } else {
                "tok_declined"
            };
            let id = shop.accepted(&n.to_string(), &order("rake", 1, card)).await;
            let end = if n % 2 == 0 { "completed" } else { "failed" };
            shop.wait(id, end).await;
        }
        let (mut path, mut pages) = (Some("/orders?limit=3".to_owned()), Vec::new());
        while let Some(page) = path {
            let (status, page) = shop.get(&page).await;
            assert_eq!(status, StatusCode::OK);
            let orders = page["orders"].as_array().unwrap().clone();
            pages.push(
                orders
                    .iter()
                    .map(|it| it["key"].clone())
                    .collect::<Vec<_>>(),
            );
            path = page["next"].as_str().map(str::to_owned);
        }
        let expected = [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"]];
        assert_eq!(json!(pages), json!(expected));
        let (_, failed) = shop.get("/orders?state=failed&limit=500").await;
        assert_eq!(failed["orders"].as_array().unwrap().len(), 3);
        let (_, none) = shop.get("/orders?after=7").await;
        assert_eq!(none, json!({ "orders": [] }));
    });
}

#[test]
fn the_shop_is_ready_when_every_part_is_there() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        let (status, health) = shop.get("/healthz").await;
        assert_eq!(status, StatusCode::OK, "{health}");
        assert_eq!(health["ready"], true);
        assert_eq!(health["parts"].as_object().unwrap().len(), 9);
    });
}
