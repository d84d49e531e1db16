use std::cell::RefCell;
use std::cmp::Reverse;

use crate::index::Index;
use crate::{Condition, Conditions, Facts, HostPattern, Miss, Reasons};

/// Which of several routes that take a request gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The most specific: by host, then path, then whether it names methods,
    /// then the number of further conditions, then the order of the file.
    #[default]
    Specific,
    /// The first in the file.
    Ordered,
}

/// Every route of a plan, ready to be searched.
#[derive(Debug, Clone)]
pub struct Table {
    routes: Vec<Conditions>,
    order: Order,
    /// The route of each rank. A route with several hosts has a rank for each,
    /// because it is as specific as the host by which it is reached.
    by_rank: Vec<usize>,
    index: Index,
}

impl Table {
    /// A table of routes in the order of the file.
    pub fn new(routes: Vec<Conditions>, order: Order) -> Table {
        let mut index = Index::default();
        let mut by_rank = Vec::with_capacity(routes.len());
        for (rank, Way { host, route }) in ranked(&routes, order).into_iter().enumerate() {
            index.add(host, &routes[route].path, rank);
            by_rank.push(route);
        }
        Table {
            routes,
            order,
            by_rank,
            index,
        }
    }

    /// What it was made with.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Every way to every route, the ones that come first before the others.
    /// Ways that no request can have both of stand in an order that does not
    /// depend on the file: so two tables with the same order of ways decide
    /// the same.
    pub fn ways(&self) -> Vec<Way<'_>> {
        let mut ways = ranked(&self.routes, self.order);
        if self.order == Order::Specific {
            // Ways of one specificity meet only if their patterns are the same,
            // or both paths are expressions. Stable, so that those stay.
            ways.sort_by(|a, b| {
                let key = |way: &Way<'_>| specificity(way.host, &self.routes[way.route]);
                let [of_a, of_b] = [a, b].map(|way| &self.routes[way.route].path);
                (key(b).cmp(&key(a)))
                    .then_with(|| a.host.fixed().cmp(b.host.fixed()))
                    .then_with(|| of_a.fixed().cmp(of_b.fixed()))
            });
        }
        ways
    }

    /// Whether the decision could be another one if it were known how the
    /// `unknown` conditions stand.
    pub fn hinges_on(&self, facts: &Facts<'_>, unknown: &dyn Fn(&Condition) -> bool) -> bool {
        let first = self.index.lowest(facts.host, facts.path, |rank| {
            self.of_rank(rank)
                .is_some_and(|(_, route)| route.check_known(facts, unknown).is_ok())
        });
        let first = first.and_then(|rank| self.of_rank(rank));
        first.is_some_and(|(_, route)| route.further.iter().any(unknown))
    }

    /// The route that gets the request, by its place in the file. Allocates
    /// nothing unless `reasons` does.
    pub fn find<R: Reasons>(&self, facts: &Facts<'_>, reasons: &mut R) -> Option<usize> {
        let rank = self.index.lowest(facts.host, facts.path, |rank| {
            self.of_rank(rank)
                .is_some_and(|(_, route)| route.check_beyond_place(facts).is_ok())
        });
        let found = rank.and_then(|rank| self.of_rank(rank)).map(|(at, _)| at);
        if R::ON {
            self.explain(facts, found, reasons);
        }
        found
    }

    /// The methods that would have been taken in place of the request's own,
    /// in the order of the file, each once.
    pub fn other_methods(&self, facts: &Facts<'_>) -> Vec<&str> {
        let mut routes = Vec::new();
        let collected = RefCell::new(&mut routes);
        self.index.lowest(facts.host, facts.path, |rank| {
            if let Some((at, route)) = self.of_rank(rank)
                && route.check_further(facts).is_ok()
            {
                collected.borrow_mut().push(at);
            }
            false
        });
        routes.sort_unstable();
        let mut methods: Vec<&str> = Vec::new();
        for method in routes.iter().flat_map(|&at| &self.routes[at].methods) {
            if !methods.contains(&&**method) {
                methods.push(method);
            }
        }
        methods
    }

    /// The conditions of a route that `find` returned.
    ///
    /// # Panics
    /// If there are not so many routes.
    pub fn conditions(&self, route: usize) -> &Conditions {
        &self.routes[route]
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    fn of_rank(&self, rank: usize) -> Option<(usize, &Conditions)> {
        let route = *self.by_rank.get(rank)?;
        Some((route, self.routes.get(route)?))
    }

    fn explain<R: Reasons>(&self, facts: &Facts<'_>, found: Option<usize>, reasons: &mut R) {
        for (route, conditions) in self.routes.iter().enumerate() {
            match conditions.check(facts) {
                Err(miss) => reasons.missed(route, miss),
                Ok(()) if found == Some(route) => reasons.matched(route),
                Ok(()) => reasons.missed(route, Miss::Outranked),
            }
        }
    }
}

/// A route, reached by one of its hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way<'a> {
    pub host: &'a HostPattern,
    pub route: usize,
}

/// The ways of the routes in the order of their ranks.
fn ranked(routes: &[Conditions], order: Order) -> Vec<Way<'_>> {
    let mut ways = Vec::with_capacity(routes.len());
    for (route, conditions) in routes.iter().enumerate() {
        let hosts = match conditions.hosts.as_slice() {
            [] => &[HostPattern::Any],
            hosts => hosts,
        };
        ways.extend(hosts.iter().map(|host| Way { host, route }));
    }
    if order == Order::Specific {
        // Stable, so that equals stay in the order of the file.
        ways.sort_by_key(|way| Reverse(specificity(way.host, &routes[way.route])));
    }
    ways
}

/// Greater is more specific.
fn specificity(host: &HostPattern, conditions: &Conditions) -> (usize, usize, bool, usize) {
    (
        host.specificity(),
        conditions.path.specificity(),
        !conditions.methods.is_empty(),
        conditions.further.len(),
    )
}

#[cfg(test)]
mod tests;
