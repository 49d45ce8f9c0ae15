//! The comparison itself, a few stories of it, and those that were once told differently.

use regrow_runtime::Runtime;
use regrow_stories::{
    AnyStory, Comparison, Difference, Kind, Otp, OtpError, Random, Stages, Step, Story, Term,
    generate, is_report, shrink, tell_simulated, tell_with_threads,
};

/// Tells stories to OTP and to us; without Erlang nothing is told, and that is said.
fn compare_all(stories: impl IntoIterator<Item = (String, AnyStory)>) {
    let otp = match Otp::start() {
        Ok(otp) => otp,
        Err(error @ OtpError::Missing(_)) => {
            eprintln!("left out: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let runtime = Runtime::new().expect("a runtime");
    let stages = Stages::new(otp, runtime.handle(), 3);
    for (name, story) in stories {
        match stages.compare(&story, 1).expect("a trace") {
            Comparison::Alike(trace) => assert!(trace.len() > 1, "{name}: {trace:?}"),
            Comparison::Different(difference) => {
                panic!("{name}\n{story}\n{}", difference.side_by_side())
            }
        }
    }
}

#[test]
fn stories_that_were_once_told_differently_are_told_alike() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
    let files = std::fs::read_dir(directory).expect("a directory");
    let mut stories = Vec::new();
    for file in files {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let name = path.display().to_string();
        let story = AnyStory::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        stories.push((name, story));
    }
    assert!(stories.len() >= 10);
    compare_all(stories);
}

#[test]
fn random_stories_are_told_alike() {
    let mut random = Random::new(2026);
    let seeds: Vec<_> = (0..40).map(|_| random.next_u64()).collect();
    compare_all(seeds.into_iter().flat_map(|seed| {
        [AnyStory::supervisors(seed), AnyStory::servers(seed)]
            .map(|it| (format!("seed {seed}"), it))
    }));
}

#[test]
fn a_story_is_told_the_same_in_every_order_of_things() {
    let both = |seed| [AnyStory::supervisors(seed), AnyStory::servers(seed)];
    for story in (0..40).flat_map(both) {
        let trace = tell_simulated(&story, 0);
        for order in 1..5 {
            assert_eq!(tell_simulated(&story, order), trace, "{story}");
        }
        let with_threads = tell_with_threads(&story).expect("a runtime");
        let told = trace.iter().filter(|line| !is_report(line));
        assert!(told.eq(&with_threads), "{story}");
    }
}

#[test]
fn the_same_seed_gives_the_same_story_and_its_text_the_same_again() {
    for seed in 0..300 {
        for tell in [AnyStory::supervisors, AnyStory::servers] {
            let story = tell(seed);
            assert_eq!(story, tell(seed));
            assert_eq!(AnyStory::parse(&story.to_string()), Ok(story));
        }
    }
}

#[test]
fn stories_have_everything_in_them() {
    let all: String = (0..300)
        .map(|seed| generate(seed).term().to_string())
        .collect();
    for word in [
        "simple_one_for_one",
        "rest_for_one",
        "any_significant",
        "all_significant",
        "temporary",
        "brutal_kill",
        "{significant,true}",
        "{unlinks,true}",
        "{stop,never}",
        "{init,",
        "{hang,",
        "{hang_error,",
        "{stillborn,",
        "ignore",
        "{stop,{slow,",
        "{hold,",
        "{parent,",
        "{kill,",
        "{exit,",
        "instance",
        "restart_child",
        "delete_child",
        "get_childspec",
        "terminate_child",
        "{shutdown,20}",
    ] {
        assert!(all.contains(word), "{word}");
    }
}

#[test]
fn stories_of_servers_have_everything_in_them() {
    let all: String = (0..300)
        .map(|seed| AnyStory::servers(seed).term().to_string())
        .collect();
    for word in [
        ",link,",
        ",monitor,",
        ",start,",
        ",ignore}",
        ",crash}",
        "{throw,",
        "{exit,kill}",
        "{stop_reply,",
        "{continue,",
        "{timeout,zero}",
        "{timeout,soon}",
        "{timeout,never}",
        "hibernate",
        "gate",
        "reply_now",
        "{reply_kept,",
        "call_self",
        "{trap,",
        "{link,f1}",
        "{unlink,",
        "{monitor,f",
        "{demonitor,",
        "{send,",
        "{abcast,",
        "{multi_call,",
        "{request,",
        "{collect,",
        "{response,",
        "{any,{take,soon}",
        "{wait,never}",
        "check",
        "{reply,",
        "{stop,{name,",
        "suspend",
        "resume",
        "get_state",
        "replace_state",
        "replace_badly",
        "{release,",
        "{finish,{client,",
        "{exit,{server,",
    ] {
        assert!(all.contains(word), "{word}");
    }
}

#[test]
fn a_story_of_servers_is_shrunk_to_what_matters() {
    let stops = |story: &AnyStory| {
        let text = story.term().to_string();
        text.contains("{stop_reply,boom}") && text.contains("replace_badly")
    };
    let mut stories = (0..).map(AnyStory::servers);
    let story = stories.find(stops).expect("endless");
    let small = shrink(story, |story| Ok::<_, ()>(stops(story)), |_| {}).expect("no error");
    let AnyStory::Servers(small) = &small else {
        panic!("{small}");
    };
    assert_eq!(small.steps.len(), 2, "{:?}", small.steps);
}

/// Whether anywhere in the story a worker does not trap exits and another step kills something.
fn is_wanted(story: &Story) -> bool {
    let mut deaf = false;
    story.root.each(&mut |node| {
        deaf |= matches!(node.kind, Kind::Worker { trap: false, .. });
    });
    deaf && story.steps.iter().any(|step| matches!(step, Step::Kill(_)))
}

fn is_wanted_tree(story: &AnyStory) -> bool {
    matches!(story, AnyStory::Supervisors(story) if is_wanted(story))
}

#[test]
fn shrinking_leaves_nothing_that_does_not_matter() {
    let mut stories = (0..).map(generate);
    let story = stories
        .find(|s| is_wanted(s) && s.size() > 25)
        .expect("endless");
    let mut last = usize::MAX;
    let small = shrink(
        story.into(),
        |story| Ok::<_, ()>(is_wanted_tree(story)),
        |story| {
            assert!(story.size() <= last);
            last = story.size();
        },
    );
    let small = small.expect("no error");
    let AnyStory::Supervisors(small) = small else {
        panic!("{small}");
    };
    assert!(is_wanted(&small));
    assert_eq!(small.steps.len(), 1);
    let mut workers = 0;
    small
        .root
        .each(&mut |node| workers += usize::from(node.children().is_empty()));
    assert_eq!(workers, 1, "{small}");
}

#[test]
fn side_by_side_marks_where_traces_begin_to_differ() {
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
    let difference = Difference {
        otp: lines(&["step start", "  try a 1", "  born a#1"]),
        regrow: lines(&["step start", "  try b 1"]),
        how: "simulated, seed 1".into(),
    };
    let text = difference.side_by_side();
    let marked: Vec<_> = text.lines().filter(|line| line.starts_with('!')).collect();
    assert_eq!(marked.len(), 1, "{text}");
    assert!(
        marked[0].contains("  try a 1 ") && marked[0].ends_with("|   try b 1"),
        "{text}"
    );
}

#[test]
fn text_that_is_no_story_is_refused_with_the_place() {
    for (text, why) in [
        ("{a", "no comma: "),
        ("{a,B}", "no term: B}"),
        ("[] []", "unexpected after the term: []"),
        ("", "no term: "),
    ] {
        let error = Term::parse(text).expect_err(text);
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
    let error = Story::parse("{{worker,a,[{restart,sometimes}]},[]}").expect_err("no restart");
    assert_eq!(error.to_string(), "not expected here: sometimes");
}
