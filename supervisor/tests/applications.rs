//! Several applications: what one needs, in which order they start and stop, and what the end of
//! one comes to.

use std::sync::Arc;

use regrow_runtime::{
    Exit, ExitReason, Pid, exit, is_alive, monitor, process_info, receive, receive_down, self_pid,
    send, spawn, spawn_link,
};
use regrow_supervisor::{
    Application, ApplicationEnded, Applications, CallError, ChildSpec, Context, GenServer, Next,
    StartApplicationError, StartType, StopApplicationError, Strategy, Supervisor,
};

use crate::common::{assert_none, died, down, exited, millis, run, run_with, watch};

/// What an application tells the test.
#[derive(Debug, PartialEq)]
enum Told {
    PrepStop { of: &'static str, alive: bool },
    RootEnds(&'static str),
    Stopped(&'static str),
}

/// A root that tells when it ends, and ends as it is told to.
struct Root(&'static str, Pid);

impl GenServer for Root {
    type Args = (&'static str, Pid);
    type Message = ExitReason;

    async fn init((name, test): Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        regrow_runtime::trap_exit(true);
        Ok(Root(name, test))
    }

    async fn handle(&mut self, reason: ExitReason, _: &mut Context<Self>) -> Next {
        Next::Stop(reason)
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        send(self.1, Told::RootEnds(self.0));
    }
}

/// An application that tells the calling process everything.
fn telling(name: &'static str) -> Application {
    let test = self_pid();
    Application::new(name)
        .root(move || Root::start_link((name, test)))
        .prep_stop(move |root| async move {
            let alive = is_alive(root).await;
            send(test, Told::PrepStop { of: name, alive });
        })
        .stopped(move || async move { send(test, Told::Stopped(name)) })
}

fn failing(name: &str) -> Application {
    Application::new(name).root(|| async { Err::<Pid, _>(died()) })
}

async fn controller() -> Applications {
    Applications::start_link().await.expect("no other")
}

async fn root_of(applications: &Applications, name: &str) -> Pid {
    let running = applications.which_applications().await.expect("an answer");
    let found = running.into_iter().find(|it| &*it.name == name);
    found.expect("it runs").root
}

async fn names(applications: &Applications) -> Vec<Arc<str>> {
    let running = applications.which_applications().await.expect("an answer");
    running.into_iter().map(|it| it.name).collect()
}

/// What the test is told when an application is stopped by request.
async fn expect_orderly_stop(name: &'static str) {
    let (of, alive) = (name, true);
    assert_eq!(receive::<Told>().await, Told::PrepStop { of, alive });
    assert_eq!(receive::<Told>().await, Told::RootEnds(name));
    assert_eq!(receive::<Told>().await, Told::Stopped(name));
}

/// What it is told when the root has ended by itself.
async fn expect_own_end(name: &'static str) {
    let (of, alive) = (name, false);
    assert_eq!(receive::<Told>().await, Told::RootEnds(name));
    assert_eq!(receive::<Told>().await, Told::PrepStop { of, alive });
    assert_eq!(receive::<Told>().await, Told::Stopped(name));
}

/// Which application a controller's reason says has ended, and why.
fn ended(reason: &ExitReason) -> (Arc<str>, ExitReason) {
    let ExitReason::Error(error) = reason else {
        panic!("not an application's end: {reason}")
    };
    let ended = error.downcast_ref::<ApplicationEnded>();
    let ended = ended.expect("an application's end");
    (ended.name.clone(), ended.reason.clone())
}

#[test]
fn what_an_application_needs_must_run_before() {
    run(|| async {
        let applications = controller().await;
        let shop = || telling("shop").depends_on("repo");
        let (name, dependency) = ("shop".into(), "repo".into());
        assert_eq!(
            applications.start(shop()).await,
            Err(StartApplicationError::NotStarted { name, dependency })
        );
        applications.start(telling("repo")).await.unwrap();
        applications.start(shop()).await.unwrap();
        assert_eq!(names(&applications).await, ["shop".into(), "repo".into()]);
    });
}

#[test]
fn a_running_application_cannot_be_started_again_and_a_stopped_one_can() {
    run(|| async {
        let applications = controller().await;
        applications.start(telling("repo")).await.unwrap();
        let name = "repo".into();
        assert_eq!(
            applications.start(telling("repo")).await,
            Err(StartApplicationError::AlreadyStarted { name })
        );
        applications.stop("repo").await.unwrap();
        expect_orderly_stop("repo").await;
        applications.start(telling("repo")).await.unwrap();
        assert_none::<Told>().await;
    });
}

#[test]
fn a_start_error_carries_the_reason_unchanged_however_deep() {
    run(|| async {
        let applications = controller().await;
        assert_eq!(
            applications.start(failing("bad")).await,
            Err(StartApplicationError::Failed(died()))
        );
        // As in OTP, the reason of a supervisor's start names the child.
        let child = || async { Err::<Pid, _>(died()) };
        let tree = Application::new("tree").root(move || {
            let supervisor = Supervisor::new(Strategy::OneForOne);
            supervisor
                .child(ChildSpec::new("child", child))
                .start_link()
        });
        let Err(StartApplicationError::Failed(reason)) = applications.start(tree).await else {
            panic!("it started")
        };
        assert_eq!(
            reason.to_string(),
            "shutdown: failed to start child `child`: died"
        );
        let panicking = Application::new("panicking")
            .root(|| async { None::<Pid>.ok_or_else(|| -> ExitReason { panic!("a root") }) });
        let refused = applications.start(panicking).await.unwrap_err();
        assert!(refused.to_string().contains("a root"), "{refused}");
        assert!(names(&applications).await.is_empty());
    });
}

#[test]
fn an_application_without_a_root_does_not_start() {
    run(|| async {
        use regrow_supervisor::Child;
        let applications = controller().await;
        let rootless = Application::new("rootless");
        let ignoring =
            Application::new("ignoring").root(|| async { Ok::<_, ExitReason>(Child::ignored()) });
        for application in [rootless, ignoring] {
            assert_eq!(
                applications.start(application).await,
                Err(StartApplicationError::NoRoot)
            );
        }
    });
}

#[test]
fn a_panic_in_started_stops_the_tree_and_the_application_has_not_started() {
    run(|| async {
        let applications = controller().await;
        let application = telling("repo").started(|_| async { panic!("hook panics") });
        let refused = applications.start(application).await.unwrap_err();
        assert!(
            matches!(refused, StartApplicationError::Hook(_)),
            "{refused}"
        );
        assert_eq!(receive::<Told>().await, Told::RootEnds("repo"));
        assert!(names(&applications).await.is_empty());
    });
}

#[test]
fn stop_runs_prep_stop_while_the_root_lives_and_stopped_when_it_is_gone() {
    run(|| async {
        let applications = controller().await;
        applications.start(telling("repo")).await.unwrap();
        applications.start(telling("shop")).await.unwrap();
        let root = root_of(&applications, "repo").await;
        applications.stop("repo").await.unwrap();
        expect_orderly_stop("repo").await;
        assert_eq!(down(root).await, ExitReason::NoProc);
        // Nothing else is affected, though both are permanent.
        assert_eq!(names(&applications).await, ["shop".into()]);
        assert_none::<Told>().await;
        let name = "repo".into();
        assert_eq!(
            applications.stop("repo").await,
            Err(StopApplicationError::NotStarted { name })
        );
    });
}

#[test]
fn two_that_stop_one_application_are_both_answered() {
    run(|| async {
        let applications = controller().await;
        applications.start(telling("repo")).await.unwrap();
        let test = self_pid();
        for _ in 0..2 {
            let applications = applications.clone();
            spawn_link(async move { send(test, applications.stop("repo").await) });
        }
        for _ in 0..2 {
            // The second may come too late.
            let answer = receive::<Result<(), StopApplicationError>>().await;
            let is_too_late = matches!(answer, Err(StopApplicationError::NotStarted { .. }));
            assert!(answer.is_ok() || is_too_late);
        }
        expect_orderly_stop("repo").await;
        assert_none::<Told>().await;
    });
}

/// Whether an application of that type takes the others along when its root ends so by itself.
const OWN_ENDS: [(StartType, ExitReason, bool); 9] = [
    (StartType::Permanent, ExitReason::Normal, true),
    (StartType::Permanent, ExitReason::Shutdown, true),
    (StartType::Permanent, ExitReason::NoProc, true),
    (StartType::Transient, ExitReason::Normal, false),
    (StartType::Transient, ExitReason::Shutdown, true),
    (StartType::Transient, ExitReason::NoProc, true),
    (StartType::Temporary, ExitReason::Normal, false),
    (StartType::Temporary, ExitReason::Shutdown, false),
    (StartType::Temporary, ExitReason::NoProc, false),
];

#[test]
fn the_start_type_says_whether_the_end_of_a_root_takes_all_others_along() {
    run_with(OWN_ENDS, |ends| async move {
        for (start_type, reason, is_fatal) in ends {
            let applications = controller().await;
            let pid = applications.pid().unwrap();
            applications.start(telling("first")).await.unwrap();
            let fragile = telling("fragile").start_type(start_type);
            applications.start(fragile).await.unwrap();
            applications.start(telling("last")).await.unwrap();
            send(root_of(&applications, "fragile").await, reason.clone());
            expect_own_end("fragile").await;
            if is_fatal {
                expect_orderly_stop("last").await;
                expect_orderly_stop("first").await;
                let of = ended(&exited(pid).await);
                assert_eq!(of, ("fragile".into(), reason));
            } else {
                while names(&applications).await.len() == 3 {}
                assert_eq!(names(&applications).await, ["last".into(), "first".into()]);
                applications.shut_down().await.unwrap();
                expect_orderly_stop("last").await;
                expect_orderly_stop("first").await;
                assert_eq!(exited(pid).await, ExitReason::Shutdown);
            }
        }
    });
}

#[test]
fn a_root_that_breaks_while_all_are_stopped_is_told_and_the_others_are_stopped() {
    run(|| async {
        let applications = controller().await;
        let pid = applications.pid().unwrap();
        applications.start(telling("first")).await.unwrap();
        let breaking = Application::new("breaking").root(|| async {
            Ok::<_, ExitReason>(crate::common::spawn_trapping(async {
                receive::<Exit>().await;
                Err::<(), _>(died())
            }))
        });
        applications.start(breaking).await.unwrap();
        assert!(applications.shut_down().await.is_err());
        expect_orderly_stop("first").await;
        assert_eq!(ended(&exited(pid).await), ("breaking".into(), died()));
    });
}

#[test]
fn ensure_all_started_starts_what_is_needed_first_and_leaves_what_runs() {
    run(|| async {
        let applications = controller().await;
        applications.start(telling("disk")).await.unwrap();
        let disk_root = root_of(&applications, "disk").await;
        let shop = telling("shop")
            .depends_on(telling("repo").depends_on(telling("disk")))
            .depends_on("disk");
        let started = applications.ensure_all_started(shop).await.unwrap();
        assert_eq!(started, ["repo".into(), "shop".into()]);
        assert_eq!(root_of(&applications, "disk").await, disk_root);
        let again = applications.ensure_all_started(telling("shop")).await;
        assert_eq!(again, Ok(Vec::new()));
    });
}

#[test]
fn when_one_does_not_start_those_started_for_it_are_stopped_the_last_first() {
    run(|| async {
        let applications = controller().await;
        applications.start(telling("disk")).await.unwrap();
        let shop = failing("shop")
            .depends_on(telling("disk"))
            .depends_on(telling("repo"))
            .depends_on(telling("web"));
        let error = applications.ensure_all_started(shop).await.unwrap_err();
        assert_eq!(&*error.name, "shop");
        assert_eq!(error.error, StartApplicationError::Failed(died()));
        expect_orderly_stop("web").await;
        expect_orderly_stop("repo").await;
        assert_eq!(names(&applications).await, ["disk".into()]);
    });
}

#[test]
fn an_application_that_is_long_in_starting_holds_up_no_other() {
    run(|| async {
        let applications = controller().await;
        let test = self_pid();
        struct Go;
        let slow = Application::new("slow").root(move || async move {
            send(test, self_pid());
            let Go = receive::<Go>().await;
            Root::start_link(("slow", test)).await
        });
        let other = applications.clone();
        spawn_link(async move {
            other.start(slow).await.unwrap();
            send(test, "slow is up");
        });
        let master = receive::<Pid>().await;
        applications.start(telling("quick")).await.unwrap();
        // It is neither running nor to be started twice.
        let name: Arc<str> = "slow".into();
        assert_eq!(
            applications.stop("slow").await,
            Err(StopApplicationError::NotStarted { name: name.clone() })
        );
        assert_eq!(
            applications.start(failing("slow")).await,
            Err(StartApplicationError::AlreadyStarted { name })
        );
        send(master, Go);
        receive::<&str>().await;
        assert_eq!(names(&applications).await, ["slow".into(), "quick".into()]);
    });
}

#[test]
fn a_killed_master_takes_its_root_along_and_counts_as_its_end() {
    run(|| async {
        let applications = controller().await;
        let pid = applications.pid().unwrap();
        applications.start(telling("repo")).await.unwrap();
        let root = root_of(&applications, "repo").await;
        let master = process_info(root).await.unwrap().parent.unwrap();
        let reference = monitor(root);
        exit(master, ExitReason::Kill);
        receive_down(reference).await;
        assert_eq!(
            ended(&exited(pid).await),
            ("repo".into(), ExitReason::Killed)
        );
    });
}

#[test]
fn when_the_controller_is_killed_the_roots_are_stopped() {
    run(|| async {
        let applications = controller().await;
        applications.start(telling("repo")).await.unwrap();
        exit(applications.pid().unwrap(), ExitReason::Kill);
        expect_orderly_stop("repo").await;
    });
}

#[test]
fn there_is_one_controller_and_it_is_found_by_name() {
    run(|| async {
        let applications = controller().await;
        applications.start(telling("repo")).await.unwrap();
        assert!(Applications::start_link().await.is_err());
        let found = Applications::current();
        assert_eq!(found.pid(), applications.pid());
        assert_eq!(names(&found).await, ["repo".into()]);
        applications.shut_down().await.unwrap();
        assert!(found.start(telling("shop")).await.is_err());
    });
}

#[test]
fn the_applications_end_with_the_process_that_started_their_controller() {
    run(|| async {
        let test = self_pid();
        let repo = telling("repo");
        spawn(async move {
            let applications = controller().await;
            applications.start(repo).await.unwrap();
            send(test, "up");
        });
        receive::<&str>().await;
        expect_orderly_stop("repo").await;
        while Applications::current().pid().is_some() {
            regrow_runtime::sleep(millis(1)).await;
        }
    });
}

#[test]
fn one_that_hangs_in_its_start_does_not_hold_up_the_end_of_all() {
    run(|| async {
        for hangs_in_hook in [false, true] {
            let applications = controller().await;
            applications.start(telling("other")).await.unwrap();
            let test = self_pid();
            let slow = Application::new("slow").root(move || async move {
                if !hangs_in_hook {
                    send(test, self_pid());
                    receive::<()>().await;
                }
                Root::start_link(("slow", test)).await
            });
            let slow = slow.started(move |root| async move {
                send(test, root);
                receive::<()>().await;
            });
            let starter = applications.clone();
            spawn(async move { send(test, starter.start(slow).await) });
            let hanging = receive::<Pid>().await;
            assert_eq!(applications.shut_down().await, Ok(()));
            assert!(!is_alive(hanging).await);
            if hangs_in_hook {
                assert_eq!(receive::<Told>().await, Told::RootEnds("slow"));
            }
            expect_orderly_stop("other").await;
            let told = receive::<Result<(), StartApplicationError>>().await;
            let shut_down = CallError::Exit(ExitReason::Shutdown);
            assert_eq!(told, Err(StartApplicationError::Call(shut_down)));
        }
    });
}

#[test]
fn one_that_hangs_in_its_start_ends_when_the_controller_is_killed() {
    run(|| async {
        let applications = controller().await;
        let test = self_pid();
        let slow = Application::new("slow").root(move || async move {
            send(test, self_pid());
            Ok::<Pid, ExitReason>(receive::<Pid>().await)
        });
        let starter = applications.clone();
        spawn(async move { starter.start(slow).await });
        let master = receive::<Pid>().await;
        let end = watch(master);
        exit(applications.pid().unwrap(), ExitReason::Kill);
        assert_eq!(end.await, ExitReason::Shutdown);
    });
}
