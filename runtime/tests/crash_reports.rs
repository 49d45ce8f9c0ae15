//! Crash reports: one for each end that deserves it, with what people need to know.

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, PoisonError};

use common::run;
use regrow_runtime::{
    Down, ExitReason, Pid, SpawnOptions, catch_panic, exit, link, process_info, receive, register,
    self_pid, send, set_label, spawn, spawn_monitor, trap_exit, yield_now,
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

type Fields = BTreeMap<&'static str, String>;

static REPORTS: Mutex<Vec<Fields>> = Mutex::new(Vec::new());

struct Collector;

struct Reader<'a>(&'a mut Fields);

impl tracing::field::Visit for Reader<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "regrow::crash" {
            return;
        }
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
        reports.push(fields);
    }
}

/// Collects from now on the reports of the whole test program.
fn listen() {
    static INSTALLED: LazyLock<()> = LazyLock::new(|| {
        let subscriber = tracing_subscriber::registry().with(Collector);
        tracing::subscriber::set_global_default(subscriber).expect("the only one");
    });
    LazyLock::force(&INSTALLED);
}

/// The reports about a process.
fn reports_of(pid: Pid) -> Vec<Fields> {
    let reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let of_pid = |report: &&Fields| report.get("pid") == Some(&pid.to_string());
    reports.iter().filter(of_pid).cloned().collect()
}

async fn down_of(pid: Pid) -> ExitReason {
    let down = receive::<Down>().matching(move |down| down.pid == pid);
    down.await.reason
}

#[test]
fn a_crash_report_says_all_that_is_known_of_the_process() {
    listen();
    run(1, async {
        let me = self_pid();
        register("mother", me).unwrap();
        trap_exit(true);
        let neighbour = spawn(pending::<()>());
        let options = SpawnOptions::new().proc_lib().link().monitor();
        let body = async move {
            receive::<u8>().await;
            link(neighbour);
            set_label("number three");
            panic!("nothing there");
        };
        let place = line!() + 1;
        let child = options.name("crasher").spawn(body).unwrap().pid;
        send(child, "left behind");
        send(child, "and this");
        send(child, 1_u8);
        down_of(child).await;
        let reports = reports_of(child);
        assert_eq!(reports.len(), 1);
        let report = &reports[0];
        assert_eq!(report["name"], "crasher");
        assert_eq!(report["label"], "number three");
        assert_eq!(report["parent"], me.to_string());
        assert_eq!(report["ancestors"], "[mother]");
        let file = file!();
        assert!(report["spawned_at"].starts_with(&format!("{file}:{place}:")));
        assert_eq!(report["panicked_at"], format!("{file}:{}", place - 3));
        assert!(report["reason"].ends_with("nothing there"));
        assert_eq!(report["message_queue_len"], "2");
        let links = [
            format!("[{me}, {neighbour}]"),
            format!("[{neighbour}, {me}]"),
        ];
        assert!(links.contains(&report["links"]));
        assert_eq!(report["message"], "process crashed");
    });
}

#[test]
fn what_is_unknown_is_not_in_the_report() {
    listen();
    run(1, async {
        let (child, _) = spawn_monitor(async { Err::<(), _>(ExitReason::error("plain")) });
        down_of(child).await;
        let reports = reports_of(child);
        assert_eq!(reports.len(), 1);
        for field in ["name", "label", "ancestors", "panicked_at"] {
            assert!(!reports[0].contains_key(field), "{field}");
        }
        assert_eq!(reports[0]["links"], "[]");
    });
}

/// How many reports there are of an end of each kind of process.
async fn count<F>(plain: F, proc_lib: F) -> [usize; 2]
where
    F: Future<Output = ExitReason> + Send + 'static,
{
    let options = SpawnOptions::new().monitor();
    let plain = options.clone().spawn(plain).unwrap().pid;
    let proc_lib = options.proc_lib().spawn(proc_lib).unwrap().pid;
    down_of(plain).await;
    down_of(proc_lib).await;
    [reports_of(plain).len(), reports_of(proc_lib).len()]
}

