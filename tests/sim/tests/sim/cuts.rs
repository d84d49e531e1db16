//! Into which portions a connection cuts what goes over it.

use fastrand::Rng;

#[derive(Debug, Clone, Copy)]
enum Portions {
    /// Whatever is there.
    Whole,
    /// Up to so many bytes.
    UpTo(usize),
    /// Whatever is there, and now and then very little.
    Mixed,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Cuts {
    portions: Portions,
    /// How often in a hundred times it is not ready for no reason.
    stutter: u8,
}

impl Cuts {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        let portions = match random.u8(..10) {
            0..4 => Portions::Whole,
            4 => Portions::UpTo(1),
            5 => Portions::UpTo(random.usize(2..20)),
            6 | 7 => Portions::UpTo(random.usize(20..5000)),
            _ => Portions::Mixed,
        };
        let stutter = *random.choice(&[0, 0, 3, 20]).unwrap_or(&0);
        Self { portions, stutter }
    }

    /// The largest portion of what follows `moved` bytes. Long streams are cut
    /// into larger ones, so that every run ends soon.
    pub(crate) fn most(&self, random: &mut Rng, moved: u64) -> usize {
        match self.portions {
            Portions::Whole => usize::MAX,
            Portions::UpTo(n) => random.usize(1..=n.max(moved as usize / 128)),
            Portions::Mixed if random.u8(..8) == 0 => random.usize(1..=3),
            Portions::Mixed => usize::MAX,
        }
    }

    pub(crate) fn stutters(&self, random: &mut Rng) -> bool {
        random.u8(..100) < self.stutter
    }
}
