//! Whatever is killed, the shop is whole again, and no order is lost.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{Folder, Shop, eventually, order, run};

/// All that can be killed by name.
async fn parts(shop: &Shop) -> Vec<String> {
    let (_, health) = shop.get("/healthz").await;
    health["parts"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[test]
fn each_part_can_be_killed_while_orders_flow() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &["--chaos"]).await;
        let parts = parts(&shop).await;
        let mut ids = Vec::new();
        for part in &parts {
            for n in 0..5 {
                let key = format!("{part}-{n}");
                ids.push(shop.accepted(&key, &order("rake", 1, "tok_visa")).await);
            }
            let (status, killed) = shop.post(&format!("/chaos/{part}")).await;
            assert_eq!(status, StatusCode::OK, "{part}: {killed}");
            let before = killed["killed"].as_str().unwrap().to_owned();
            eventually("a whole tree", async || {
                let (status, _) = shop.get("/healthz").await;
                let (_, tree) = shop.get("/tree").await;
                let is_new = !tree.as_str()?.contains(&before);
                (status == StatusCode::OK && is_new).then_some(())
            })
            .await;
        }
        for id in ids {
            shop.wait(id, "completed").await;
        }
        let (_, kills) = shop.get("/chaos").await;
        assert_eq!(kills.as_object().unwrap().len(), parts.len());
    });
}

#[test]
fn what_is_no_part_cannot_be_killed() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &["--chaos"]).await;
        for part in ["order_system_sup", "bank", "x"] {
            let (status, error) = shop.post(&format!("/chaos/{part}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND);
            assert!(error["error"].as_str().unwrap().contains("repo"), "{error}");
        }
    });
}

/// As OTP has it: what a fresh start does not cure moves up, and ends the program.
#[test]
fn a_shop_whose_parts_crash_too_often_ends_with_a_reason() {
    run(async {
        let folder = Folder::new();
        let arguments = ["--chaos", "--restart-intensity", "1"];
        let mut shop = Shop::start(&folder, &arguments).await;
        let client = reqwest::Client::new();
        for _ in 0..2 {
            // The second one is its last.
            let _ = client.post(shop.url("/chaos/dispatcher")).send().await;
            eventually("the next dispatcher, or the end", async || {
                match client.get(shop.url("/healthz")).send().await {
                    Ok(answer) => {
                        let health: Value = answer.json().await.ok()?;
                        (health["parts"]["dispatcher"] == "up").then_some(())
                    }
                    Err(_) => Some(()),
                }
            })
            .await;
        }
        assert_eq!(shop.ended().await.code(), Some(1));
        assert!(shop.log().contains("the root ended"), "{}", shop.log());
    });
}
