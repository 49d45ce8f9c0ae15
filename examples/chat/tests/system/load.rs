//! The load program, at a size that fits every machine. The full size is run by hand; its
//! documentation has the command.

use std::process::Command;

fn load(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_chat-load"))
        .args(arguments)
        .args(["--server", env!("CARGO_BIN_EXE_chat")])
        .output()
        .expect("the load program runs");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{said}{complained}");
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn a_hundred_connections_in_twenty_rooms_hear_everything_once_and_in_order() {
    load(&[
        "--connections",
        "100",
        "--rooms",
        "20",
        "--messages",
        "20",
        "--pace",
        "100",
    ]);
}

#[test]
fn forty_crashes_under_load_lose_no_connection_and_no_acknowledged_message() {
    let size = [
        "--connections",
        "100",
        "--rooms",
        "20",
        "--messages",
        "20",
        "--pace",
        "100",
    ];
    load(&[&size[..], &["--crashes", "40"]].concat());
}
