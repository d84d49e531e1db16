//! What the order of ways says about two tables, and what is certain of a
//! request of which not everything is known.

use super::*;

/// A position in the file instead of a path: the same route in two tables.
fn numbered(routes: Vec<Conditions>) -> Vec<Conditions> {
    let numbered = routes.into_iter().enumerate();
    numbered
        .map(|(number, route)| Conditions {
            id: number.to_string().into(),
            ..route
        })
        .collect()
}

/// Whether one of the routes' ways came first in one table and second in the
/// other, and a request can have both.
fn turned(old: &Table, new: &Table, first: &str, second: &str) -> bool {
    let [old_ways, new_ways] = [old, new].map(Table::ways);
    let position = |table: &Table, ways: &[Way<'_>], id: &str, host: &HostPattern| {
        ways.iter()
            .position(|way| way.host == host && *table.conditions(way.route).id == *id)
            .unwrap()
    };
    let of = |id: &str| {
        let ways = old_ways.iter();
        let ways = ways.filter(|way| *old.conditions(way.route).id == *id);
        ways.copied().collect::<Vec<_>>()
    };
    of(first).iter().any(|a| {
        of(second).iter().any(|b| {
            let came_first = |table: &Table, ways: &[Way<'_>]| {
                position(table, ways, first, a.host) < position(table, ways, second, b.host)
            };
            a.host.may_meet(b.host)
                && old.conditions(a.route).may_meet(old.conditions(b.route))
                && came_first(old, &old_ways)
                && !came_first(new, &new_ways)
        })
    })
}

fn rests_on_fields(condition: &Condition) -> bool {
    match condition {
        Condition::Header(_) | Condition::Cookie(_) => true,
        Condition::Not(condition) => rests_on_fields(condition),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn tables_decide_differently_only_where_ways_that_meet_have_turned(
        routes in vec(any_route(), 2..10).prop_map(numbered),
        shuffled in any::<prop::sample::Index>(),
        orders in (any::<bool>(), any::<bool>()),
        requests in vec(any_request(), 1..20),
    ) {
        let order = |ordered| if ordered { Order::Ordered } else { Order::Specific };
        let mut moved = routes.clone();
        moved.rotate_left(shuffled.index(routes.len()));
        moved.swap(0, shuffled.index(routes.len()));
        let old = Table::new(routes, order(orders.0));
        let new = Table::new(moved, order(orders.1));
        for request in &requests {
            let of = |table: &Table| {
                let found = table.find(&request.facts(), &mut Silent);
                found.map(|route| table.conditions(route).id.clone())
            };
            if let (Some(before), Some(after)) = (of(&old), of(&new)) && before != after {
                prop_assert!(turned(&old, &new, &before, &after), "{} {}", before, after);
            }
        }
    }

    #[test]
    fn what_hinges_on_nothing_unknown_stays_whatever_the_fields(
        routes in vec(any_route(), 0..12),
        request in any_request(),
        other in any_request(),
        order in select(vec![Order::Specific, Order::Ordered]),
    ) {
        let table = Table::new(routes, order);
        let other = Request { fields: other.fields, ..request.clone() };
        if !table.hinges_on(&request.facts(), &rests_on_fields) {
            let [found, with_other_fields] =
                [&request, &other].map(|request| table.find(&request.facts(), &mut Silent));
            prop_assert_eq!(found, with_other_fields);
        }
    }
}

#[test]
fn a_route_that_asks_for_a_field_makes_the_decision_uncertain_where_it_would_come_first() {
    let table = Table::new(
        vec![
            route(&[], "/api/*", &["GET"], &[("X-Beta", "1")]),
            route(&[], "/api/*", &[], &[]),
            route(&[], "/api/v1", &[], &[]),
        ],
        Order::Specific,
    );
    for (method, path, expected) in [
        ("GET", "/api/x", true),
        ("POST", "/api/x", false),
        ("GET", "/api/v1", false),
        ("GET", "/", false),
    ] {
        let request = Request::new(method, "a", path, &[]);
        let hinges = table.hinges_on(&request.facts(), &rests_on_fields);
        assert_eq!(hinges, expected, "{method} {path}");
    }
}
