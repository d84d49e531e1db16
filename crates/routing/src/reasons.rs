use crate::Miss;

/// Where `find` says why. With `ON` false the compiler removes the saying.
pub trait Reasons {
    const ON: bool;

    /// The route was not taken, because of this.
    fn missed(&mut self, route: usize, miss: Miss);

    /// The route was taken.
    fn matched(&mut self, route: usize);
}

/// Keeps no reasons: the data plane's choice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reasons for Silent {
    const ON: bool = false;

    fn missed(&mut self, _route: usize, _miss: Miss) {}

    fn matched(&mut self, _route: usize) {}
}

/// Keeps a reason for every route, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    pub misses: Vec<(usize, Miss)>,
    pub matched: Option<usize>,
}

impl Reasons for Explained {
    const ON: bool = true;

    fn missed(&mut self, route: usize, miss: Miss) {
        self.misses.push((route, miss));
    }

    fn matched(&mut self, route: usize) {
        self.matched = Some(route);
    }
}
