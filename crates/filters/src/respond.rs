use message::{Known, RequestHead};

use crate::field_rules::check_response_field;
use crate::{Answer, AnswerField, Facts, Filter, Step, Verdict};

/// Gives every request the same answer.
#[derive(Debug, Clone)]
pub struct Respond {
    answer: Answer,
}

impl Respond {
    /// A body without a `Content-Type` is called plain text. The error is a
    /// sentence for people.
    pub fn new(
        status: u16,
        fields: Vec<(String, String)>,
        body: impl Into<Vec<u8>>,
    ) -> Result<Self, String> {
        let body = body.into();
        if !(200..=599).contains(&status) {
            return Err(format!(
                "{status} is not the status of a final answer (200 to 599)"
            ));
        }
        // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5.
        if matches!(status, 204 | 205 | 304) && !body.is_empty() {
            return Err(format!("an answer with status {status} has no body"));
        }
        let mut checked: Vec<AnswerField> = Vec::with_capacity(fields.len() + 1);
        for (name, value) in fields {
            check_response_field(&name)?;
            check_value(&name, &value)?;
            checked.push((name.into(), value.into_bytes().into()));
        }
        let typed = checked
            .iter()
            .any(|(name, _)| Known::of(name.as_bytes()) == Known::ContentType);
        if !typed && !body.is_empty() {
            let plain: &[u8] = b"text/plain; charset=utf-8";
            checked.push((Known::ContentType.as_str().into(), plain.into()));
        }
        let answer = Answer {
            status,
            fields: checked.into(),
            body: body.into(),
        };
        Ok(Self { answer })
    }
}

/// Fixed values are held to the grammar of RFC 9110 section 5.5.
fn check_value(name: &str, value: &str) -> Result<(), String> {
    match value.chars().find(|&c| c.is_ascii_control() && c != '\t') {
        Some(odd) => Err(format!(
            "the value of `{name}` cannot hold `{}`",
            odd.escape_debug()
        )),
        None => Ok(()),
    }
}

impl Filter for Respond {
    fn name(&self) -> &'static str {
        "respond"
    }

    fn request(
        &self,
        _request: &mut RequestHead,
        _facts: &Facts<'_>,
        _scratch: &mut Vec<u8>,
    ) -> Verdict {
        Verdict::Answer(self.answer.clone())
    }

    fn describe(&self) -> String {
        let Answer { status, body, .. } = &self.answer;
        match body.len() {
            0 => format!("respond {status} without a body"),
            1 => format!("respond {status} with a body of 1 byte"),
            len => format!("respond {status} with a body of {len} bytes"),
        }
    }

    fn steps(&self) -> Vec<Step> {
        let Answer {
            status,
            fields,
            body,
        } = &self.answer;
        let mut steps = vec![Step::new("respond", status.to_string())];
        steps.extend(fields.iter().map(|(name, value)| {
            let what = format!("respond {name}");
            Step::of_response(what, name, String::from_utf8_lossy(value))
        }));
        if !body.is_empty() {
            steps.push(Step::new("respond body", String::from_utf8_lossy(body)));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{facts, request};

    fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Result<Vec<String>, String> {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let filter = Respond::new(status, fields, body)?;
        let mut head = request("GET", "/", &[]);
        let Verdict::Answer(answer) = filter.request(&mut head, &facts(), &mut Vec::new()) else {
            panic!("no answer");
        };
        assert_eq!(answer.status, status);
        assert_eq!(&*answer.body, body.as_bytes());
        let line =
            |(name, value): &AnswerField| format!("{name}: {}", String::from_utf8_lossy(value));
        Ok(answer.fields.iter().map(line).collect())
    }

    #[test]
    fn answers() {
        for (status, fields, body, expected) in [
            (204, &[][..], "", &[][..]),
            (200, &[], "ok", &["Content-Type: text/plain; charset=utf-8"]),
            (
                503,
                &[("content-type", "text/html"), ("Retry-After", "5")],
                "<p>later",
                &["content-type: text/html", "Retry-After: 5"],
            ),
        ] {
            assert_eq!(answer(status, fields, body).unwrap(), expected);
        }
    }

    #[test]
    fn refused() {
        for (status, fields, body, expected) in [
            (101, &[][..], "", "final answer"),
            (600, &[], "", "final answer"),
            (0, &[], "", "final answer"),
            (204, &[], "x", "no body"),
            (304, &[], "x", "no body"),
            (200, &[("Content-Length", "5")], "x", "`Content-Length`"),
            (200, &[("Connection", "close")], "x", "`Connection`"),
            (200, &[("X-A", "a\r\nb")], "x", "cannot hold `\\r`"),
            (200, &[("X A", "a")], "x", "not a header name"),
        ] {
            let message = answer(status, fields, body).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn describes_itself() {
        let of = |body: &str| Respond::new(200, Vec::new(), body).unwrap().describe();
        assert_eq!(of(""), "respond 200 without a body");
        assert_eq!(of("hello"), "respond 200 with a body of 5 bytes");
    }
}
