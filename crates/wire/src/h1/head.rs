//! The head of a message: a start line and fields (RFC 9112 sections 2 to 5).
//!
//! Parsing is incremental by line: a whole line is parsed once, as soon as it
//! has arrived, so however the bytes are split the result is the same and no
//! byte of a finished line is looked at twice.

use message::{Failure, Fields, Kind, Method, RequestHead, ResponseHead, Span, Version};

use super::scan::{self, FieldLine, Line};
use super::target::split_target;

/// How large a head may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the start line, without its line end.
    pub line: usize,
    /// Bytes of all field lines together, with their line ends.
    pub fields: usize,
    /// How many fields.
    pub count: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 8 * 1024,
            fields: 32 * 1024,
            count: 100,
        }
    }
}

/// A head that a `HeadParser` can fill.
pub trait ParsedHead {
    /// What it means that the first byte is that of no head.
    const NO_HEAD: &'static str;

    fn fields(&mut self) -> &mut Fields;

    /// Parses a start line that lies at the beginning of the head's text.
    fn start_line(&mut self, line: &[u8]) -> Result<(), Failure>;

    /// Called once the whole head lies in the text of the fields.
    fn complete(&mut self) -> Result<(), Failure>;

    /// The failure for bytes that break the grammar.
    fn malformed(detail: &'static str) -> Failure;
    fn line_too_long() -> Failure;
    fn fields_too_large() -> Failure;
}

/// How far the parsing of one head has come.
#[derive(Debug, Default)]
pub struct HeadParser {
    /// Bytes of finished lines, counted from the first byte of the head.
    done: usize,
    /// Where the fields begin; 0 while the start line is missing.
    fields_at: usize,
    count: usize,
}

impl HeadParser {
    /// Parses as many lines as `bytes` holds, which must begin where the head
    /// begins. Once the head is complete its text is copied into it, the parser
    /// is ready for the next one, and the head's length is returned.
    pub fn parse<H: ParsedHead>(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        head: &mut H,
    ) -> Result<Option<usize>, Failure> {
        loop {
            let rest = bytes.get(self.done..).unwrap_or_default();
            if self.fields_at > 0
                && let Some(line) = scan::field_line(rest)
            {
                self.check_size::<H>(line.len, limits)?;
                self.field(&line, rest, limits, head)?;
                self.done += line.len + 2;
                continue;
            }
            // The order of these checks must not depend on how much of the
            // line has arrived, so that the first fault found is always the same.
            check_first_byte::<H>(rest, self.fields_at == 0)?;
            let line = match scan::line(rest) {
                Line::Whole(line) => line,
                Line::BareLf(line) => {
                    self.check_size::<H>(line.len(), limits)?;
                    return Err(H::malformed("a line ends in LF without CR"));
                }
                Line::Partial => {
                    let line = rest.strip_suffix(b"\r").unwrap_or(rest);
                    return self.check_size::<H>(line.len(), limits).map(|()| None);
                }
            };
            self.check_size::<H>(line.len(), limits)?;
            if self.fields_at == 0 {
                head.start_line(line)?;
                self.fields_at = line.len() + 2;
            } else if line.is_empty() {
                let length = self.done + 2;
                let text = bytes.get(..length).unwrap_or_default();
                head.fields().intern(text);
                *self = Self::default();
                head.complete()?;
                return Ok(Some(length));
            } else {
                self.count_field::<H>(limits)?;
                return Err(H::malformed(field_fault(line)));
            }
            self.done += line.len() + 2;
        }
    }

    /// May the current line be `line` bytes long?
    fn check_size<H: ParsedHead>(&self, line: usize, limits: &Limits) -> Result<(), Failure> {
        if self.fields_at == 0 {
            if line > limits.line {
                return Err(H::line_too_long());
            }
        } else if line > 0 && self.done - self.fields_at + line + 2 > limits.fields {
            return Err(H::fields_too_large());
        }
        Ok(())
    }

    fn field<H: ParsedHead>(
        &mut self,
        line: &FieldLine,
        bytes: &[u8],
        limits: &Limits,
        head: &mut H,
    ) -> Result<(), Failure> {
        self.count_field::<H>(limits)?;
        if line.name_len > usize::from(u16::MAX) {
            return Err(H::fields_too_large());
        }
        head.fields().declare(
            line.known,
            Span::new(self.done, line.name_len),
            Span::new(self.done + line.value_at, line.value_len),
            line.is_plain(bytes),
        );
        Ok(())
    }

