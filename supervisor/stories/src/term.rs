//! As much of Erlang's term syntax as stories need: atoms, integers, tuples and lists.

use std::fmt;

/// An Erlang term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// `boom`, or `'$gate'`.
    Atom(String),
    /// `5000`.
    Integer(i64),
    /// `{a, 1}`.
    Tuple(Vec<Term>),
    /// `[a, b]`.
    List(Vec<Term>),
}

/// Text that is no term, or a term that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TermError(pub(crate) String);

/// An atom.
pub(crate) fn atom(text: impl Into<String>) -> Term {
    Term::Atom(text.into())
}

/// An integer.
pub(crate) fn integer(number: impl Into<i64>) -> Term {
    Term::Integer(number.into())
}

impl Term {
    /// Reads one term. Comments (`% ...`) and a full stop behind it are allowed.
    ///
    /// ```
    /// use regrow_stories::Term;
    /// let term = Term::parse("{crash, {a, 0}, [boom, 2]}. % a comment").unwrap();
    /// assert_eq!(term.to_string(), "{crash,{a,0},[boom,2]}");
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is no such term.
    pub fn parse(text: &str) -> Result<Term, TermError> {
        let mut reader = Reader { rest: text };
        let term = reader.term()?;
        reader.skip();
        match reader.rest.strip_prefix('.').map_or(reader.rest, str::trim) {
            "" => Ok(term),
            rest if rest.starts_with('%') => Ok(term),
            rest => Err(TermError(format!("unexpected after the term: {rest}"))),
        }
    }

    /// Of how many terms it is made.
    pub(crate) fn size(&self) -> usize {
        match self {
            Term::Tuple(items) | Term::List(items) => {
                1 + items.iter().map(Term::size).sum::<usize>()
            }
            _ => 1,
        }
    }

    /// The term over several lines, for people: the elements of long lists and tuples on lines of
    /// their own.
    pub fn pretty(&self) -> String {
        let mut text = String::new();
        self.indented(0, &mut text);
        text
    }

    fn indented(&self, depth: usize, text: &mut String) {
        let flat = self.to_string();
        let (open, items, close) = match self {
            Term::Tuple(items) => ('{', items, '}'),
            Term::List(items) => ('[', items, ']'),
            _ => return text.push_str(&flat),
        };
        if flat.len() + depth * 2 <= 100 {
            return text.push_str(&flat);
        }
        text.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            // What a tuple is about stays with it.
            if open == '{' && matches!(item, Term::Atom(_) | Term::Integer(_)) {
                item.indented(depth + 1, text);
                continue;
            }
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', (depth + 1) * 2));
            item.indented(depth + 1, text);
        }
        text.push(close);
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[Term]| {
            for (index, item) in items.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                write!(f, "{comma}{item}")?;
            }
            Ok(())
        };
        match self {
            Term::Atom(text) => f.write_str(text),
            Term::Integer(number) => number.fmt(f),
            Term::Tuple(items) => {
                f.write_str("{")?;
                list(f, items)?;
                f.write_str("}")
            }
            Term::List(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn term(&mut self) -> Result<Term, TermError> {
        self.skip();
        let first = self.rest.chars().next();
        match first {
            Some('{') => Ok(Term::Tuple(self.items('}')?)),
            Some('[') => Ok(Term::List(self.items(']')?)),
            Some(c) if c.is_ascii_digit() || c == '-' => {
                let text = self.take(|c| c.is_ascii_digit() || c == '-');
                let number = text.parse();
                number
                    .map(Term::Integer)
                    .map_err(|_| TermError(format!("no number: {text}")))
            }
            Some(c) if c.is_ascii_lowercase() => {
                Ok(atom(self.take(|c| c.is_ascii_alphanumeric() || c == '_')))
            }
            _ => Err(TermError(format!("no term: {}", self.rest))),
        }
    }

    fn items(&mut self, close: char) -> Result<Vec<Term>, TermError> {
        let mut items = Vec::new();
        self.rest = &self.rest[1..];
        loop {
            self.skip();
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                return Ok(items);
            }
            if !items.is_empty() {
                let rest = self.rest.strip_prefix(',');
                self.rest = rest.ok_or_else(|| TermError(format!("no comma: {}", self.rest)))?;
            }
            items.push(self.term()?);
        }
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with('%') {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.rest = self.rest[end..].trim_start();
        }
    }
}
