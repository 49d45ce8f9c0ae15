use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};

use regrow_runtime::{
    ExitReason, Pid, exit, process_info, receive, self_pid, spawn_link, yield_now,
};
use regrow_supervisor::{
    Child, ChildSpec, Context as ServerContext, DynamicSupervisor, GenServer, Next, Restart,
    Shutdown, Strategy, Supervisor,
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::common::*;

pub(crate) type Fields = BTreeMap<&'static str, String>;

/// Collects the reports of the whole test program.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<Vec<Fields>>>);

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
        let target = event.metadata().target();
        if !target.starts_with("regrow::") {
            return;
        }
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        fields.insert("target", target.to_owned());
        fields.insert("level", event.metadata().level().to_string());
        self.0.lock().unwrap().push(fields);
    }
}

impl Collector {
    /// Collects from the first call on; the same for all tests.
    pub(crate) fn new() -> Self {
        static COLLECTOR: LazyLock<Collector> = LazyLock::new(|| {
            let collector = Collector::default();
            let subscriber = tracing_subscriber::registry().with(collector.clone());
            tracing::subscriber::set_global_default(subscriber).expect("the only one");
            collector
        });
        COLLECTOR.clone()
    }

    /// The reports of this supervisor, in their order.
    fn of(&self, supervisor: &str) -> Vec<Fields> {
        self.with("supervisor", supervisor)
    }

    /// The reports in which a field has this value.
    pub(crate) fn with(&self, field: &str, value: &str) -> Vec<Fields> {
        let all = self.0.lock().unwrap();
        let has = |fields: &&Fields| fields.get(field).is_some_and(|it| it == value);
        all.iter().filter(has).cloned().collect()
    }
}

fn kinds<'a>(reports: &'a [Fields]) -> Vec<(&'a str, &'a str)> {
    let kind = |fields: &'a Fields| (&*fields["report"], &*fields["level"]);
    reports.iter().map(kind).collect()
}

/// An error that cannot even be shown.
struct Unspeakable;

impl fmt::Debug for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Debug")
    }
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Display")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn a_reason_that_cannot_be_shown_ends_only_whose_reason_it_is() {
    let collector = Collector::new();
    run_with_threads(async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .name("speechless")
            .intensity(3, secs(3600))
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, ExitReason::error(Unspeakable));
        end(started("one").await, died());
        started("one").await;
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
        // Neither what no server expects nor the reason of its own end is its end.
        let server = Quiet::start(()).await.unwrap();
        let pid = server.pid().unwrap();
        let reference = regrow_runtime::monitor(pid);
        exit(pid, ExitReason::error(Unspeakable));
        server.cast(());
        let reason = regrow_runtime::receive_down(reference).await.reason;
        assert!(matches!(reason, ExitReason::Error(_)));
    });
    let reports = collector.of("speechless");
    // Of the first end there is no more than that it could not be told.
    let told: Vec<&str> = kinds(&reports).into_iter().map(|it| it.0).collect();
    let wanted = ["progress", "progress", "child_terminated", "progress"];
    assert_eq!(told[..4], wanted);
    assert!(!collector.with("message", "a report panicked").is_empty());
}

#[test]
fn every_retry_of_a_child_counts_also_one_that_a_crash_of_its_sibling_has_overtaken() {
    let collector = Collector::new();
    run_with_threads(async {
        // Dead, and the supervisor told, when the start function returns.
        let stillborn = || async {
            let pid = spawn_link(async { died() });
            down(pid).await;
            while linked_to(pid).await {
                yield_now().await;
            }
            Ok::<_, ExitReason>(pid)
        };
        let fails = Switch::default();
        let late = {
            let fails = fails.clone();
            move || {
                let first = !fails.is_on();
                fails.set(true);
                async move {
                    match first {
                        true => Ok(spawn_trapping(receive::<()>())),
                        false => Err(died()),
                    }
                }
            }
        };
        let sup = supervisor(Strategy::OneForAll)
            .name("overtaken")
            .child(ChildSpec::new("first", stillborn))
            .child(ChildSpec::new("second", late).shutdown(Shutdown::BrutalKill))
            .start_link()
            .await
            .unwrap();
        // It may have ended, but not before it was there.
        let _ = supervisor_exited(&sup).await;
    });
    let reports = collector.of("overtaken");
    let errors = reports.iter().filter(|fields| fields["level"] == "ERROR");
    let told: Vec<_> = errors
        .map(|fields| (&*fields["report"], &*fields["id"]))
        .collect();
    let expected = [
        ("child_terminated", "first"),
        ("start_error", "second"),
        ("child_terminated", "first"),
        ("start_error", "second"),
        // Its first retry, which was sent before the third end of the first child was known.
        ("shutdown", "second"),
    ];
    assert_eq!(told[..5], expected);
}

