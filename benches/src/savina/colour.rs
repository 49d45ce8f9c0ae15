//! The colours of the chameneos.

/// What a creature may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Blue,
    Red,
    Yellow,
}

impl Colour {
    pub(super) const ALL: [Colour; 3] = [Colour::Blue, Colour::Red, Colour::Yellow];

    /// What the creature with that number is born with.
    pub(super) fn of(index: u64) -> Colour {
        Colour::ALL[(index % 3) as usize]
    }

    /// What two become who meet: the same if they are alike, the third if not.
    pub(super) fn complement(self, other: Colour) -> Colour {
        let third = |colour: &Colour| *colour != self && *colour != other;
        match self == other {
            true => self,
            false => Colour::ALL.into_iter().find(third).expect("three colours"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_colours_make_the_third_whoever_asks() {
        for one in Colour::ALL {
            assert_eq!(one.complement(one), one);
            for other in Colour::ALL.into_iter().filter(|other| *other != one) {
                let both = one.complement(other);
                assert!(both != one && both != other);
                assert_eq!(both, other.complement(one));
            }
        }
    }
}
