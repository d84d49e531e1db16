//! What routes do to requests and responses.

use std::collections::HashMap;
use std::sync::Arc;

use config::{Pair, Pairs, Problems, Settings, Span, Spanned, suggest};
use filters::{
    Filter, HeaderChange, Redirect, ReplacePrefix, Respond, Rewrite, SetHeaders,
    check_request_field, check_response_field,
};

use super::checked::{parsed, template};
use super::unique::Unique;

/// Filters in the order in which requests pass them.
#[derive(Default, Clone)]
pub(super) struct Built {
    pub(super) filters: Vec<Arc<dyn Filter>>,
    /// Groups of the route's path expression that their templates quote.
    pub(super) captures: Vec<Spanned<String>>,
    /// Where they quote certificates of clients.
    pub(super) certificates: Vec<Span>,
}

impl Built {
    fn add<F: Filter + 'static>(&mut self, filter: Option<F>) {
        if let Some(filter) = filter {
            self.filters.push(Arc::new(filter));
        }
    }

    fn template(
        &mut self,
        text: &Spanned<String>,
        problems: &mut Problems,
    ) -> Option<filters::Template> {
        let template = template(text, problems)?;
        let captures = template.captures();
        let captures = captures.map(|name| Spanned::new(name.to_owned(), text.span));
        self.captures.extend(captures);
        if template.quotes_certificate() {
            self.certificates.push(text.span);
        }
        Some(template)
    }
}

/// The lists of filters, as routes name them.
pub(super) struct Lists<'a>(HashMap<&'a str, Built>);

impl<'a> Lists<'a> {
    pub(super) fn new(settings: &'a Settings, problems: &mut Problems) -> Self {
        let mut ids = Unique::default();
        let mut lists = HashMap::new();
        for list in &settings.filter_lists {
            ids.check("list of filters", &list.id, problems);
            let built = build(&list.filters, problems);
            if built.filters.is_empty() && !problems.has_errors() {
                let message = format!("the list `{}` has no filters in it", list.id.value);
                problems.warning(list.id.span, message);
            }
            lists.entry(list.id.as_str()).or_insert(built);
        }
        Self(lists)
    }

    fn find(&self, id: &Spanned<String>, problems: &mut Problems) -> Option<&Built> {
        let found = self.0.get(id.as_str());
        if found.is_none() && id.is_written() {
            let message = format!("there is no list of filters `{}`", id.value);
            let problem = problems.error(id.span, message);
            match suggest(id, self.0.keys().copied()) {
                Some(word) => problem.suggest(Some(word)),
                None => problem.help("define it under `filter_lists`"),
            };
        }
        found
    }
}

/// The filters of a route: those of its lists, its own, and the one that
/// answers, if any.
pub(super) fn of_route(route: &config::Route, lists: &Lists<'_>, problems: &mut Problems) -> Built {
    let mut all = Built::default();
    for id in &route.filter_lists {
        if let Some(list) = lists.find(id, problems) {
            all.filters.extend(list.filters.iter().cloned());
            let captures = list.captures.iter();
            let captures = captures.map(|name| Spanned::new(name.value.clone(), id.span));
            all.captures.extend(captures);
            all.certificates.extend(&list.certificates);
        }
    }
    let own = build(&route.filters, problems);
    all.filters.extend(own.filters);
    all.captures.extend(own.captures);
    all.certificates.extend(own.certificates);
    if let Some(respond) = &route.respond {
        all.add(fixed_answer(respond, problems));
    }
    if let Some(redirect) = &route.redirect {
        let to = all.template(&redirect.to, problems);
        let filter =
            to.and_then(|to| parsed(&redirect.to, Redirect::new(redirect.status, to), problems));
        all.add(filter);
    }
    all
}

