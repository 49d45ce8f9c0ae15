//! Terms that are a bit simpler. Those that are no stories any more are sorted out by whoever reads
//! them.

use crate::term::Term;

/// What may stand in for something else, the simplest first.
const PLAIN: [&str; 7] = [
    "none",
    "false",
    "start",
    "{go,none}",
    "{reply,none}",
    "boom",
    "{pid,a}",
];

/// The boldest first.
pub(crate) fn simpler(term: &Term) -> Vec<Term> {
    let mut all = Vec::new();
    match term {
        Term::List(items) => {
            let mut chunk = items.len();
            while chunk > 0 {
                for start in (0..items.len()).step_by(chunk) {
                    let end = (start + chunk).min(items.len());
                    all.push(Term::List([&items[..start], &items[end..]].concat()));
                }
                chunk /= 2;
            }
            all.extend(in_place(items).map(Term::List));
        }
        Term::Tuple(items) => {
            all.extend(plainer(term));
            all.extend(in_place(items).map(Term::Tuple));
        }
        Term::Atom(_) => all.extend(plainer(term)),
        Term::Integer(_) => {}
    }
    all
}

fn in_place(items: &[Term]) -> impl Iterator<Item = Vec<Term>> {
    items.iter().enumerate().flat_map(move |(index, item)| {
        simpler(item).into_iter().map(move |simple| {
            let mut items = items.to_vec();
            items[index] = simple;
            items
        })
    })
}

fn plainer(term: &Term) -> impl Iterator<Item = Term> {
    let text = term.to_string();
    let plain = PLAIN.into_iter().take_while(move |plain| *plain != text);
    plain.filter_map(|plain| Term::parse(plain).ok())
}
