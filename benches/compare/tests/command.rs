//! The command as its users run it: short runs of the cheapest rows. No figure is looked at but
//! for being there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Scratch {
        let name = format!("regrow-compare-test-{test}-{}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn compare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrow-compare"));
    command.args(arguments);
    command
}

fn run(command: &mut Command) -> (bool, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.success(), text(stdout), text(stderr))
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("the file is written");
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
fn a_run_writes_the_medians_of_each_engine_and_prints_the_table() {
    let scratch = Scratch::new("run");
    let json = scratch.file("run.json");
    let (ok, stdout, stderr) = run(compare(&["--quick", "--rows", "ping-pong,call"])
        .args(["--engines", "regrow,tokio", "--json"])
        .arg(&json));
    assert!(ok, "{stderr}");
    assert!(stdout.contains("| ping-pong, a round trip"), "{stdout}");
    assert!(stdout.contains("- Machine: ") && stdout.contains("- Versions: regrow "));
    // Not a terminal: lines, no bar.
    assert!(stderr.contains("4/4"), "{stderr}");

    let json = read_json(&json);
    let rows = json["rows"].as_array().expect("rows");
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ping-pong", "call"]);
    for row in rows {
        assert_eq!(row["unit"], "ns");
        let medians = row["median"].as_object().expect("medians");
        assert_eq!(medians.keys().collect::<Vec<_>>(), ["regrow", "tokio"]);
        assert!(
            medians
                .values()
                .all(|median| median.as_f64().unwrap() > 0.0)
        );
    }
}

#[test]
#[cfg(feature = "peers")]
fn the_actor_crates_take_part() {
    let scratch = Scratch::new("actors");
    let json = scratch.file("run.json");
    let (ok, _, stderr) = run(compare(&["--quick", "--rows", "call,restart-latency"])
        .args(["--engines", "kameo,ractor,actix", "--json"])
        .arg(&json));
    assert!(ok, "{stderr}");
    let json = read_json(&json);
    for engine in ["kameo", "ractor", "actix"] {
        assert!(json["rows"][0]["median"][engine].is_f64(), "{json}");
    }
    assert!(json["rows"][1]["median"]["kameo"].is_f64());
    assert!(json["rows"][1]["empty"]["actix"].is_string());
}

#[test]
fn the_echo_server_answers_and_ends() {
    let (ok, stdout, stderr) = run(&mut compare(&[
        "--quick",
        "--rows",
        "tcp-echo",
        "--engines",
        "regrow,tokio",
    ]));
    assert!(ok, "{stderr}");
    assert!(stdout.contains("| TCP echo"), "{stdout}");
}

#[test]
fn names_that_nobody_knows_are_told_and_the_rest_is_measured() {
    let (ok, stdout, stderr) = run(&mut compare(&[
        "--quick",
        "--rows",
        "ring,ping-pong",
        "--engines",
        "regrow,erlang",
    ]));
    assert!(ok, "{stderr}");
    for what in ["left out: row ring", "left out: engine erlang"] {
        assert!(stderr.contains(what), "{stderr}");
    }
    assert!(stdout.contains("Left out: row ring") && stdout.contains("| ping-pong"));
}

#[test]
fn peers_that_are_not_installed_are_told_and_the_rest_is_measured() {
    let (ok, stdout, stderr) = run(compare(&["--quick", "--rows", "ping-pong"])
        .args(["--engines", "regrow,beam,go"])
        .env("PATH", "/nonexistent"));
    assert!(ok, "{stderr}");
    assert!(
        stdout.contains("Left out: BEAM: erlc is not installed"),
        "{stdout}"
    );
    assert!(stdout.contains("Left out: Go: go is not installed"));
}

/// A `go` that does what `script` says, in a directory of its own.
fn fake_go(scratch: &Scratch, script: &str) {
    let path = scratch.file("go");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&path, executable).expect("an executable file");
}

#[test]
fn a_peer_that_cannot_be_built_is_told_and_the_rest_is_measured() {
    let scratch = Scratch::new("unbuilt");
    fake_go(&scratch, "echo 'no such luck' >&2; exit 2");
    let (ok, stdout, stderr) = run(compare(&["--quick", "--rows", "ping-pong"])
        .args(["--engines", "regrow,go"])
        .env("PATH", &scratch.0));
    assert!(ok, "{stderr}");
    assert!(
        stdout.contains("Left out: Go: ended with exit status: 2: no such luck"),
        "{stdout}"
    );
    assert!(stdout.contains("| ping-pong"));
}

