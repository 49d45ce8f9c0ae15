use super::*;

fn command(line: &str) -> Command {
    match parse(line.as_bytes()) {
        Line::Command(command) => command,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn tube(name: &str) -> TubeName {
    name.parse().unwrap()
}

#[test]
fn every_command_is_read() {
    let expected = [
        ("reserve", Command::Reserve { timeout: None }),
        (
            "reserve-with-timeout 7",
            Command::Reserve { timeout: Some(7) },
        ),
        ("reserve-job 7", Command::ReserveJob(7)),
        ("delete 7", Command::Delete(7)),
        (
            "release 7 8 9",
            Command::Release {
                id: 7,
                pri: 8,
                delay: 9,
            },
        ),
        ("bury 7 8", Command::Bury { id: 7, pri: 8 }),
        ("touch 7", Command::Touch(7)),
        ("use a", Command::Use(tube("a"))),
        ("watch a", Command::Watch(tube("a"))),
        ("ignore a", Command::Ignore(tube("a"))),
        ("peek 7", Command::Peek(7)),
        ("peek-ready", Command::PeekReady),
        ("peek-delayed", Command::PeekDelayed),
        ("peek-buried", Command::PeekBuried),
        ("kick 7", Command::Kick(7)),
        ("kick-job 7", Command::KickJob(7)),
        ("stats-job 7", Command::StatsJob(7)),
        ("stats-tube a", Command::StatsTube(tube("a"))),
        ("stats", Command::Stats),
        ("list-tubes", Command::ListTubes),
        ("list-tube-used", Command::ListTubeUsed),
        ("list-tubes-watched", Command::ListTubesWatched),
        (
            "pause-tube a 7",
            Command::PauseTube {
                tube: tube("a"),
                delay: 7,
            },
        ),
    ];
    for (line, wanted) in expected {
        assert_eq!(command(line), wanted, "{line}");
    }
    let put = Line::Put {
        pri: 1,
        delay: 2,
        ttr: 3,
        size: 4,
    };
    assert_eq!(parse(b"put 1 2 3 4"), put);
    assert_eq!(parse(b"quit"), Line::Quit);
}

/// Tried on beanstalkd 1.12, except where `DIFFERENCES.md` says so.
#[test]
fn malformed_lines_are_refused_as_beanstalkd_does() {
    let unknown = [
        "",
        "foo",
        " use a",
        "USE a",
        "use",
        "watch",
        "ignore",
        "peek",
        "peek\t1",
        "delete",
        "delete1",
        "deletex 1",
        "put",
        "putx 0 0 1 1",
        "kick",
        "kick-job",
        "touch",
        "list-tube",
        "\n",
        "\u{fe}",
    ];
    for line in unknown {
        let refused = Line::Refused(Response::UnknownCommand);
        assert_eq!(parse(line.as_bytes()), refused, "{line:?}");
    }
    let bad = [
        "use ",
        "use a b",
        "use  a",
        "use a ",
        "use -a",
        "use a@b",
        "use a\0b",
        "\0",
        "x\0y",
        "use a\rb",
        "use a\nb",
        "use \u{e9}",
        "watch -x",
        "ignore x y",
        "stats-tube",
        "stats-tubex",
        "stats-tube  default",
        "stats-tube -x",
        "stats x",
        "stats ",
        "reservex",
        "reserve x",
        "reserve-with-timeout",
        "reserve-with-timeout ",
        "reserve-with-timeout x",
        "reserve-with-timeout -1",
        "reserve-with-timeout 0 ",
        "reserve-with-timeout 4294967296",
        "reserve-job",
        "reserve-job x",
        "reserve-job 77 ",
        "list-tubesx",
        "list-tubes ",
        "list-tube-usedx",
        "list-tubes-watched x",
        "peek x",
        "peek 1 ",
        "peek 1x",
        "peek +1",
        "peek -1",
        "peek 18446744073709551616",
        "peek \t1",
        "peek-ready x",
        "peek-buriedx",
        "peek-ready ",
        "delete ",
        "delete 1x",
        "delete 1 2",
        "put ",
        "put 1 2 3",
        "put 1 2 3 x",
        "put 1 2 3 4 5",
        "put 1 2 3 4 ",
        "put a 0 10 1",
        "put 0\t0 1 0",
        "put 0 -1 1 0",
        "put 4294967296 0 1 0",
        "put 0 4294967296 1 0",
        "put 0 0 4294967296 0",
        "put 0 0 1 4294967296",
        "put 0 1.5 1 0",
        "release 1",
        "release 1 1",
        "release 1 1 1 1",
        "release 1 1 1 ",
        "release 1 4294967296 1",
        "release 1 1 4294967296",
        "bury 1",
        "bury 1 1 ",
        "bury x 1",
        "bury 1 4294967296",
        "kick ",
        "kick x",
        "kick -1",
        "kick 5 5",
        "kick 5x",
        "kick 18446744073709551616",
        "kick-job x",
        "touch x",
        "stats-job",
        "stats-job x",
        "stats-jobx",
        "pause-tube",
        "pause-tube default",
        "pause-tube default x",
        "pause-tube default ",
        "pause-tube default 1 1",
        "pause-tube default 1x",
        "pause-tube default 4294967296",
        "pause-tube -x 1",
    ];
    for line in bad {
        assert_eq!(
            parse(line.as_bytes()),
            Line::Refused(Response::BadFormat),
            "{line:?}"
        );
    }
}

#[test]
fn what_beanstalkd_lets_pass_passes() {
    assert_eq!(command("peek  01"), Command::Peek(1));
    assert_eq!(command("delete  1"), Command::Delete(1));
    assert_eq!(
        command("release  1  2  3"),
        Command::Release {
            id: 1,
            pri: 2,
            delay: 3
        }
    );
    assert_eq!(
        command("reserve-with-timeout  0"),
        Command::Reserve { timeout: Some(0) }
    );
    assert_eq!(command("kick 4294967296"), Command::Kick(1 << 32));
    let paused = Command::PauseTube {
        tube: tube("a"),
        delay: 1,
    };
    assert_eq!(command("pause-tube  a  1"), paused);
    assert_eq!(command("pause-tubea 1"), paused);
    assert_eq!(parse(b"put  1  2  3  4"), parse(b"put 1 2 3 4"));
    assert_eq!(parse(b"quitter"), Line::Quit);
    assert_eq!(parse(b"quit x"), Line::Quit);
}

#[test]
fn a_name_of_200_bytes_passes_and_one_of_201_does_not() {
    for verb in ["use", "watch", "ignore", "stats-tube"] {
        let line = |length: usize| format!("{verb} {}", "a".repeat(length));
        command(&line(200));
        let refused = Line::Refused(Response::BadFormat);
        assert_eq!(parse(line(201).as_bytes()), refused, "{verb}");
    }
}
