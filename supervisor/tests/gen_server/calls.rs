use super::*;

#[test]
fn a_reply_may_come_later() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        let call = server.call(Command::Keep);
        server.cast(Command::ReplyToKept);
        assert_eq!(call.await, Ok("later"));
    });
}

#[test]
fn a_call_without_a_reply_times_out_and_a_late_reply_is_dropped() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        let late = server.call(Command::Keep).timeout(millis(1)).await;
        assert_eq!(late, Err(CallError::Timeout((&server).into())));
        server.cast(Command::ReplyToKept);
        assert_eq!(echo(&server).await, Ok("hello"));
    });
}

#[test]
fn a_dropped_request_is_told_at_once() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        let dropped = server.call(Command::Drop).no_timeout().await;
        assert_eq!(dropped, Err(CallError::NoReply));
        assert_eq!(echo(&server).await, Ok("hello"));
    });
}

#[test]
fn a_dead_server_or_a_missing_name_is_noproc() {
    run(|| async {
        let server = start(Init::Fine).await;
        server.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(echo(&server).await, Err(CallError::NoProc));
        let nobody = regrow_supervisor::Name::<Command>::new("nobody").server_ref();
        assert_eq!(echo(&nobody).await, Err(CallError::NoProc));
        nobody.cast(Command::Panic); // no error
    });
}

#[test]
fn a_server_that_ends_without_a_reply_tells_its_reason_even_if_normal() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let server = start(Init::Fine).await;
            let told = server
                .call(|reply| Command::StopWith(reason.clone(), reply))
                .await;
            assert_eq!(told, Err(CallError::Exit(reason)));
        }
    });
}

#[test]
fn requests_kept_or_queued_when_the_server_ends_are_told_its_reason() {
    run(|| async {
        let server = start(Init::Fine).await;
        server.cast(Command::Wait);
        let kept = server.call(Command::Keep);
        server.cast(Command::Stop(died()));
        let queued = server.call(Command::Keep);
        send(server.pid().unwrap(), Go);
        assert_eq!(kept.await, Err(CallError::Exit(died())));
        assert_eq!(queued.await, Err(CallError::Exit(died())));
    });
}

#[test]
fn a_process_cannot_call_itself() {
    run(|| async {
        let server = start_link(Init::Fine).await;
        let called = server.call(Command::CallYourself).await.unwrap();
        assert_eq!(called, Err(CallError::CallingSelf));
    });
}

#[test]
fn a_call_works_from_outside_any_process() {
    let runtime = regrow_runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let test = regrow_runtime::spawn(receive::<()>());
        Server::start((test, Init::Fine)).await.unwrap()
    });
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = std::task::Context::from_waker(&waker);
    let mut call = std::pin::pin!(server.call(|reply| Command::Echo("hello", reply)));
    let reply = loop {
        match call.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(reply) => break reply,
            std::task::Poll::Pending => std::thread::park(),
        }
    };
    assert_eq!(reply, Ok("hello"));
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
