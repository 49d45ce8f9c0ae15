//! Types that are Erlang terms as well: declared once, written and read alike.

use crate::term::{Term, TermError, atom, integer};

/// What a term can be made of, and made from.
pub(super) trait Coded: Sized {
    fn term(&self) -> Term;
    fn read(term: &Term) -> Result<Self, TermError>;
}

pub(super) fn wrong<T>(term: &Term) -> Result<T, TermError> {
    Err(TermError(format!("not expected here: {term}")))
}

/// A tag alone is an atom, one with fields a tuple.
pub(super) fn tagged(tag: &str, fields: Vec<Term>) -> Term {
    if fields.is_empty() {
        return atom(tag);
    }
    let mut items = vec![atom(tag)];
    items.extend(fields);
    Term::Tuple(items)
}

/// The fields behind this tag, if the term has it.
pub(super) fn fields<'a>(term: &'a Term, wanted: &str) -> Option<&'a [Term]> {
    match term {
        Term::Atom(tag) if tag == wanted => Some(&[]),
        Term::Tuple(items) => match items.split_first() {
            Some((Term::Atom(tag), fields)) if tag == wanted => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

impl Coded for u32 {
    fn term(&self) -> Term {
        integer(*self)
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        match term {
            Term::Integer(number) => u32::try_from(*number).or_else(|_| wrong(term)),
            _ => wrong(term),
        }
    }
}

impl Coded for bool {
    fn term(&self) -> Term {
        atom(self.to_string())
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        match term {
            Term::Atom(text) => text.parse().or_else(|_| wrong(term)),
            _ => wrong(term),
        }
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn term(&self) -> Term {
        Term::List(self.iter().map(T::term).collect())
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        match term {
            Term::List(items) => items.iter().map(T::read).collect(),
            _ => wrong(term),
        }
    }
}

impl<T: Coded> Coded for Box<T> {
    fn term(&self) -> Term {
        T::term(self)
    }

    fn read(term: &Term) -> Result<Self, TermError> {
        T::read(term).map(Box::new)
    }
}

/// An enum, each variant with its tag.
macro_rules! coded_enum {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$vmeta:meta])* $variant:ident $(($($field:ident: $type:ty),+))? = $tag:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vmeta])* $variant $(($($type),+))?,)+
        }

        impl Coded for $name {
            fn term(&self) -> Term {
                match self {
                    $($name::$variant $(($($field),+))? => tagged($tag, vec![$($($field.term()),+)?]),)+
                }
            }

            fn read(term: &Term) -> Result<Self, TermError> {
                $(if let Some([$($($field),+)?]) = fields(term, $tag) {
                    return Ok($name::$variant $(($(Coded::read($field)?),+))?);
                })+
                wrong(term)
            }
        }
    };
}

/// A struct: a tuple that begins with its tag.
macro_rules! coded_struct {
    ($(#[$meta:meta])* $name:ident = $tag:literal {
        $($(#[$fmeta:meta])* $field:ident: $type:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$fmeta])* pub $field: $type,)+
        }

        impl Coded for $name {
            fn term(&self) -> Term {
                tagged($tag, vec![$(self.$field.term()),+])
            }

            fn read(term: &Term) -> Result<Self, TermError> {
                let Some([$($field),+]) = fields(term, $tag) else {
                    return wrong(term);
                };
                Ok($name { $($field: Coded::read($field)?),+ })
            }
        }
    };
}

pub(super) use {coded_enum, coded_struct};
