use std::collections::BTreeMap;

use super::*;

/// What each name says; a name that is not there cannot be looked up.
#[derive(Default)]
struct Table {
    ipv4: BTreeMap<&'static str, Vec<Ipv4Addr>>,
    ipv6: BTreeMap<&'static str, Vec<Ipv6Addr>>,
    services: BTreeMap<&'static str, Vec<Target>>,
}

fn answer<T: Clone>(
    table: &BTreeMap<&'static str, Vec<T>>,
    name: &str,
    valid: u64,
) -> Result<Answer<T>, NoAnswer> {
    let items = table.get(name).cloned();
    let items = items.ok_or_else(|| NoAnswer(format!("{name} is not known")))?;
    let valid = Some(Duration::from_secs(valid));
    Ok(Answer { items, valid })
}

impl LookUp for Table {
    async fn ipv4(&self, name: &str) -> Result<Answer<Ipv4Addr>, NoAnswer> {
        answer(&self.ipv4, name, 30)
    }

    async fn ipv6(&self, name: &str) -> Result<Answer<Ipv6Addr>, NoAnswer> {
        answer(&self.ipv6, name, 20)
    }

    async fn services(&self, name: &str) -> Result<Answer<Target>, NoAnswer> {
        answer(&self.services, name, 60)
    }
}

fn ask(table: &Table, question: &Question, known: &[&str]) -> Result<Vec<String>, NoAnswer> {
    let place = |url: &&str| Place {
        url: (*url).to_owned(),
        weight: 1,
    };
    let known: Vec<Place> = known.iter().map(place).collect();
    // Nothing here ever waits.
    let mut asked = Box::pin(question.ask(table, &known));
    let waker = std::task::Waker::noop();
    match asked
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker))
    {
        std::task::Poll::Ready(answer) => {
            let shown = |p: Place| format!("{} {}", p.url, p.weight);
            answer.map(|answer| answer.items.into_iter().map(shown).collect())
        }
        std::task::Poll::Pending => panic!("it waits"),
    }
}

fn target(priority: u16, weight: u16, port: u16, host: &str) -> Target {
    Target {
        priority,
        weight,
        port,
        host: host.to_owned(),
    }
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn addresses(name: &str) -> Question {
    Question::Addresses {
        name: name.to_owned(),
        port: 80,
        weight: 3,
    }
}

#[test]
fn both_families_count_each_address_once() {
    let table = Table {
        ipv4: [("a", vec![ip(2), ip(1), ip(2)])].into(),
        ipv6: [("a", vec![Ipv6Addr::LOCALHOST])].into(),
        ..Table::default()
    };
    let found = ask(&table, &addresses("a"), &[]).unwrap();
    assert_eq!(
        found,
        [
            "http://10.0.0.1:80 3",
            "http://10.0.0.2:80 3",
            "http://[::1]:80 3"
        ]
    );
    assert!(ask(&table, &addresses("b"), &[]).is_err());
}

#[test]
fn a_family_without_answers_matters_only_if_it_had_some() {
    let table = Table {
        ipv4: [("a", vec![ip(1)]), ("none", vec![])].into(),
        ..Table::default()
    };
    assert_eq!(ask(&table, &addresses("a"), &[]).unwrap().len(), 1);
    let known = ["http://10.0.0.1:80"];
    assert_eq!(ask(&table, &addresses("a"), &known).unwrap().len(), 1);
    let both = ["http://10.0.0.1:80", "http://[::1]:80"];
    assert!(ask(&table, &addresses("a"), &both).is_err());
    assert!(ask(&table, &addresses("none"), &[]).is_err());
}

#[test]
fn an_empty_answer_is_one() {
    let table = Table {
        ipv4: [("a", vec![])].into(),
        ipv6: [("a", vec![])].into(),
        services: [("s", vec![]), ("gone", vec![target(0, 0, 0, ".")])].into(),
    };
    let known = ["http://10.0.0.1:80"];
    for question in [
        addresses("a"),
        Question::Services { name: "s".into() },
        Question::Services {
            name: "gone".into(),
        },
    ] {
        assert_eq!(ask(&table, &question, &known), Ok(vec![]));
    }
}

#[test]
fn the_best_class_that_has_an_address_counts() {
    let services = |targets| Table {
        ipv4: [("a", vec![ip(1)]), ("b", vec![ip(2)]), ("empty", vec![])].into(),
        ipv6: [("a", vec![]), ("b", vec![]), ("empty", vec![])].into(),
        services: [("s", targets)].into(),
    };
    let question = Question::Services { name: "s".into() };
    for (targets, expected) in [
        (
            vec![
                target(2, 5, 81, "a"),
                target(1, 0, 82, "b"),
                target(1, 7, 83, "a"),
            ],
            vec!["http://10.0.0.1:83 7", "http://10.0.0.2:82 1"],
        ),
        (
            vec![target(2, 5000, 81, "a"), target(1, 1, 82, "empty")],
            vec!["http://10.0.0.1:81 1000"],
        ),
        (vec![target(0, 1, 82, "empty")], vec![]),
    ] {
        assert_eq!(ask(&services(targets), &question, &[]).unwrap(), expected);
    }
    // Without the address of one, what there is cannot be known.
    let table = services(vec![target(0, 1, 1, "a"), target(0, 1, 1, "lost")]);
    assert!(ask(&table, &question, &[]).is_err());
}

#[test]
fn no_answer_is_larger_than_the_limit() {
    let many = (0..5000_u32)
        .map(|n| Ipv4Addr::from(0x0a00_0000 + n))
        .collect();
    let table = Table {
        ipv4: [("a", many)].into(),
        ipv6: [("a", vec![])].into(),
        services: [(
            "s",
            (1..=5000).map(|port| target(0, 1, port, "a")).collect(),
        )]
        .into(),
    };
    for question in [addresses("a"), Question::Services { name: "s".into() }] {
        assert_eq!(ask(&table, &question, &[]).unwrap().len(), MOST_PLACES);
    }
}
