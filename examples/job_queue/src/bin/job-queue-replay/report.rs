//! What is printed.

use std::time::Duration;

use crate::allowed::Allowed;
use crate::compare::{Problem, What};
use crate::play::{After, Transcript};
use crate::script::{Script, escape};
use crate::{Against, Played};

/// What has come of all scripts.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    scripts: usize,
    failed: usize,
    answers: usize,
    /// The names of the declared differences that occurred.
    declared: Vec<String>,
}

/// Prints what has come of one script.
pub(crate) fn script(
    show: bool,
    against: Against,
    script: &Script,
    played: &Played,
    sum: &mut Sum,
) {
    let verdict = &played.verdict;
    let passed = verdict.problems.is_empty();
    sum.scripts += 1;
    sum.failed += usize::from(!passed);
    sum.answers += verdict.answers;
    sum.declared.extend(verdict.declared.iter().cloned());
    let mut notes = String::new();
    if !verdict.declared.is_empty() {
        notes = format!(", differs as listed: {}", verdict.declared.join(", "));
    }
    if played.second_time {
        notes.push_str(", only when it was played again, alone");
    }
    println!(
        "{:4}  {:24} {:3} answers, {:4.1} s{notes}",
        if passed { "ok" } else { "FAIL" },
        script.name,
        verdict.answers,
        played.took.as_secs_f64(),
    );
    let names = match against {
        Against::JobQueue => ["beanstalkd", "job-queue"],
        Against::Beanstalkd => ["beanstalkd", "another"],
    };
    for problem in &verdict.problems {
        self::problem(script, problem, names);
    }
    if show {
        for (name, transcript) in names.iter().zip(&played.transcripts) {
            self::transcript(script, name, transcript);
        }
    }
}

fn problem(script: &Script, problem: &Problem, names: [&str; 2]) {
    let place = match problem.step {
        Some(step) => {
            let step = &script.steps[step];
            format!("line {}, {:?}", step.line, shorten(&step.text))
        }
        None => format!("left on connection {}", problem.connection),
    };
    let what = match problem.what {
        What::Differ => "they differ",
        What::Nothing => "neither says what the script waits for",
        What::NotAsDeclared => "they do not differ as the script says",
    };
    println!("      {place}: {what}");
    let (first, second) = (lines(&problem.first), lines(&problem.second));
    // Of long answers only the lines that are not the same.
    if first.len() == second.len() && first.len() > 2 && problem.what == What::Differ {
        for (first, second) in first.iter().zip(&second) {
            if first != second {
                println!("        {:10}  {first}", names[0]);
                println!("        {:10}  {second}", names[1]);
            }
        }
    } else {
        println!("        {:10}  {}", names[0], escape(&problem.first));
        println!("        {:10}  {}", names[1], escape(&problem.second));
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .map(escape)
        .collect()
}

fn shorten(text: &str) -> String {
    const LIMIT: usize = 60;
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    let begin: String = text.chars().take(LIMIT).collect();
    format!("{begin}...")
}

fn transcript(script: &Script, name: &str, transcript: &Transcript) {
    println!("      --- {name}");
    let mut heard = transcript.heard.iter().peekable();
    for (index, step) in script.steps.iter().enumerate() {
        println!("      {}", step.text);
        while let Some(said) = heard.next_if(|heard| heard.step == Some(index)) {
            println!("        {}{}", escape(&said.bytes), ending(said.after));
        }
    }
    for said in heard.filter(|said| !said.bytes.is_empty()) {
        println!("      left on {}: {}", said.connection, escape(&said.bytes));
    }
}

fn ending(after: After) -> &'static str {
    match after {
        After::Done => "",
        After::Closed => "<closed>",
        After::Broken => "<broken>",
        After::Silent => "<silent>",
    }
}

/// Prints the sum; whether all is well.
pub(crate) fn end(allowed: &Allowed, complaints: &[String], sum: &Sum, took: Duration) -> bool {
    for complaint in complaints {
        println!("FAIL  {complaint}");
    }
    let mut declared = sum.declared.clone();
    declared.sort();
    declared.dedup();
    if !declared.is_empty() {
        println!("\ndifferences that are meant:");
        for name in &declared {
            println!("  {name}: {}", allowed.reason(name).unwrap_or("?"));
        }
    }
    let passed = sum.failed == 0 && complaints.is_empty();
    println!(
        "\n{} scripts, {} answers, {} differences that are meant, {} scripts failed, {} complaints; {:.1} s",
        sum.scripts,
        sum.answers,
        declared.len(),
        sum.failed,
        complaints.len(),
        took.as_secs_f64(),
    );
    passed
}
