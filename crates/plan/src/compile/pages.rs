//! `error_pages`.

use std::sync::Arc;

use config::{Problems, Spanned};
use filters::{ErrorPage, ErrorPages};

use super::Open;

/// Larger pages are a mistake: each answer carries one.
const LARGEST: usize = 1 << 20;

pub(super) fn compile(
    written: &[Spanned<config::ErrorPage>],
    open: &Open<'_>,
    problems: &mut Problems,
) -> ErrorPages {
    let mut pages = ErrorPages::default();
    for page in written {
        if page.status.is_empty() {
            problems
                .error(page.span, "the page is for no status")
                .help("add `status`, such as `status: [404, \"5xx\"]`");
        }
        let Some(text) = text(page, open, problems) else {
            continue;
        };
        let built = Arc::new(ErrorPage::new(&page.content_type, &text));
        for statuses in &page.status {
            pages.add(statuses.codes(), &built);
        }
    }
    pages
}

fn text(
    page: &Spanned<config::ErrorPage>,
    open: &Open<'_>,
    problems: &mut Problems,
) -> Option<String> {
    match (&page.body, &page.file) {
        (Some(body), None) => Some(body.value.clone()),
        (None, Some(file)) => {
            let read = open(file).map_err(|error| error.to_string());
            let text = read.and_then(|bytes| match String::from_utf8(bytes) {
                Ok(text) if text.len() <= LARGEST => Ok(text),
                Ok(_) => Err(format!("it is larger than {LARGEST} bytes")),
                Err(_) => Err("it is not UTF-8 text".to_owned()),
            });
            if let (Err(why), true) = (&text, file.is_written()) {
                let message = format!("the page `{}` cannot be used: {why}", file.value);
                problems.error(file.span, message);
            }
            text.ok()
        }
        (Some(_), Some(file)) => {
            problems
                .error(file.span, "the page has both `body` and `file`")
                .help("keep the one that is meant");
            None
        }
        (None, None) => {
            problems
                .error(page.span, "the page is empty")
                .help("add `body` or `file`");
            None
        }
    }
}
