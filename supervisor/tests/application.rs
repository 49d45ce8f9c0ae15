//! An application owns its OS process, so each test runs one in a child process: this test
//! program again, told by a variable which application to be.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use regrow_runtime::{
    Exit, ExitReason, Pid, exit, receive, self_pid, send_after, spawn, spawn_link, trap_exit,
};
use regrow_supervisor::{
    Application, Applications, ChildSpec, Context, GenServer, Next, Shutdown, Strategy, Supervisor,
    print_tree,
};

use crate::common::{millis, spawn_trapping};

const WHICH: &str = "REGROW_TEST_APPLICATION";

/// A server that says on stdout when it is told to end.
struct Talker(&'static str);

impl GenServer for Talker {
    type Args = &'static str;
    type Message = ();

    async fn init(id: &'static str, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        trap_exit(true);
        Ok(Talker(id))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Next {
        Next::Stop(ExitReason::error("told to"))
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        println!("{} ends: {reason}", self.0);
    }
}

fn talkers() -> Supervisor {
    Supervisor::new(Strategy::OneForOne)
        .name("root")
        .child(ChildSpec::new("one", || Talker::start_link("one")))
        .child(ChildSpec::new("two", || Talker::start_link("two")))
}

fn deaf() -> ChildSpec {
    let start = || async { Ok::<_, ExitReason>(spawn_trapping(receive::<()>())) };
    ChildSpec::new("deaf", start).shutdown(Shutdown::Infinity)
}

fn application(which: &str) -> ExitCode {
    let say = |text: &'static str| move |_: Pid| async move { println!("{text}") };
    let application = Application::new("demo")
        .workers(2)
        .prep_stop(say("prep_stop"));
    match which {
        "orderly" => application
            .root(|| talkers().start_link())
            .started(|root| async move {
                println!("{}", print_tree(root).await.unwrap());
                println!("started");
            }),
        "stuck" => application
            .root(|| talkers().child(deaf()).start_link())
            .started(say("started")),
        "crashing" => application
            .root(|| talkers().intensity(0, millis(1)).start_link())
            .started(|root| async move {
                let tree = print_tree(root).await.unwrap();
                let one = tree.children[0].state.pid().unwrap();
                send_after(millis(1), one, ());
            }),
        "not_starting" => application.root(|| async {
            let bad = || async { Err::<Pid, _>(ExitReason::error("no disk")) };
            talkers()
                .child(ChildSpec::new("bad", bad))
                .start_link()
                .await
        }),
        "panicking_hook" => application
            .root(|| talkers().start_link())
            .started(|_| async { panic!("hook panics") }),
        "own_end" => application
            .root(|| async { Ok::<_, ExitReason>(spawn_link(async {})) })
            .started(|root| async move { exit(root, ExitReason::Normal) }),
        "bad_end" => application
            .root(|| async {
                Ok::<_, ExitReason>(spawn_trapping(async {
                    receive::<Exit>().await;
                    Err::<(), _>(ExitReason::error("dropped something"))
                }))
            })
            .started(say("started")),
        "rootless" => application,
        "shut_down_from_outside_the_tree" => {
            application
                .root(|| talkers().start_link())
                .started(|_| async {
                    spawn(async { Applications::current().shut_down().await.unwrap() });
                })
        }
        "shut_down_from_inside" => application.root(|| {
            let quits = || async {
                Ok::<_, ExitReason>(spawn_link(async {
                    Applications::current().begin_shut_down();
                    receive::<()>().await
                }))
            };
            talkers().child(ChildSpec::new("quits", quits)).start_link()
        }),
        "shut_down_in_a_hook" => application
            .root(|| talkers().start_link())
            .started(|_| async {
                Applications::current().begin_shut_down();
                println!("the hook goes on");
            }),
        "shut_down_and_broken" => application
            .root(|| async {
                Ok::<_, ExitReason>(spawn_trapping(async {
                    receive::<Exit>().await;
                    Err::<(), _>(ExitReason::error("dropped something"))
                }))
            })
            .started(|_| async { Applications::current().begin_shut_down() }),
        other => panic!("no application `{other}`: {}", self_pid()),
    }
    .run()
}

/// Not a test of its own: what the child processes run.
#[test]
fn child_process() {
    let Ok(which) = std::env::var(WHICH) else {
        return;
    };
    let code = application(&which);
    // Not returned from `main`, so compared: `ExitCode` tells nothing about itself.
    let success = format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS);
    std::process::exit(if success { 0 } else { 7 });
}

fn start(which: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "application::child_process", "--nocapture"])
        .env(WHICH, which)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child process")
}

struct Ended {
    code: Option<i32>,
    stdout: Vec<String>,
    stderr: String,
}

