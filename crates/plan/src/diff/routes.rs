//! How the routes differ.

use std::collections::HashMap;

use filters::Step;
use routing::{Condition, Conditions, Demand, HostPattern, PathPattern};

use super::aspect::{Aspect, compare, replaced};
use super::groups::named_times;
use super::whole::networks;
use super::{Change, Difference, What, lines, pages};
use crate::{Group, Plan, Route, Times, describe};

pub(super) fn differences(old: &Plan, new: &Plan) -> Vec<Difference> {
    let by_id = |plan: &Plan| -> HashMap<Box<str>, usize> {
        plan.routes.iter().map(|r| r.id.clone()).zip(0..).collect()
    };
    let (in_old, in_new) = (by_id(old), by_id(new));
    let mut gone: Vec<usize> = (0..old.routes.len())
        .filter(|&at| {
            old.routes
                .get(at)
                .is_some_and(|r| !in_new.contains_key(&r.id))
        })
        .collect();
    let mut tries = 10_000;
    let mut differences = Vec::new();
    for (at, route) in new.routes.iter().enumerate() {
        let what = match in_old.get(&route.id) {
            Some(&before) => match changes((old, before), (new, at)) {
                changes if changes.is_empty() => continue,
                changes => What::Changed(changes),
            },
            None => match take_same(&mut gone, &mut tries, old, (new, at)) {
                Some(id) => What::Changed(vec![replaced("name", &id, &route.id)]),
                None => What::Added(lines(|f| describe::route(f, new, at))),
            },
        };
        let id = route.id.to_string();
        differences.push(Difference { id, what });
    }
    for at in gone {
        differences.push(Difference {
            id: old.routes.get(at).map_or("", |r| &r.id).to_owned(),
            what: What::Removed(lines(|f| describe::route(f, old, at))),
        });
    }
    differences
}

/// The name of the route that has only been given another one, taken from
/// those that are gone. Of very many, not each is tried with each.
fn take_same(
    gone: &mut Vec<usize>,
    tries: &mut usize,
    old: &Plan,
    route: (&Plan, usize),
) -> Option<String> {
    let mut tried = gone.iter().take(*tries);
    let found = tried.position(|&at| changes((old, at), route).is_empty());
    *tries -= found.map_or(gone.len().min(*tries), |place| place + 1);
    let at = gone.remove(found?);
    old.routes.get(at).map(|route| route.id.to_string())
}

fn changes((old, at_old): (&Plan, usize), (new, at_new): (&Plan, usize)) -> Vec<Change> {
    let (Some(before), Some(after)) = (old.routes.get(at_old), new.routes.get(at_new)) else {
        return Vec::new();
    };
    let parts = |plan: &Plan, at: usize, route: &Route| {
        let mut all = of_conditions(plan.table.conditions(at));
        all.extend(aspects(plan, route));
        all
    };
    let mut changes = compare(&parts(old, at_old, before), &parts(new, at_new, after));
    changes.extend(of_order(before, after));
    changes.extend(of_times((old, before), (new, after)));
    changes.extend(pages::changes(&before.error_pages, &after.error_pages));
    changes
}

fn of_conditions(conditions: &Conditions) -> Vec<Aspect> {
    let Conditions {
        id: _,
        hosts,
        path,
        methods,
        further,
    } = conditions;
    let mut all = Vec::new();
    if *hosts != [HostPattern::Any] {
        all.push(Aspect::items("host", shown_as_exact(hosts), "any"));
    }
    if *path != PathPattern::Any {
        all.push(Aspect::value("path", path, "any"));
    }
    all.push(Aspect::items("method", shown_as_exact(methods), "any"));
    let mut further: Vec<Aspect> = further.iter().map(|c| of_condition(c, "")).collect();
    // Those on the same thing all have to hold, in whatever order.
    further.sort_by(|a, b| a.exact().cmp(&b.exact()));
    all.extend(further);
    all
}

pub(super) fn shown_as_exact<T: ToString>(items: &[T]) -> impl Iterator<Item = (String, String)> {
    let texts = items.iter().map(ToString::to_string);
    texts.map(|text| (text.clone(), text))
}

/// `not` stands before conditions that are refused.
fn of_condition(condition: &Condition, not: &str) -> Aspect {
    let absent = if not.is_empty() { "any" } else { "none" };
    let what = |what: &str| format!("{not}{what}");
    let of_demand = |kind: &str, name: &str, demand: &Demand| {
        Aspect::clause(
            &what(&format!("{kind} {}", demand.name)),
            demand.shown(),
            what(&condition.to_string()),
        )
        .exactly(format!("{:?}", demand.value))
        .keyed(what(&format!("{kind} {name:?}")))
    };
    match condition {
        Condition::Host(hosts) => Aspect::items(&what("host"), shown_as_exact(hosts), absent),
        Condition::Path(path) => Aspect::value(&what("path"), path, absent),
        Condition::Method(methods) => {
            Aspect::items(&what("method"), shown_as_exact(methods), absent)
        }
        Condition::Header(demand) => of_demand("header", &demand.name.to_ascii_lowercase(), demand),
        Condition::Query(demand) => of_demand("query", &demand.name, demand),
        Condition::Cookie(demand) => of_demand("cookie", &demand.name, demand),
        Condition::Certificate(demand) => of_demand("client certificate", &demand.name, demand),
        Condition::Client(client) => Aspect::items(&what("client"), networks(client), absent),
        Condition::Not(condition) => of_condition(condition, &what("not ")),
    }
}

