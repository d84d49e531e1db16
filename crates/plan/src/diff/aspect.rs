//! What a part of a plan says, piece by piece, and how two lists of pieces
//! differ.

use std::collections::{BTreeMap, HashMap};

use filters::HIDDEN;

use super::Change;

/// One thing that a part of a plan says.
#[derive(Debug)]
pub(super) struct Aspect {
    what: String,
    /// Aspects with the same key are about the same thing.
    key: String,
    says: Says,
}

#[derive(Debug)]
enum Says {
    /// One value of a thing that is always there in some way.
    Value { value: Value, absent: &'static str },
    /// Several values whose order does not matter.
    Items {
        /// By their exact forms.
        items: BTreeMap<String, String>,
        absent: &'static str,
    },
    /// Something that is there or not.
    Clause { value: Value, phrase: String },
}

#[derive(Debug)]
struct Value {
    shown: String,
    /// To the last letter: what is compared.
    exact: String,
}

impl Aspect {
    /// A value; where the other side has none, `absent` stands for it.
    pub(super) fn value(what: &str, value: impl ToString, absent: &'static str) -> Self {
        let shown = value.to_string();
        let exact = shown.clone();
        let value = Value { shown, exact };
        Self::new(what, Says::Value { value, absent })
    }

    /// Values whose order does not matter, each as it is shown and compared.
    pub(super) fn items<S: ToString, E: ToString>(
        what: &str,
        items: impl IntoIterator<Item = (S, E)>,
        absent: &'static str,
    ) -> Self {
        let items = items.into_iter();
        let items = items.map(|(shown, exact)| (exact.to_string(), shown.to_string()));
        let items = items.collect();
        Self::new(what, Says::Items { items, absent })
    }

    /// Something that is there or not, with `phrase` for the whole of it.
    pub(super) fn clause(what: &str, value: impl ToString, phrase: impl ToString) -> Self {
        let shown = value.to_string();
        let value = Value {
            exact: shown.clone(),
            shown,
        };
        let phrase = phrase.to_string();
        Self::new(what, Says::Clause { value, phrase })
    }

    fn new(what: &str, says: Says) -> Self {
        Self {
            what: what.to_owned(),
            key: what.to_owned(),
            says,
        }
    }

    /// Compared by this in place of what is shown.
    pub(super) fn exactly(mut self, exact: impl ToString) -> Self {
        if let Says::Value { value, .. } | Says::Clause { value, .. } = &mut self.says {
            value.exact = exact.to_string();
        }
        self
    }

    /// What it is compared by, for an order of its own.
    pub(super) fn exact(&self) -> (&str, &str) {
        let exact = self.says.one().map_or("", |value| &value.exact);
        (&self.key, exact)
    }

    /// About the same thing as others with this key, whatever it is called.
    pub(super) fn keyed(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }
}

/// How one list of aspects became another. The order of aspects with one key
/// matters, that of others does not.
pub(super) fn compare(old: &[Aspect], new: &[Aspect]) -> Vec<Change> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut pairs: Vec<(Vec<&Aspect>, Vec<&Aspect>)> = Vec::new();
    for (aspect, is_new) in old
        .iter()
        .map(|aspect| (aspect, false))
        .chain(new.iter().map(|aspect| (aspect, true)))
    {
        let place = *places.entry(&aspect.key).or_insert(pairs.len());
        if place == pairs.len() {
            pairs.push(Default::default());
        }
        if let Some((olds, news)) = pairs.get_mut(place) {
            if is_new { news } else { olds }.push(aspect);
        }
    }
    let mut changes = Vec::new();
    for (olds, news) in pairs {
        for at in 0..olds.len().max(news.len()) {
            changes.extend(change(olds.get(at).copied(), news.get(at).copied()));
        }
    }
    changes
}

fn change(old: Option<&Aspect>, new: Option<&Aspect>) -> Vec<Change> {
    let Some(what) = new.or(old).map(|aspect| &aspect.what) else {
        return Vec::new();
    };
    let [old, new] = [old, new].map(|aspect| aspect.map(|aspect| &aspect.says));
    match (old, new) {
        (Some(Says::Items { items, absent }), None) => of_items(what, items, &no_items(), absent),
        (None, Some(Says::Items { items, absent })) => of_items(what, &no_items(), items, absent),
        (Some(Says::Items { items: old, absent }), Some(Says::Items { items: new, .. })) => {
            of_items(what, old, new, absent)
        }
        (Some(Says::Clause { phrase, .. }), None) => vec![Change::Lost(phrase.clone())],
        (None, Some(Says::Clause { phrase, .. })) => vec![Change::Gained(phrase.clone())],
        (Some(Says::Value { value, absent }), None) => vec![replaced(what, &value.shown, absent)],
        (None, Some(Says::Value { value, absent })) => vec![replaced(what, absent, &value.shown)],
        (Some(old), Some(new)) => match (old.one(), new.one()) {
            (Some(old), Some(new)) if old.exact == new.exact => Vec::new(),
            (Some(old), Some(new)) if old.shown == new.shown && old.shown.contains(HIDDEN) => {
                vec![replaced(what, &old.shown, "another one (hidden)")]
            }
            // Different in a way that people are spared elsewhere.
            (Some(old), Some(new)) if old.shown == new.shown => {
                vec![replaced(what, &old.exact, &new.exact)]
            }
            (Some(old), Some(new)) => vec![replaced(what, &old.shown, &new.shown)],
            _ => Vec::new(),
        },
        (None, None) => Vec::new(),
    }
}

impl Says {
    fn one(&self) -> Option<&Value> {
        match self {
            Self::Value { value, .. } | Self::Clause { value, .. } => Some(value),
            Self::Items { .. } => None,
        }
    }
}

fn no_items() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// What came and what went, where something stays; else all for all.
fn of_items(
    what: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    absent: &str,
) -> Vec<Change> {
    if old.keys().eq(new.keys()) {
        return Vec::new();
    }
    if !old.keys().any(|exact| new.contains_key(exact)) {
        let [old, new] = [old, new].map(|items| {
            let items: Vec<&str> = items.values().map(String::as_str).collect();
            match &*items {
                [] => absent.to_owned(),
                items => items.join(" or "),
            }
        });
        return vec![replaced(what, &old, &new)];
    }
    let only = |these: &BTreeMap<String, String>, others: &BTreeMap<String, String>| {
        let only = these.iter().filter(|(key, _)| !others.contains_key(*key));
        only.map(|(_, shown)| format!("{what} {shown}"))
            .collect::<Vec<_>>()
    };
    let lost = only(old, new).into_iter().map(Change::Lost);
    let gained = only(new, old).into_iter().map(Change::Gained);
    lost.chain(gained).collect()
}

pub(super) fn replaced(what: &str, old: &str, new: &str) -> Change {
    Change::Replaced {
        what: what.to_owned(),
        old: old.to_owned(),
        new: new.to_owned(),
    }
}
