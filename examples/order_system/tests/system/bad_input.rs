//! What makes no sense gets an answer that says so, and harms nobody.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Folder, Shop, command, order, run};

#[test]
fn an_order_that_is_none_is_refused_and_nothing_is_accepted() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        let with = |change: fn(&mut Value)| {
            let mut order = order("spade", 1, "tok_visa");
            change(&mut order);
            order.to_string()
        };
        let json = "application/json";
        let large = "x".repeat(70_000);
        let cases: Vec<(&str, String, u16)> = vec![
            (json, "".into(), 400),
            (json, "{".into(), 400),
            (json, "\u{0}\u{1}".into(), 400),
            (json, "[]".into(), 422),
            (json, "{}".into(), 422),
            ("text/plain", with(|_| {}), 415),
            (json, format!("\"{large}\""), 413),
            (json, with(|it| it["customer"] = json!("")), 422),
            (
                json,
                with(|it| it["customer"] = json!("x".repeat(201))),
                422,
            ),
            (json, with(|it| it["card"] = json!("a\u{7}")), 422),
            (json, with(|it| it["colour"] = json!("red")), 422),
            (json, with(|it| it["lines"] = json!([])), 422),
            (json, with(|it| it["lines"][0]["quantity"] = json!(0)), 422),
            (json, with(|it| it["lines"][0]["quantity"] = json!(-1)), 422),
            (
                json,
                with(|it| it["lines"][0]["quantity"] = json!(1.5)),
                422,
            ),
            (
                json,
                with(|it| it["lines"][0]["quantity"] = json!(u64::MAX)),
                422,
            ),
            (json, with(|it| it["lines"][0]["sku"] = json!("moon")), 422),
        ];
        let client = Client::new();
        for (content_type, body, status) in cases {
            let post = client.post(shop.url("/orders"));
            let post = post.header("content-type", content_type).body(body.clone());
            let answer = post.send().await.unwrap();
            let shown = body.get(..80).unwrap_or(&body).to_owned();
            assert_eq!(answer.status().as_u16(), status, "{shown}");
            let error: Value = answer.json().await.unwrap();
            assert!(!error["error"].as_str().unwrap().is_empty(), "{shown}");
        }
        let (_, page) = shop.get("/orders").await;
        assert_eq!(page, json!({ "orders": [] }));
    });
}

#[test]
fn keys_numbers_paths_and_methods_that_make_no_sense_are_refused() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        for key in [&"k".repeat(256), ""] {
            let (status, _) = shop.order(key, &order("spade", 1, "tok_visa")).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{key}");
        }
        for (path, status) in [
            ("/orders/first", 400),
            ("/orders/99999999999999999999", 400),
            ("/orders/-1", 404),
            ("/orders/1", 404),
            ("/orders?limit=0", 400),
            ("/orders?limit=501", 400),
            ("/orders?after=x", 400),
            ("/orders?state=lost", 400),
            ("/orders?colour=red", 400),
            ("/nothing", 404),
            ("/chaos", 404),
            ("/tree", 404),
        ] {
            let (answered, error) = shop.get(path).await;
            assert_eq!(answered.as_u16(), status, "{path}: {error}");
            assert!(error["error"].is_string(), "{path}: {error}");
        }
        for (path, status) in [("/healthz", 405), ("/orders/1", 405), ("/chaos/repo", 404)] {
            let (answered, error) = shop.post(path).await;
            assert_eq!(answered.as_u16(), status, "{path}: {error}");
        }
    });
}

#[test]
fn clients_that_send_garbage_or_vanish_harm_nobody() {
    run(async {
        let folder = Folder::new();
        let shop = Shop::start(&folder, &[]).await;
        for bytes in [
            &b"\x00\xff\x00\xff\r\n\r\n"[..],
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
            &[b'a'; 1_000_000],
        ] {
            let mut stream = TcpStream::connect(shop.address).await.unwrap();
            // It may have had enough before it has got all.
            let _ = stream.write_all(bytes).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{answer}"
            );
        }
        for _ in 0..50 {
            let mut stream = TcpStream::connect(shop.address).await.unwrap();
            let half = "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                        content-length: 500\r\n\r\n{\"customer\": ";
            stream.write_all(half.as_bytes()).await.unwrap();
        }
        let id = shop.accepted("good", &order("spade", 1, "tok_visa")).await;
        shop.wait(id, "completed").await;
        assert!(!shop.log().contains("panic"), "{}", shop.log());
    });
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused_in_one_line() {
    let folder = Folder::new();
    let content = "this is no database, although it is long enough. ".repeat(50);
    std::fs::write(folder.file("orders.db"), &content).unwrap();
    let ended = command(&folder, &[]).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("not a database"), "{said}");
    let after = std::fs::read_to_string(folder.file("orders.db")).unwrap();
    assert_eq!(after, content);
}

#[test]
fn an_address_that_is_taken_is_refused_in_one_line() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = command(&folder, &["--listen", &address]).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("cannot listen"), "{said}");
}

#[test]
fn a_second_shop_on_the_same_database_is_refused_in_one_line() {
    run(async {
        let folder = Folder::new();
        let mut shop = Shop::start(&folder, &[]).await;
        // With books of its own it would let orders be paid twice.
        let books = folder.file("other.db");
        let mut second = command(&folder, &["--bank-database", books.to_str().unwrap()]);
        let ended = second.output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("another shop works on it"), "{said}");
        assert_eq!(shop.stop().await.code(), Some(0));
    });
}
