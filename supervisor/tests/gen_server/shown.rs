//! What a server shows of itself: in the report of an abnormal end, and when it is asked.

use regrow_runtime::{ExitReason, Pid, ReplyTo, exit_with, send};
use regrow_supervisor::sys::{self, FormatStatus};
use regrow_supervisor::{CallError, Next, ServerRef};

use crate::common::*;
use crate::probe::{self, Foreign};
use crate::reports::{Collector, Fields};

/// A server that shows its state and its messages, in a way that the test chooses.
struct Open {
    format: fn(&mut FormatStatus),
    terminate: fn(),
}

#[derive(Debug)]
enum Command {
    Stop(&'static str),
    Exit(ExitReason),
    Panic,
    /// Cannot be shown.
    Unspeakable,
    #[allow(dead_code, reason = "shown only")]
    Ask(ReplyTo<()>),
}

impl GenServer for Open {
    type Args = (fn(&mut FormatStatus), fn());
    type Message = Command;

    async fn init(args: Self::Args, _: &mut super::Context<Self>) -> Result<Self, ExitReason> {
        let (format, terminate) = args;
        Ok(Open { format, terminate })
    }

    async fn handle(&mut self, command: Command, _: &mut super::Context<Self>) -> Next {
        match command {
            Command::Stop(reason) => Next::Stop(ExitReason::error(reason)),
            Command::Exit(reason) => exit_with(reason),
            Command::Panic | Command::Unspeakable | Command::Ask(_) => panic!("handle panics"),
        }
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut super::Context<Self>) {
        (self.terminate)();
    }

    fn format_status(&self, status: &mut FormatStatus) {
        (self.format)(status);
    }

    fn format_message(message: &Command) -> Option<String> {
        match message {
            Command::Unspeakable => panic!("format_message panics"),
            other => Some(format!("{other:?}")),
        }
    }
}

async fn open(format: fn(&mut FormatStatus)) -> ServerRef<Command> {
    Open::start((format, || {})).await.unwrap()
}

/// What is reported when the server ends after this, and the reason that is heard of.
async fn report_of<M: Send + 'static>(
    server: ServerRef<M>,
    work: impl FnOnce(&ServerRef<M>),
) -> (Vec<Fields>, ExitReason) {
    let pid = server.pid().unwrap();
    let end = regrow_runtime::monitor(pid);
    work(&server);
    let reason = regrow_runtime::receive_down(end).await.reason;
    (reports_on(pid), reason)
}

/// What server and process have reported so far. On a busy machine there may also be something
/// about long turns.
fn reports_on(pid: Pid) -> Vec<Fields> {
    let mut reports = Collector::new().with("pid", &pid.to_string());
    reports.retain(|it| it["target"] == "regrow::gen_server" || it["target"] == "regrow::crash");
    reports
}

/// The server's report, of which there must be one, followed by the one of its process.
fn only(reports: &[Fields]) -> &Fields {
    let targets: Vec<&str> = reports.iter().map(|it| &*it["target"]).collect();
    assert_eq!(
        targets,
        ["regrow::gen_server", "regrow::crash"],
        "{reports:?}"
    );
    assert_eq!(reports[0]["level"], "ERROR");
    assert_eq!(reports[0]["message"], "server terminating");
    &reports[0]
}

#[test]
fn an_abnormal_end_is_one_report_with_name_label_last_message_state_and_reason() {
    Collector::new();
    run_with_threads(async {
        let start = Open::start((|status| status.state = "all is open".into(), || {}));
        let server = start.name("reported").label("for the test").await.unwrap();
        let pid = server.pid().unwrap().to_string();
        let (reports, reason) = report_of(server, |it| it.cast(Command::Stop("crashed"))).await;
        assert_eq!(reason.to_string(), "crashed");
        let report = only(&reports);
        assert!(report["server"].ends_with("shown::Open"));
        assert_eq!(report["pid"], pid);
        assert_eq!(report["name"], "reported");
        assert_eq!(report["label"], "for the test");
        assert_eq!(report["last_message"], "Stop(\"crashed\")");
        assert_eq!(report["state"], "all is open");
        assert_eq!(report["reason"], "crashed");

        let server = open(|_| {}).await;
        let (reports, _) = report_of(server, |it| it.cast(Command::Exit(died()))).await;
        assert_eq!(only(&reports)["reason"], "died");
        assert!(only(&reports)["state"].ends_with("shown::Open"));
        assert!(!only(&reports).contains_key("name"));

        let server = open(|_| {}).await;
        let (reports, _) = report_of(server, |it| it.cast(Command::Panic)).await;
        assert_eq!(only(&reports)["last_message"], "Panic");
        assert!(only(&reports)["reason"].ends_with("handle panics"));
    });
}

#[test]
fn what_a_log_has_kept_is_in_the_report_of_an_abnormal_end() {
    Collector::new();
    run_with_threads(async {
        let server = open(|_| {}).await;
        let (reports, _) = report_of(server, |it| it.cast(Command::Panic)).await;
        assert!(!only(&reports).contains_key("log"), "nobody asked for one");

        let server = open(|_| {}).await;
        sys::log(&server, 2).await.unwrap();
        let (reports, _) = report_of(server, |it| it.cast(Command::Stop("crashed"))).await;
        let steps = "in: Stop(\"crashed\"); next: stop: crashed";
        assert_eq!(only(&reports)["log"], steps);

        // It can be rewritten like the other texts.
        let server = open(|status| status.log.truncate(1)).await;
        sys::log(&server, 2).await.unwrap();
        let (reports, _) = report_of(server, |it| it.cast(Command::Stop("crashed"))).await;
        assert_eq!(only(&reports)["log"], "in: Stop(\"crashed\")");
    });
}