async fn linked_to(pid: Pid) -> bool {
    let info = process_info(self_pid()).await;
    info.is_some_and(|info| info.links.contains(&pid))
}

/// Ends with a reason that cannot be shown.
struct Quiet;

impl GenServer for Quiet {
    type Args = ();
    type Message = ();

    async fn init(_: (), _: &mut ServerContext<Self>) -> Result<Self, ExitReason> {
        regrow_runtime::trap_exit(true);
        Ok(Quiet)
    }

    async fn handle(&mut self, _: (), _: &mut ServerContext<Self>) -> Next {
        Next::Stop(ExitReason::error(Unspeakable))
    }
}

#[test]
fn reports_have_stable_names_and_tell_the_restart_budget() {
    let collector = Collector::new();

    run_with_threads(async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .name("crashing")
            .intensity(1, secs(3600))
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        end(started("one").await, died());
        end(started("one").await, died());
        supervisor_exited(&sup).await;
    });
    let reports = collector.of("crashing");
    assert_eq!(
        kinds(&reports),
        [
            ("progress", "INFO"),
            ("child_terminated", "ERROR"),
            ("progress", "INFO"),
            ("child_terminated", "ERROR"),
            ("shutdown", "ERROR"),
        ]
    );
    let crash = &reports[1];
    assert_eq!(crash["id"], "one");
    assert_eq!(crash["reason"], "died");
    assert_eq!(crash["restart"], "permanent");
    assert_eq!(crash["shutdown"], "5s");
    assert_eq!(crash["child_type"], "worker");
    assert_eq!(crash["significant"], "false");
    assert_eq!(crash["restarts_left"], "0");
    assert!(crash["pid"].starts_with('<'));
    assert_eq!(reports[2]["restarts_left"], "0");
    assert_eq!(reports[4]["reason"], "reached maximum restart intensity");

    run_with_threads(async {
        let fails = Switch::default();
        let sup = Supervisor::new(Strategy::OneForOne)
            .name("failing")
            .intensity(2, secs(3600))
            .child(failing_worker("one", &fails))
            .start_link()
            .await
            .unwrap();
        fails.set(true);
        end(started("one").await, died());
        supervisor_exited(&sup).await;
    });
    let reports = collector.of("failing");
    assert_eq!(
        kinds(&reports)[1..],
        [
            ("child_terminated", "ERROR"),
            ("start_error", "ERROR"),
            ("start_error", "ERROR"),
            ("shutdown", "ERROR"),
        ]
    );
    assert_eq!(reports[2]["restarts_left"], "1");
    assert_eq!(reports[3]["restarts_left"], "0");

    run_with_threads(async {
        let sup = Supervisor::new(Strategy::OneForOne)
            .name("quiet")
            .child(worker("obedient"))
            .start_link()
            .await
            .unwrap();
        sup.start_child(worker("temporary").restart(Restart::Temporary))
            .await
            .unwrap();
        end(started("temporary").await, ExitReason::Normal);
        counts_become(&sup, [1, 1, 0, 1]).await;
        let deaf = ChildSpec::new("deaf", || async {
            Ok::<_, ExitReason>(spawn_trapping(receive::<()>()))
        });
        let deaf = deaf.shutdown(Shutdown::Timeout(millis(20)));
        sup.start_child(deaf).await.unwrap();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        supervisor_exited(&sup).await;
    });
    let reports = collector.of("quiet");
    assert_eq!(
        kinds(&reports),
        [
            ("progress", "INFO"),
            ("progress", "DEBUG"),
            ("progress", "DEBUG"),
            ("shutdown_error", "ERROR"),
            ("stopped", "DEBUG"),
        ]
    );
    assert_eq!(reports[3]["reason"], "killed");
    assert_eq!(reports[4]["reason"], "shutdown");

    run_with_threads(async {
        let sup = Supervisor::new(Strategy::OneForAll)
            .name("both")
            .child(worker("one"))
            .child(worker("two"))
            .start_link()
            .await
            .unwrap();
        let pids = [started("one").await, started("two").await];
        // Both are dead before the supervisor looks: this start function runs in it.
        let killer = ChildSpec::new("killer", move || async move {
            for pid in pids {
                exit(pid, ExitReason::Kill);
                down(pid).await;
            }
            Ok::<_, ExitReason>(Child::ignored())
        });
        let killer = killer.restart(Restart::Temporary);
        sup.start_child(killer).await.unwrap_err();
        starts(2).await;
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        supervisor_exited(&sup).await;
    });
    let reports = collector.of("both");
    let of_two: Vec<&Fields> = reports
        .iter()
        .filter(|fields| fields["id"] == "two")
        .collect();
    let errors: Vec<&&Fields> = of_two.iter().filter(|f| f["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["report"], "shutdown_error");
    assert_eq!(errors[0]["reason"], "killed"); // as its link says; the monitor came too late

    run_with_threads(async {
        let sup = DynamicSupervisor::new()
            .name("dynamic")
            .intensity(0, secs(3600))
            .start_link()
            .await
            .unwrap();
        let mut pids = Vec::new();
        for _ in 0..2 {
            pids.push(sup.start_child(worker("one")).await.unwrap());
        }
        let killer = ChildSpec::new("killer", move || {
            let pids = pids.clone();
            async move {
                for pid in pids {
                    exit(pid, ExitReason::Kill);
                    down(pid).await;
                }
                Ok::<_, ExitReason>(Child::ignored())
            }
        });
        let _ = sup.start_child(killer).await;
        exited(sup.pid().unwrap()).await;
    });
    let reports = collector.of("dynamic");
    assert_eq!(
        kinds(&reports),
        [
            ("child_terminated", "ERROR"),
            ("shutdown", "ERROR"),
            ("shutdown_error", "ERROR"),
        ]
    );
    assert_eq!(reports[2]["reason"], "killed");
}

#[test]
fn children_stopped_together_that_fail_alike_are_one_report() {
    let collector = Collector::new();
    run_with_threads(async {
        let sup = DynamicSupervisor::new()
            .name("grouping")
            .start_link()
            .await
            .unwrap();
        let deaf = || {
            let start = || async { Ok::<_, ExitReason>(spawn_trapping(receive::<()>())) };
            ChildSpec::new("deaf", start).shutdown(Shutdown::Timeout(millis(20)))
        };
        for _ in 0..3 {
            sup.start_child(deaf()).await.unwrap();
            sup.start_child(worker("obedient")).await.unwrap();
        }
        let broken = || {
            let start = || async {
                Ok::<_, ExitReason>(spawn_trapping(async {
                    receive::<regrow_runtime::Exit>().await;
                    died()
                }))
            };
            ChildSpec::new("broken", start)
        };
        for _ in 0..2 {
            sup.start_child(broken()).await.unwrap();
        }
        sup.start_child(broken().shutdown(Shutdown::Infinity))
            .await
            .unwrap();
        exit(sup.pid().unwrap(), ExitReason::Shutdown);
        exited(sup.pid().unwrap()).await;
    });
    let reports = collector.of("grouping");
    let stopped = reports
        .iter()
        .filter(|fields| fields["report"] == "stopped");
    assert_eq!(stopped.count(), 3);
    let errors = reports.iter().filter(|fields| fields["level"] == "ERROR");
    let mut errors: Vec<[&str; 5]> = errors
        .map(|f| ["report", "id", "reason", "shutdown", "nb_children"].map(|name| &*f[name]))
        .collect();
    errors.sort();
    assert_eq!(
        errors,
        [
            ["shutdown_error", "broken", "died", "5s", "2"],
            ["shutdown_error", "broken", "died", "infinity", "1"],
            ["shutdown_error", "deaf", "killed", "20ms", "3"],
        ]
    );
}

#[test]
fn very_many_children_and_no_intensity_of_its_own_are_one_warning() {
    let collector = Collector::new();
    run_with_threads(async {
        let idle = || async { Ok::<_, ExitReason>(spawn_link(receive::<()>())) };
        let spec = |n: usize| ChildSpec::new(format!("idle {n}"), idle);
        let start = |name: &'static str, choose: bool, restart: Restart| async move {
            let crowd = DynamicSupervisor::new().name(name);
            let crowd = match choose {
                true => crowd.intensity(100, secs(5)),
                false => crowd,
            };
            let crowd = crowd.start_link().await.unwrap();
            for n in 0..1_100 {
                crowd.start_child(spec(n).restart(restart)).await.unwrap();
            }
        };
        start("crowd", false, Restart::Transient).await;
        start("chosen", true, Restart::Permanent).await;
        start("passing", false, Restart::Temporary).await;
        let specs = |from: usize| (from..1_000).map(spec);
        let fixed = supervisor_with_defaults("fixed").children(specs(0));
        fixed.start_link().await.unwrap();
        let few = supervisor_with_defaults("few").children(specs(1));
        few.start_link().await.unwrap();
    });
    let warning = |name: &str| {
        let mut reports = collector.of(name);
        reports.retain(|it| it["report"] == "default_intensity");
        reports
    };
    for (name, restarts) in [("crowd", "3"), ("fixed", "1")] {
        let [warning] = warning(name).try_into().unwrap();
        assert_eq!(warning["level"], "WARN");
        assert_eq!(warning["nb_children"], "1000");
        let limits = (&*warning["intensity"], &*warning["period"]);
        assert_eq!(limits, (restarts, "5s"));
    }
    for name in ["chosen", "passing", "few"] {
        assert!(warning(name).is_empty(), "{name}");
    }
}

fn supervisor_with_defaults(name: &'static str) -> Supervisor {
    Supervisor::new(Strategy::OneForOne).name(name)
}