#[test]
fn plain_processes_report_their_errors_and_proc_lib_all_that_is_not_normal() {
    listen();
    async fn returns(reason: ExitReason) -> ExitReason {
        reason
    }
    async fn exits(reason: ExitReason) -> ExitReason {
        exit(self_pid(), reason);
        pending().await
    }
    async fn panics() -> ExitReason {
        panic!("reported")
    }
    let error = || ExitReason::error("reported");
    run(2, async move {
        for reason in [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::shutdown_with("for a reason"),
        ] {
            let [a, b, c, d] = std::array::from_fn(|_| reason.clone());
            assert_eq!(count(returns(a), returns(b)).await, [0, 0], "{reason}");
            assert_eq!(count(exits(c), exits(d)).await, [0, 0], "{reason}");
        }
        assert_eq!(count(returns(error()), returns(error())).await, [1, 1]);
        assert_eq!(count(exits(error()), exits(error())).await, [0, 1]);
        let gone = || returns(ExitReason::NoProc);
        assert_eq!(count(gone(), gone()).await, [0, 1]);
        assert_eq!(count(panics(), panics()).await, [1, 1]);
        let killed = || exits(ExitReason::Kill);
        assert_eq!(count(killed(), killed()).await, [0, 0]);
    });
}

#[test]
fn who_dies_by_a_signal_has_nothing_to_report() {
    listen();
    run(2, async {
        for proc_lib in [false, true] {
            let mut options = SpawnOptions::new().monitor();
            if proc_lib {
                options = options.proc_lib();
            }
            let signalled = options.clone().spawn(pending::<()>()).unwrap().pid;
            exit(signalled, ExitReason::error("from outside"));
            let linked = options.spawn(async {
                let crashes = spawn(async {
                    yield_now().await;
                    panic!("of another")
                });
                link(crashes);
                pending::<()>().await;
            });
            let linked = linked.unwrap().pid;
            assert!(matches!(down_of(linked).await, ExitReason::Panic(_)));
            assert_eq!(down_of(signalled).await, ExitReason::error("from outside"));
            assert_eq!(reports_of(linked), []);
            assert_eq!(reports_of(signalled), []);
        }
    });
}

#[test]
fn a_panic_that_is_caught_is_no_crash() {
    listen();
    run(1, async {
        let (child, _) = spawn_monitor(async {
            assert!(catch_panic(async { panic!("caught") }).await.is_err());
        });
        down_of(child).await;
        assert_eq!(reports_of(child), []);
    });
}

#[test]
fn ancestors_reach_back_to_the_first_process_by_name_or_pid() {
    /// Each is the parent of the next; the last one tells the first what it knows.
    fn descend(depth: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            if depth == 3 {
                register("third", self_pid()).unwrap();
            }
            if depth > 0 {
                let options = SpawnOptions::new().proc_lib().link();
                options.spawn(descend(depth - 1)).unwrap();
                return pending().await;
            }
            let info = process_info(self_pid()).await.unwrap();
            let shown: Vec<String> = info.ancestors.iter().map(|it| it.to_string()).collect();
            let pids: Vec<Pid> = info.ancestors.iter().map(|it| it.pid).collect();
            assert_eq!(info.parent, Some(pids[0]));
            assert_eq!(shown[2], "third");
            assert_eq!(shown[1], pids[1].to_string());
            send(pids[4], pids);
        })
    }
    run(2, async {
        let options = SpawnOptions::new().proc_lib();
        let first = options.spawn(descend(4)).unwrap().pid;
        let pids = receive::<Vec<Pid>>().await;
        assert_eq!(pids.len(), 5);
        assert_eq!(pids[4], self_pid());
        assert_eq!(pids[3], first);
    });
}

#[test]
fn siblings_share_their_ancestors_and_a_late_name_is_seen() {
    run(1, async {
        let options = SpawnOptions::new().proc_lib();
        let ancestor = async |options: SpawnOptions| {
            let child = options.spawn(pending::<()>()).unwrap().pid;
            process_info(child).await.unwrap().ancestors[0].to_string()
        };
        assert_eq!(ancestor(options.clone()).await, self_pid().to_string());
        register("late", self_pid()).unwrap();
        assert_eq!(ancestor(options.clone()).await, "late");
        assert_eq!(ancestor(options).await, "late");
        let plain = spawn(pending::<()>());
        let plain = process_info(plain).await.unwrap();
        assert_eq!(plain.parent, Some(self_pid()));
        assert_eq!(plain.ancestors, []);
    });
}
