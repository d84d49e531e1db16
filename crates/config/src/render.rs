//! Problems as a person reads them: place, source line, caret, and what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::problems::{Problem, Problems, Severity};

/// Problems shown of one text. More than that come from a generator or from a file that is no configuration.
const SHOWN: usize = 200;

impl Problems {
    /// The problems as text, each with `file:line:column`, the source line and a caret; then a summary.
    /// Beyond 200 they are only counted. `color` adds terminal colours.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut out = String::new();
        for problem in self.iter().take(SHOWN) {
            out.push_str(&renderer.render(&[self.report(problem)]));
            out.push_str("\n\n");
        }
        if self.len() > SHOWN {
            out.push_str(&format!("and {} more, not shown\n\n", self.len() - SHOWN));
        }
        if !self.is_empty() {
            out.push_str(&self.summary());
        }
        let is_own = |letter: char| letter == '\n' || (color && letter == '\u{1b}');
        escaped(&out, is_own)
    }

    fn report<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let (file, text, span) = self.place(problem.span);
        let mut source = Snippet::source(text)
            .path(name(file))
            .annotation(AnnotationKind::Primary.span(span.start..span.end));
        let mut elsewhere = None;
        if let Some((span, label)) = &problem.related {
            let (other, _, local) = self.place(*span);
            if other == file {
                let there = AnnotationKind::Context.span(local.start..local.end);
                source = source.annotation(there.label(label));
            } else {
                elsewhere = Some(format!("{label}: {}:{}", name(other), self.position(*span)));
            }
        }
        let help = problem.help.as_deref();
        level
            .primary_title(&problem.message)
            .element(source)
            .elements(elsewhere.map(|place| Level::NOTE.message(place)))
            .elements(help.map(|help| Level::HELP.message(help)))
    }

    fn summary(&self) -> String {
        let errors = self.errors();
        let warnings = self.len() - errors;
        let counted: Vec<_> = [(errors, "error"), (warnings, "warning")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
            .collect();
        format!("{}: {}\n", name(self.file()), counted.join(", "))
    }
}

/// A file's name on one line.
fn name(file: &str) -> String {
    escaped(file, |_| false)
}

/// Nothing that does something to a terminal, but for what is `kept`.
fn escaped(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() && !kept(letter) {
            true => escaped.extend(letter.escape_default()),
            false => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    fn sample() -> Problems {
        let mut problems = Problems::new("forebay.yaml", "a: 1\nserver:\n  adress: x\n");
        problems
            .error(Span::new(15, 21), "unknown key `adress`")
            .suggest(Some("address".to_owned()))
            .also(Span::new(5, 11), "in this section");
        problems.warning(Span::new(0, 1), "strange key");
        problems
    }

    #[test]
    fn place_line_caret_and_help_are_shown() {
        let shown = sample().render(false);
        for part in [
            "error: unknown key `adress`",
            "forebay.yaml:3:3",
            "  adress: x\n",
            "^^^^^^",
            "in this section",
            "help: did you mean `address`?",
            "warning: strange key",
            "forebay.yaml:1:1",
            "forebay.yaml: 1 error, 1 warning\n",
        ] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
        assert!(!shown.contains('\x1b'));
    }

    #[test]
    fn colours_are_added_when_asked_for() {
        assert!(sample().render(true).contains("\x1b["));
    }

    #[test]
    fn a_flood_of_problems_is_cut_and_counted() {
        let mut problems = Problems::new("a.yaml", "x".repeat(500));
        for at in 0..500 {
            problems.error(Span::new(at, at + 1), format!("wrong {at}"));
        }
        let shown = problems.render(false);
        assert!(shown.contains("wrong 199\n") && !shown.contains("wrong 200\n"));
        assert!(shown.ends_with("and 300 more, not shown\n\na.yaml: 500 errors\n"));
    }

    #[test]
    fn no_problems_no_text() {
        assert_eq!(Problems::new("a.yaml", "").render(false), "");
    }

    #[test]
    fn the_place_shown_is_the_place_counted() {
        let text = "\u{feff}ä: \t[ö]\r\n漢字: x\n\n";
        for at in 0..=text.len() + 1 {
            let mut problems = Problems::new("f", text);
            let span = problems.error(Span::new(at, at + 1), "here").span;
            let place = format!("f:{}", problems.position(span));
            let shown = problems.render(false);
            assert!(shown.contains(&place), "{at}: {place} not in\n{shown}");
        }
    }
}
