#![no_main]
mod tables;

use libfuzzer_sys::fuzz_target;
use message::Method;
use routing::{Conditions, Explained, Facts, Miss, Order, Silent, Table};
use tables::{Case, takes};

fuzz_target!(|case: Case| {
    let routes = case.routes();
    let order = case.order();
    let table = Table::new(routes.clone(), order);
    for request in case.requests() {
        let facts = request.facts();
        let found = table.find(&facts, &mut Silent);
        assert_eq!(found, naive(&routes, order, &facts), "{facts:?}");
        let mut reasons = Explained::default();
        assert_eq!(table.find(&facts, &mut reasons), found);
        check_reasons(&routes, &facts, found, &reasons);
        if found.is_none() {
            check_other_methods(&table, &facts);
        }
    }
});

/// The rule as a person would state it: of the routes that take the request
/// the most specific one, then the first.
fn naive(routes: &[Conditions], order: Order, facts: &Facts<'_>) -> Option<usize> {
    let all = routes.iter().enumerate();
    let mut taking = all.filter(|(_, route)| route.check(facts).is_ok());
    let found = match order {
        Order::Ordered => taking.next(),
        // Of equals `max_by_key` gives the last.
        Order::Specific => taking
            .rev()
            .max_by_key(|(_, route)| tables::specificity(route, facts)),
    };
    found.map(|(at, _)| at)
}

/// Every route has one reason, and the condition it names really fails.
fn check_reasons(
    routes: &[Conditions],
    facts: &Facts<'_>,
    found: Option<usize>,
    reasons: &Explained,
) {
    assert_eq!(reasons.matched, found);
    let explained = reasons.misses.iter().map(|&(at, _)| at);
    let others = (0..routes.len()).filter(|&at| found != Some(at));
    assert!(explained.eq(others), "a route without a reason");
    for &(at, miss) in &reasons.misses {
        let route = &routes[at];
        match miss {
            Miss::Outranked => assert!(found.is_some() && route.check(facts).is_ok()),
            miss => assert!(!takes(route, facts, miss), "{miss:?} of {route:?}"),
        }
        assert!(!miss.text(facts, route).is_empty());
    }
}

/// Each method that is offered instead would be taken.
fn check_other_methods(table: &Table, facts: &Facts<'_>) {
    for method in table.other_methods(facts) {
        let asked = Facts {
            method: Method::of(method.as_bytes()),
            method_text: method.as_bytes(),
            ..*facts
        };
        assert!(table.find(&asked, &mut Silent).is_some(), "{method}");
    }
}