#[test]
fn a_normal_like_end_however_it_comes_is_told_to_all_and_not_reported() {
    Collector::new();
    run_with_threads(async {
        let ends = [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::shutdown_with("said"),
        ];
        for reason in ends {
            for by_exit in [false, true] {
                let server = probe::started().await;
                let pid = server.pid().unwrap();
                let raised = reason.clone();
                let call = server.call(|reply: ReplyTo<()>| {
                    probe::act(move |_, _| {
                        let _unanswered = reply;
                        match by_exit {
                            true => exit_with(raised),
                            false => Next::Stop(raised),
                        }
                    })
                });
                assert_eq!(call.await, Err(CallError::Exit(reason.clone())));
                assert_eq!(exited(pid).await, reason);
                let reports = Collector::new().with("pid", &pid.to_string());
                assert!(
                    reports.iter().all(|it| it["level"] != "ERROR"),
                    "{reports:?}"
                );
            }
        }
    });
}

#[test]
fn without_hooks_a_report_says_types() {
    Collector::new();
    run_with_threads(async {
        let server = probe::started().await;
        let (reports, _) = report_of(server, |it| {
            it.cast(probe::act(|_, _| panic!("in handle")));
        })
        .await;
        assert!(only(&reports)["last_message"].ends_with("probe::Do"));
        assert!(only(&reports)["state"].ends_with("probe::Probe"));

        let server = super::start(super::Init::Fine).await;
        let (reports, _) = report_of(server, |it| send(it.pid().unwrap(), Foreign("x"))).await;
        assert!(only(&reports)["last_message"].ends_with("probe::Foreign"));

        let server = probe::started().await;
        let (reports, _) = report_of(server, |it| {
            it.cast(probe::act(|probe, _| {
                probe.continues = vec![("end", Next::Stop(died()))];
                Next::HandleContinue
            }));
        })
        .await;
        assert_eq!(only(&reports)["last_message"], "handle_continue");
    });
}

#[test]
fn the_request_of_a_stop_blames_no_message() {
    Collector::new();
    run_with_threads(async {
        let server = open(|_| {}).await;
        let pid = server.pid().unwrap();
        assert_eq!(server.stop(died(), None).await, Ok(()));
        let reports = reports_on(pid);
        let report = only(&reports);
        assert!(!report.contains_key("last_message"), "{report:?}");
    });
}

#[test]
fn a_panic_in_terminate_is_the_reason_that_is_reported() {
    Collector::new();
    run_with_threads(async {
        let server = Open::start((
            |status| status.state = "formatted".into(),
            || panic!("in terminate"),
        ));
        let server = server.await.unwrap();
        let (reports, reason) = report_of(server, |it| it.cast(Command::Stop("crashed"))).await;
        assert!(reason.to_string().ends_with("in terminate"));
        assert!(only(&reports)["reason"].ends_with("in terminate"));
        assert_eq!(only(&reports)["state"], "formatted");
    });
}

#[test]
fn format_status_may_rewrite_all_texts_and_changes_no_reason() {
    Collector::new();
    run_with_threads(async {
        let hiding = |status: &mut FormatStatus| {
            status.state = "a state".into();
            status.message = None;
            status.reason = status.reason.take().map(|_| "a reason".into());
        };
        let server = open(hiding).await;
        assert_eq!(sys::get_status(&server).await.unwrap().state, "a state");
        let (reports, reason) = report_of(server, |it| it.cast(Command::Stop("secret"))).await;
        assert_eq!(reason.to_string(), "secret");
        let report = only(&reports);
        assert_eq!(report["state"], "a state");
        assert_eq!(report["reason"], "a reason");
        assert!(!report.contains_key("last_message"));
    });
}

#[test]
fn a_panic_in_format_status_gives_a_fixed_text_and_breaks_nothing() {
    Collector::new();
    run_with_threads(async {
        let server = open(|status| {
            status.reason = None;
            panic!("in format_status")
        });
        let server = server.await;
        let status = sys::get_status(&server).await.unwrap();
        assert_eq!(status.state, "format_status panicked");
        let (reports, reason) = report_of(server, |it| it.cast(Command::Stop("crashed"))).await;
        assert_eq!(reason.to_string(), "crashed");
        assert_eq!(only(&reports)["state"], "format_status panicked");
        assert_eq!(only(&reports)["reason"], "crashed");
        assert_eq!(only(&reports)["last_message"], "Stop(\"crashed\")");
    });
}

#[test]
fn a_panic_in_format_message_gives_a_fixed_text_and_the_message_is_handled() {
    Collector::new();
    run_with_threads(async {
        let server = open(|_| {}).await;
        let (reports, reason) = report_of(server, |it| it.cast(Command::Unspeakable)).await;
        assert!(reason.to_string().ends_with("handle panics"), "{reason}");
        assert_eq!(only(&reports)["last_message"], "format_message panicked");
    });
}