/// Waits for the end; `signals` are sent, one after the other, at these lines of output.
fn run(which: &str, signals: &[(&str, &str)]) -> Ended {
    let mut child = start(which);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut signals = signals.iter();
    let mut next = signals.next();
    let mut stdout = Vec::new();
    for line in lines {
        let line = line.expect("text");
        if let Some((at, signal)) = next
            && line.ends_with(at)
        {
            let kill = Command::new("kill")
                .arg(signal)
                .arg(child.id().to_string())
                .status();
            assert!(kill.expect("kill").success());
            next = signals.next();
        }
        stdout.push(line);
    }
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().expect("piped");
    pipe.read_to_string(&mut stderr).expect("text");
    let code = child.wait().expect("an end").code();
    Ended {
        code,
        stdout,
        stderr,
    }
}

impl Ended {
    /// Where the line that ends so is.
    fn at(&self, text: &str) -> usize {
        let line = self.stdout.iter().position(|line| line.ends_with(text));
        line.unwrap_or_else(|| panic!("no line `{text}` in {:?}", self.stdout))
    }
}

#[test]
fn sigterm_and_sigint_stop_the_tree_in_order_and_exit_with_success() {
    for signal in ["-TERM", "-INT"] {
        let ended = run("orderly", &[("started", signal)]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stderr, "");
        assert!(ended.at("(supervisor, one_for_one)") < ended.at("started"));
        assert!(ended.at("started") < ended.at("prep_stop"));
        assert!(ended.at("prep_stop") < ended.at("two ends: shutdown"));
        assert!(ended.at("two ends: shutdown") < ended.at("one ends: shutdown"));
    }
}

#[test]
fn a_program_that_shuts_itself_down_stops_in_order_and_exits_with_success() {
    for which in [
        "shut_down_from_outside_the_tree",
        "shut_down_from_inside",
        "shut_down_in_a_hook",
    ] {
        let ended = run(which, &[]);
        assert_eq!(ended.code, Some(0), "{which}: {}", ended.stderr);
        assert_eq!(ended.stderr, "", "{which}");
        assert!(ended.at("prep_stop") < ended.at("two ends: shutdown"));
        assert!(ended.at("two ends: shutdown") < ended.at("one ends: shutdown"));
    }
}

#[test]
fn a_program_that_shuts_itself_down_fails_if_a_root_breaks() {
    let ended = run("shut_down_and_broken", &[]);
    assert_eq!(ended.code, Some(7));
    assert_eq!(ended.stderr, "demo: the root ended: dropped something\n");
}

#[test]
fn a_signal_to_a_program_that_shuts_itself_down_changes_nothing() {
    let ended = run("shut_down_in_a_hook", &[("the hook goes on", "-TERM")]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_second_signal_during_the_shutdown_ends_at_once() {
    let mut child = start("stuck");
    let stdout = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines();
    assert!(lines.any(|line| line.expect("text").ends_with("started")));
    // The first stops the tree, which hangs; those that follow at once count as
    // the same one; one after half a second is the second.
    let began = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        let kill = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        thread::yield_now();
    }
    assert!(began.elapsed() >= Duration::from_millis(500));
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().expect("piped");
    pipe.read_to_string(&mut stderr).expect("text");
    assert_eq!(child.wait().expect("an end").code(), Some(1));
    assert_eq!(stderr, "demo: second signal, ending at once\n");
}

#[test]
fn a_root_that_gives_up_is_a_failure() {
    let ended = run("crashing", &[]);
    assert_eq!(ended.code, Some(7));
    assert_eq!(ended.stderr, "demo: the root ended: shutdown\n");
    assert!(ended.at("two ends: shutdown") < ended.at("prep_stop"));
}

#[test]
fn a_root_that_ends_by_itself_is_a_failure_even_if_normal() {
    let ended = run("own_end", &[]);
    assert_eq!(ended.code, Some(7));
    assert!(
        ended.stderr.starts_with("demo: the root ended: "),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_root_that_breaks_while_it_is_stopped_is_a_failure() {
    let ended = run("bad_end", &[("started", "-TERM")]);
    assert_eq!(ended.code, Some(7));
    assert_eq!(ended.stderr, "demo: the root ended: dropped something\n");
}

#[test]
fn a_root_that_does_not_start_is_a_failure_with_its_reason() {
    let ended = run("not_starting", &[]);
    assert_eq!(ended.code, Some(7));
    let expected = "demo: the root did not start: \
                    shutdown: failed to start child `bad`: no disk\n";
    assert_eq!(ended.stderr, expected);
    assert!(ended.at("two ends: shutdown") < ended.at("one ends: shutdown"));
}

#[test]
fn a_panicking_hook_stops_the_tree_and_is_a_failure() {
    let ended = run("panicking_hook", &[]);
    assert_eq!(ended.code, Some(7));
    assert!(ended.stderr.contains("hook panics"), "{}", ended.stderr);
    assert!(ended.at("two ends: shutdown") < ended.at("one ends: shutdown"));
}

#[test]
fn an_application_without_a_root_is_a_failure() {
    let ended = run("rootless", &[]);
    assert_eq!(ended.code, Some(7));
    assert_eq!(ended.stderr, "demo: there is no root to run\n");
}
