//! SRV records (RFC 2782): which of them count.

use std::collections::BTreeMap;

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The lower, the better.
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// A name; the root stands for "there is no such service".
    pub host: String,
}

impl Target {
    /// Its share among those of its priority: 0 is for "hardly any", which no
    /// backend is told, and becomes 1.
    pub(super) fn share(&self) -> u32 {
        u32::from(self.weight).clamp(1, 1000)
    }
}

/// The classes of equal priority, the best first. Without those that stand for
/// no service.
pub(super) fn classes(targets: Vec<Target>) -> Vec<Vec<Target>> {
    let mut classes: BTreeMap<u16, Vec<Target>> = BTreeMap::new();
    for target in targets {
        if !matches!(&*target.host, "." | "") && target.port != 0 {
            classes.entry(target.priority).or_default().push(target);
        }
    }
    classes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target() -> impl Strategy<Value = Target> {
        let host = prop_oneof!["[a-c]", Just(".".to_owned())];
        (0_u16..4, any::<u16>(), 0_u16..3, host).prop_map(|(priority, weight, port, host)| Target {
            priority,
            weight,
            port,
            host,
        })
    }

    proptest! {
        #[test]
        fn classes_are_of_one_priority_each_and_in_order(targets in proptest::collection::vec(target(), 0..20)) {
            let classes = classes(targets.clone());
            let mut last = None;
            for class in &classes {
                let first = class.first().map(|target| target.priority);
                prop_assert!(first.is_some() && first > last);
                prop_assert!(class.iter().all(|target| Some(target.priority) == first));
                last = first;
            }
            let serves = |target: &&Target| target.host != "." && target.port != 0;
            let count: usize = classes.iter().map(Vec::len).sum();
            prop_assert_eq!(count, targets.iter().filter(serves).count());
            for target in targets {
                prop_assert!((1..=1000).contains(&target.share()));
            }
        }
    }
}