fn build(written: &config::Filters, problems: &mut Problems) -> Built {
    let mut built = Built::default();
    if let Some(prefix) = &written.strip_prefix {
        built.add(parsed(prefix, ReplacePrefix::strip(prefix), problems));
    }
    if let Some(replace) = &written.replace_prefix
        && replace.to.is_written()
    {
        let filter = ReplacePrefix::new(&replace.from, &replace.to);
        built.add(parsed(&replace.from, filter, problems));
    }
    if let Some(rewrite) = &written.rewrite {
        let to = built.template(rewrite, problems);
        let filter = to.and_then(|to| parsed(rewrite, Rewrite::new(to), problems));
        built.add(filter);
    }
    let mut added = Changes::new(check_request_field);
    added.set(&written.add_headers, &mut built, problems);
    built.add(added.filter("add_headers", SetHeaders::of_requests, problems));
    if let Some(changes) = &written.request_headers {
        let changes = Changes::of(changes, check_request_field, &mut built, problems);
        built.add(changes.filter("request_headers", SetHeaders::of_requests, problems));
    }
    if let Some(changes) = &written.response_headers {
        let changes = Changes::of(changes, check_response_field, &mut built, problems);
        built.add(changes.filter("response_headers", SetHeaders::of_responses, problems));
    }
    built
}

/// Changes to a header, each with the name that it has in the file.
struct Changes<'a> {
    check: fn(&str) -> Result<(), String>,
    changes: Vec<HeaderChange>,
    names: Vec<&'a Spanned<String>>,
}

impl<'a> Changes<'a> {
    fn new(check: fn(&str) -> Result<(), String>) -> Self {
        Self {
            check,
            changes: Vec::new(),
            names: Vec::new(),
        }
    }

    fn of(
        written: &'a config::HeaderChanges,
        check: fn(&str) -> Result<(), String>,
        built: &mut Built,
        problems: &mut Problems,
    ) -> Self {
        let mut changes = Self::new(check);
        for name in &written.remove {
            changes.push(name, HeaderChange::Remove(name.value.clone()), problems);
        }
        changes.set(&written.set, built, problems);
        for Pair { name, value } in &written.append {
            if let Some(value) = built.template(value, problems) {
                let change = HeaderChange::Append(name.value.clone(), value);
                changes.push(name, change, problems);
            }
        }
        changes
    }

    fn set(&mut self, pairs: &'a Pairs, built: &mut Built, problems: &mut Problems) {
        for Pair { name, value } in pairs {
            if let Some(value) = built.template(value, problems) {
                self.push(name, HeaderChange::Set(name.value.clone(), value), problems);
            }
        }
    }

    /// A name that is not even one is said now, so that each gets its own
    /// report.
    fn push(&mut self, name: &'a Spanned<String>, change: HeaderChange, problems: &mut Problems) {
        if parsed(name, (self.check)(name), problems).is_some() {
            self.changes.push(change);
            self.names.push(name);
        }
    }

    fn filter(
        self,
        name: &'static str,
        new: fn(&'static str, Vec<HeaderChange>) -> Result<SetHeaders, filters::FieldFault>,
        problems: &mut Problems,
    ) -> Option<SetHeaders> {
        if self.changes.is_empty() {
            return None;
        }
        match new(name, self.changes) {
            Ok(filter) => Some(filter),
            Err(fault) => {
                if let Some(name) = self.names.get(fault.which) {
                    problems.error(name.span, fault.message);
                }
                None
            }
        }
    }
}

fn fixed_answer(respond: &Spanned<config::Respond>, problems: &mut Problems) -> Option<Respond> {
    let mut fields = Vec::new();
    if !respond.body.is_empty() || respond.content_type.is_written() {
        fields.push((
            "Content-Type".to_owned(),
            respond.content_type.value.clone(),
        ));
    }
    for Pair { name, value } in &respond.headers {
        parsed(name, check_response_field(name), problems)?;
        fields.push((name.value.clone(), value.value.clone()));
    }
    let built = Respond::new(respond.status, fields, respond.body.clone().into_bytes());
    match built {
        Ok(filter) => Some(filter),
        Err(message) => {
            problems.error(respond.span, message);
            None
        }
    }
}