fn aspects(plan: &Plan, route: &Route) -> Vec<Aspect> {
    let Route {
        id: _,
        number: _,
        // Of the path, and of the filters.
        expression: _,
        own_fields: _,
        filters,
        group,
        max_body,
        grpc_web,
        // Compared by themselves.
        times: _,
        error_pages: _,
    } = route;
    let mut all = Vec::new();
    if let Some(group) = group.and_then(|at| plan.groups.get(at)) {
        let id = &group.balance.id;
        all.push(Aspect::clause("group", id, format!("group {id}")));
    }
    let steps = filters.iter().flat_map(|filter| filter.steps());
    all.extend(
        steps.map(|step| Aspect::clause(&step.what, step.shown(), &step).exactly(&step.with)),
    );
    if let Some(most) = max_body {
        let most = format!("up to {most} bytes");
        all.push(Aspect::value("body", most, "as the listener says"));
    }
    if *grpc_web {
        all.push(Aspect::value("gRPC-Web", "becomes gRPC", "passes as it is"));
    }
    all
}

/// Whether steps that both routes have come in another order where one could
/// see what the other has done.
fn of_order(old: &Route, new: &Route) -> Option<Change> {
    let steps = |route: &Route| -> Vec<Step> {
        let filters = route.filters.iter();
        filters.flat_map(|filter| filter.steps()).collect()
    };
    let (before, after) = (steps(old), steps(new));
    if before == after {
        return None;
    }
    let whats = |steps: &[Step]| {
        let whats: Vec<&str> = steps.iter().map(|step| &*step.what).collect();
        whats.join(", ")
    };
    let (from, to) = (numbered(&before), numbered(&after));
    let places: HashMap<_, usize> = to.iter().map(|(key, _)| *key).zip(0..).collect();
    let kept: Vec<(&Step, usize)> = from
        .iter()
        .filter_map(|(key, step)| Some((*step, *places.get(key)?)))
        .collect();
    let has_turned = kept.iter().enumerate().any(|(at, (first, place))| {
        let later = kept.iter().skip(at + 1);
        later
            .filter(|(_, other)| other < place)
            .any(|(second, _)| !first.commutes_with(second))
    });
    has_turned.then(|| replaced("order of the filters", &whats(&before), &whats(&after)))
}

/// Steps with the same name are told apart by their number.
fn numbered<'a>(steps: &'a [Step]) -> Vec<((&'a str, usize), &'a Step)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let number = |step: &'a Step| {
        let count = counts.entry(&step.what).or_default();
        *count += 1;
        ((&*step.what, *count), step)
    };
    steps.iter().map(number).collect()
}

/// The times that hold for the route's requests. Where they are those of the
/// same group before and after, the group says what has changed.
fn of_times((old, before): (&Plan, &Route), (new, after): (&Plan, &Route)) -> Vec<Change> {
    type Named = [(&'static str, String); 6];
    let of = |plan: &Plan, route: &Route| -> Option<(Named, Option<Named>)> {
        let group: &Group = plan.groups.get(route.group?)?;
        let own = route.times.as_ref().map(|times: &Times| named_times(times));
        Some((named_times(&group.times), own))
    };
    let (Some((of_old, own_old)), Some((of_new, own_new))) = (of(old, before), of(new, after))
    else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for (at, (what, groups_old)) in of_old.iter().enumerate() {
        let of = |own: &Option<Named>| {
            own.as_ref()
                .and_then(|own| own.get(at))
                .map(|(_, t)| t.clone())
        };
        let groups_new = of_new.get(at).map_or("", |(_, time)| time);
        let old = of(&own_old).filter(|time| time != groups_old);
        let new = of(&own_new).filter(|time| time != groups_new);
        if old.is_none() && new.is_none() {
            continue;
        }
        let told = |own: &Option<String>, groups: &str| match own {
            Some(time) => (time.clone(), time.clone()),
            None => (groups.to_owned(), format!("{groups} of the group")),
        };
        let (old, new) = (told(&old, groups_old), told(&new, groups_new));
        if old.0 != new.0 {
            changes.push(replaced(what, &old.1, &new.1));
        }
    }
    changes
}
