use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What clients get to see of a failure, in place of Forebay's own few words.
///
/// Pages are often somebody's HTML, with scripts and prices in it, so a `$`
/// that begins none of the four variables stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    pub content_type: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Status,
    Title,
    Reason,
    RequestId,
}

const VARIABLES: &[(&str, Part)] = &[
    ("${status}", Part::Status),
    ("${title}", Part::Title),
    ("${reason}", Part::Reason),
    ("${request_id}", Part::RequestId),
];

/// What a page may tell of a failure. All of it is plain ASCII without quotes,
/// angle brackets or anything else that a page could trip over.
#[derive(Debug, Clone, Copy)]
pub struct PageFacts<'a> {
    pub status: u16,
    /// The words that go with the status, such as `Not Found`.
    pub title: &'a str,
    /// The stable reason, such as `no_route`.
    pub reason: &'a str,
    pub request_id: &'a str,
}

impl ErrorPage {
    pub fn new(content_type: &str, text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((at, name, part)) = next_variable(rest) {
            let (before, after) = rest.split_at(at);
            parts.push(Part::Literal(before.into()));
            parts.push(part.clone());
            rest = after.strip_prefix(name).unwrap_or_default();
        }
        parts.push(Part::Literal(rest.into()));
        Self {
            content_type: content_type.into(),
            parts: parts.into(),
        }
    }

    pub fn render(&self, facts: &PageFacts<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            let status;
            out.extend_from_slice(match part {
                Part::Literal(text) => text.as_bytes(),
                Part::Title => facts.title.as_bytes(),
                Part::Reason => facts.reason.as_bytes(),
                Part::RequestId => facts.request_id.as_bytes(),
                Part::Status => {
                    status = facts.status.to_string();
                    status.as_bytes()
                }
            });
        }
        out
    }

    /// Whether a client that asks for JSON can read it.
    fn is_json(&self) -> bool {
        let kind = self.content_type.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        kind == "application/json" || kind.ends_with("+json")
    }
}

/// The page as it was written.
impl fmt::Display for ErrorPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            variable => {
                let mut names = VARIABLES.iter();
                let named = names.find(|(_, known)| known == variable);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        })
    }
}

fn next_variable(text: &str) -> Option<(usize, &'static str, &'static Part)> {
    VARIABLES
        .iter()
        .filter_map(|(name, part)| Some((text.find(name)?, *name, part)))
        .min_by_key(|&(at, ..)| at)
}

/// Pages for failures; the first that fits is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorPages(Vec<(RangeInclusive<u16>, Arc<ErrorPage>)>);

impl ErrorPages {
    pub fn add(&mut self, statuses: RangeInclusive<u16>, page: &Arc<ErrorPage>) {
        self.0.push((statuses, Arc::clone(page)));
    }

    /// The page for a status. Clients that want JSON get only pages that are.
    pub fn find(&self, status: u16, wants_json: bool) -> Option<&ErrorPage> {
        self.0
            .iter()
            .find(|(statuses, page)| statuses.contains(&status) && page.is_json() == wants_json)
            .map(|(_, page)| &**page)
    }

    /// The statuses that each page is for.
    pub fn statuses(&self) -> impl Iterator<Item = &RangeInclusive<u16>> {
        self.0.iter().map(|(statuses, _)| statuses)
    }

    /// What there is, in words.
    pub fn describe(&self) -> String {
        let each = self.0.iter().map(|(statuses, page)| {
            let (first, last) = (statuses.start(), statuses.end());
            let range = match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            };
            format!("{range} ({})", page.content_type)
        });
        each.collect::<Vec<_>>().join(", ")
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: PageFacts<'_> = PageFacts {
        status: 404,
        title: "Not Found",
        reason: "no_route",
        request_id: "id-1",
    };

    #[test]
    fn variables_are_replaced_and_everything_else_stays() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            (
                "${status} ${title}: ${reason} ${request_id}",
                "404 Not Found: no_route id-1",
            ),
            ("${status}${status}", "404404"),
            (
                "$5 `${price}` $${status} ${statu",
                "$5 `${price}` $404 ${statu",
            ),
        ] {
            let page = ErrorPage::new("text/html", text);
            assert_eq!(page.render(&FACTS), expected.as_bytes(), "{text}");
            assert_eq!(page.to_string(), text);
        }
    }

    #[test]
    fn the_first_page_that_fits_is_taken() {
        let html = Arc::new(ErrorPage::new("text/html; charset=utf-8", "h"));
        let json = Arc::new(ErrorPage::new("application/problem+JSON", "j"));
        let mut pages = ErrorPages::default();
        pages.add(404..=404, &html);
        pages.add(500..=599, &json);
        pages.add(400..=599, &html);
        for (status, wants_json, expected) in [
            (404, false, Some("h")),
            (404, true, None),
            (503, true, Some("j")),
            (503, false, Some("h")),
            (413, true, None),
        ] {
            let found = pages.find(status, wants_json);
            let found = found.map(|page| String::from_utf8(page.render(&FACTS)).unwrap());
            assert_eq!(found.as_deref(), expected, "{status} {wants_json}");
        }
        assert_eq!(
            pages.describe(),
            "404 (text/html; charset=utf-8), 500-599 (application/problem+JSON), \
             400-599 (text/html; charset=utf-8)"
        );
    }
}