/// What it builds knows its version and breaks in every row.
#[test]
fn a_peer_that_breaks_leaves_a_reason_and_makes_the_run_fail() {
    let scratch = Scratch::new("broken");
    let program = r#"#!/bin/sh
[ "$1" = version ] && echo 1.0 && exit 0
echo 'out of luck' >&2; exit 3"#;
    fake_go(
        &scratch,
        &format!("cat >\"$3\" <<'END'\n{program}\nEND\nchmod +x \"$3\""),
    );
    let json = scratch.file("run.json");
    let path = format!("{}:/usr/bin:/bin", scratch.0.display());
    let (ok, stdout, stderr) = run(compare(&["--quick", "--rows", "ping-pong"])
        .args(["--engines", "go,regrow", "--json"])
        .arg(&json)
        .env("PATH", path));
    assert!(
        !ok && stderr.contains("not all cells could be measured"),
        "{stderr}"
    );
    assert!(stdout.contains("Go 1.0"), "{stdout}");
    let row = &read_json(&json)["rows"][0];
    assert_eq!(
        row["empty"]["go"],
        "FAILED: ended with exit status: 3: out of luck"
    );
    assert!(row["median"]["regrow"].is_f64());
}

#[test]
fn a_run_of_which_nothing_is_left_fails() {
    let (ok, _, stderr) = run(&mut compare(&["--rows", "ring"]));
    assert!(!ok);
    assert!(stderr.contains("nothing to measure is left"), "{stderr}");
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_measured() {
    let (ok, stdout, stderr) = run(&mut compare(&[
        "--quick",
        "--rows",
        "ping-pong",
        "--json",
        "/nonexistent/run.json",
    ]));
    assert!(!ok && stderr.contains("/nonexistent/run.json"), "{stderr}");
    assert!(stdout.is_empty() && !stderr.contains("round 1"), "{stderr}");
}

/// A child inherits the cores of the thread that starts it.
#[test]
fn on_one_core_rows_that_need_two_are_left_out() {
    let allowed = sched_getaffinity(None).expect("the cores");
    let core = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core));
    let mut one = CpuSet::new();
    one.set(core.expect("a core"));
    sched_setaffinity(None, &one).expect("this thread keeps one core");
    let (ok, stdout, stderr) = run(&mut compare(&[
        "--quick",
        "--rows",
        "ping-pong,canary",
        "--engines",
        "regrow",
    ]));
    assert!(ok, "{stderr}");
    assert!(
        stdout.contains("canary: there is one core only"),
        "{stdout}"
    );
    assert!(stdout.contains("1 worker each") && stdout.contains("| ping-pong"));
    assert!(!stdout.contains("| canary"));
}

#[test]
fn growth_has_three_sizes_of_each_row_that_can_grow() {
    let scratch = Scratch::new("growth");
    let json = scratch.file("run.json");
    let (ok, stdout, stderr) = run(compare(&["--quick", "--growth", "--engines", "regrow"])
        .args(["--rows", "selective-receive", "--json"])
        .arg(&json));
    assert!(ok, "{stderr}");
    assert!(stdout.contains("## Growth"), "{stdout}");
    let json = read_json(&json);
    let growth = &json["growth"][0];
    assert_eq!(growth["sizes"], serde_json::json!([100, 1000, 10_000]));
    let medians = growth["median"].as_array().expect("medians");
    assert!(medians.len() == 3 && medians.iter().all(Value::is_f64));
}

#[test]
fn the_page_and_the_short_table_are_made_of_the_json() {
    let scratch = Scratch::new("page");
    let [json, page, readme] =
        ["run.json", "results.md", "README.md"].map(|name| scratch.file(name));
    let measure = &mut compare(&["--quick", "--rows", "ping-pong", "--engines", "regrow"]);
    assert!(run(measure.arg("--json").arg(&json)).0);
    fs::write(
        &readme,
        "# A\n<!-- regrow-compare: begin -->\n<!-- regrow-compare: end -->\nB\n",
    )
    .expect("a file");
    let write = |check: &[&str]| {
        let mut command = compare(&["page"]);
        command.arg("--from").arg(&json).arg("--page").arg(&page);
        command.arg("--readme").arg(&readme).args(check);
        run(&mut command)
    };

    let (ok, _, stderr) = write(&[]);
    assert!(ok, "{stderr}");
    let text = fs::read_to_string(&page).expect("the page");
    assert!(text.starts_with("# Results") && text.contains("| ping-pong"));
    let text = fs::read_to_string(&readme).expect("the readme");
    assert!(text.starts_with("# A\n") && text.ends_with("\nB\n") && text.contains("| ping-pong"));

    assert!(write(&["--check"]).0, "what was just written is up to date");
    fs::write(&page, "old").expect("a file");
    let (ok, _, stderr) = write(&["--check"]);
    assert!(!ok && stderr.contains("results.md"), "{stderr}");
    assert_eq!(fs::read_to_string(&page).expect("the page"), "old");
}

#[test]
fn a_file_that_is_not_a_runs_json_is_refused() {
    let scratch = Scratch::new("foreign");
    let json = scratch.file("foreign.json");
    fs::write(&json, "{\"rows\": 3}").expect("a file");
    let (ok, _, stderr) = run(compare(&["page", "--from"]).arg(&json));
    assert!(!ok && stderr.contains("not the JSON of a run"), "{stderr}");
    let (ok, _, stderr) = run(&mut compare(&["page", "--from", "/nonexistent.json"]));
    assert!(!ok && stderr.contains("/nonexistent.json"), "{stderr}");
}