    fn count_field<H: ParsedHead>(&mut self, limits: &Limits) -> Result<(), Failure> {
        self.count += 1;
        if self.count > limits.count {
            return Err(H::fields_too_large());
        }
        Ok(())
    }
}

/// Refuses early what can never become a head, so that a client speaking
/// another protocol is told at once.
fn check_first_byte<H: ParsedHead>(rest: &[u8], is_first: bool) -> Result<(), Failure> {
    match rest.first() {
        Some(&first) if first == b'\r' || scan::is_token_byte(first) => Ok(()),
        Some(_) if is_first => Err(H::malformed(H::NO_HEAD)),
        Some(_) => Err(H::malformed(
            "a line begins with a byte that may not stand there",
        )),
        None => Ok(()),
    }
}

/// What is wrong with a whole line that is no field line. One that begins with
/// space would be a folded one (RFC 9112 section 5.2) and a space before the
/// colon changes the name (section 5.1): both are refused.
pub(super) fn field_fault(line: &[u8]) -> &'static str {
    let length = line.iter().take_while(|&&b| scan::is_token_byte(b)).count();
    let (name, rest) = line.split_at_checked(length).unwrap_or_default();
    match (name, rest) {
        ([], [b' ' | b'\t', ..]) => "a field is folded over several lines",
        ([], _) => "a field has no name",
        (_, []) => "a field line has no colon",
        (_, [b':', ..]) => "a field value holds a control character",
        (_, [b' ' | b'\t', ..]) => "space stands between a field name and its colon",
        _ => "a field name holds a byte that may not stand there",
    }
}

impl ParsedHead for RequestHead {
    const NO_HEAD: &'static str =
        "this is no HTTP/1.1: is it meant for a port with TLS, or with another protocol?";

    fn fields(&mut self) -> &mut Fields {
        &mut self.fields
    }

    /// `method SP target SP HTTP/1.x` with single spaces.
    fn start_line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let bad = || Self::malformed("the request line is not a method, a target and a version");
        let method = memchr::memchr(b' ', line).ok_or_else(bad)?;
        let version = memchr::memrchr(b' ', line).ok_or_else(bad)?;
        let target = version.checked_sub(method + 1).ok_or_else(bad)?;
        let name = line.get(..method).unwrap_or_default();
        if !scan::is_token(name) {
            return Err(bad());
        }
        self.version = request_version(line.get(version + 1..).unwrap_or_default())?;
        self.method = Method::of(name);
        self.method_text = Span::new(0, method);
        self.target = Span::new(method + 1, target);
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Failure> {
        split_target(self)
    }

    fn malformed(detail: &'static str) -> Failure {
        Failure::new(Kind::Malformed, detail)
    }

    fn line_too_long() -> Failure {
        Kind::TargetTooLong.into()
    }

    fn fields_too_large() -> Failure {
        Kind::HeadTooLarge.into()
    }
}

/// A minor version above 1 is treated as 1 (RFC 9110 section 2.5); another
/// major version is refused with 505.
fn request_version(text: &[u8]) -> Result<Version, Failure> {
    match text {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => {
            Ok(Version::Http11)
        }
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Kind::BadVersion.into())
        }
        _ => Err(RequestHead::malformed(
            "the request line does not end in an HTTP version",
        )),
    }
}

impl ParsedHead for ResponseHead {
    const NO_HEAD: &'static str = "what the backend says is no HTTP/1.1: does it want TLS (https://) or HTTP/2 (protocol: h2c)?";

    fn fields(&mut self) -> &mut Fields {
        &mut self.fields
    }

    /// `HTTP/1.x SP status SP reason`; the space before an absent reason is
    /// often left out and not missed.
    fn start_line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let bad = || Self::malformed("the status line is not a version and a status");
        let (version, rest) = line.split_at_checked(8).ok_or_else(bad)?;
        self.version = match version {
            b"HTTP/1.0" => Version::Http10,
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => {
                Version::Http11
            }
            _ => return Err(bad()),
        };
        let (status, reason) = match rest {
            [b' ', a, b, c] => ([*a, *b, *c], &[][..]),
            [b' ', a, b, c, b' ', reason @ ..] => ([*a, *b, *c], reason),
            _ => return Err(bad()),
        };
        self.status = scan::decimal(&status)
            .filter(|s| (100..=999).contains(s))
            .ok_or_else(bad)? as u16;
        if !scan::is_value(reason) {
            return Err(Self::malformed(
                "the reason phrase holds a control character",
            ));
        }
        self.reason = Span::new(line.len() - reason.len(), reason.len());
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn malformed(detail: &'static str) -> Failure {
        Failure::new(Kind::BadResponse, detail)
    }

    fn line_too_long() -> Failure {
        Kind::ResponseHeadTooLarge.into()
    }

    fn fields_too_large() -> Failure {
        Kind::ResponseHeadTooLarge.into()
    }
}

#[cfg(test)]
mod tests;
