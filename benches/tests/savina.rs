//! The program `savina` as a user runs it, on a thousandth of the work.

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs, process};

fn savina(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_savina"))
        .args(arguments)
        .output();
    output.expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints UTF-8")
}

#[test]
fn every_workload_is_right_on_every_engine_that_is_here() {
    let path = env::temp_dir().join(format!("savina-test-{}.json", process::id()));
    let file = path.to_str().expect("a path of letters");
    let run = savina(&[
        "--scale",
        "0.001",
        "--rounds",
        "1",
        "--samples",
        "1",
        "--json",
        file,
    ]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let json = fs::read_to_string(&path).expect("it was written");
    fs::remove_file(&path).expect("it is there");
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let mut engines = vec!["regrow", "tokio"];
    match Command::new("erlc").arg("-help").output() {
        Ok(_) => engines.push("beam"),
        Err(_) => assert!(text(&run.stderr).contains("the BEAM is left out")),
    }
    let rows = json["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 14);
    for row in rows {
        for engine in &engines {
            let median = row["median"][engine].as_f64();
            assert!(median.is_some_and(|it| it > 0.0), "{engine}: {row}");
        }
    }
}

#[test]
fn without_erlang_the_beam_is_left_out_and_the_rest_goes_on() {
    let run = Command::new(env!("CARGO_BIN_EXE_savina"))
        .args(["--scale", "0.001", "--rounds", "1", "--only", "ping-pong"])
        .env("PATH", "/nowhere")
        .output()
        .expect("the program starts");
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("the BEAM is left out (erlc: "));
    assert!(text(&run.stdout).contains("| workload | regrow | tokio | tokio / regrow |"));
}

#[test]
fn wrong_arguments_are_named() {
    for (arguments, named) in [
        (&["--only", "pingpong"][..], "pingpong"),
        (&["--engine", "go"], "go"),
        (&["--scale", "0"], "a number above 0"),
        (&["--rounds", "0"], "--rounds"),
        (&["--page", "/not/there.md"], "/not/there.md"),
    ] {
        let run = savina(arguments);
        assert!(!run.status.success(), "{arguments:?}");
        assert!(text(&run.stderr).contains(named), "{}", text(&run.stderr));
    }
}

#[test]
fn a_page_gets_the_table_between_its_markers() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/performance/savina.md");
    let page = env::temp_dir().join(format!("savina-test-{}.md", process::id()));
    fs::copy(book, &page).expect("the page is there");
    let file = page.to_str().expect("a path of letters");
    let quick = ["--scale", "0.001", "--rounds", "1", "--only", "counting"];
    let run = savina(&[&quick[..], &["--engine", "regrow", "--page", file]].concat());
    let written = fs::read_to_string(&page).expect("it is there");
    fs::remove_file(&page).expect("it is there");
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(written.starts_with("# Savina"));
    assert!(written.contains("| counting | "));
    assert!(written.contains(text(&run.stdout)));
}
