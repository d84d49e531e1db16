//! Reads messages as they are written, and takes nothing that is not exactly
//! as Forebay should write it. Shares no code with Forebay's own codec.

/// A message's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Empty,
    Length(u64),
    Chunked,
    UntilEnd,
}

/// What some bytes amount to.
#[derive(Debug)]
pub(crate) enum Event {
    Head(Head),
    /// All the bytes taken are data of the body.
    Data,
    /// The message is complete; here are its trailers.
    End(Vec<(String, String)>),
}

enum Stage {
    Head,
    Body(Framing),
    /// Data of a chunk, and its line end.
    Chunk(u64),
    ChunkEnd,
    Trailers(Vec<(String, String)>),
}

/// Takes one direction of a connection apart.
pub(crate) struct Reader {
    stage: Stage,
    /// A head or a line that is not complete.
    partial: Vec<u8>,
}

const LONGEST: usize = 256 * 1024;

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Head,
            partial: Vec::new(),
        }
    }

    /// No message has begun.
    pub(crate) fn is_between(&self) -> bool {
        matches!(self.stage, Stage::Head) && self.partial.is_empty()
    }

    /// The body lasts until the end of the connection.
    pub(crate) fn is_until_end(&self) -> bool {
        matches!(self.stage, Stage::Body(Framing::UntilEnd))
    }

    /// To be called after a head, with where its body ends.
    pub(crate) fn begin_body(&mut self, framing: Framing) {
        self.stage = Stage::Body(framing);
    }

    /// Takes some of the bytes; says how many, and what they amount to.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), String> {
        match &mut self.stage {
            Stage::Head => self.take_head(bytes),
            Stage::Body(Framing::Empty | Framing::Length(0)) => {
                self.stage = Stage::Head;
                Ok((0, Some(Event::End(Vec::new()))))
            }
            Stage::Body(Framing::Length(left)) => {
                let n = bytes.len().min(*left as usize);
                *left -= n as u64;
                Ok((n, (n > 0).then_some(Event::Data)))
            }
            Stage::Body(Framing::UntilEnd) => {
                let n = bytes.len();
                Ok((n, (n > 0).then_some(Event::Data)))
            }
            Stage::Chunk(left) => {
                let n = bytes.len().min(*left as usize);
                *left -= n as u64;
                if *left == 0 {
                    self.stage = Stage::ChunkEnd;
                }
                Ok((n, (n > 0).then_some(Event::Data)))
            }
            Stage::Body(Framing::Chunked) | Stage::ChunkEnd | Stage::Trailers(_) => {
                self.take_line(bytes)
            }
        }
    }

    fn take_head(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), String> {
        for (i, &byte) in bytes.iter().enumerate() {
            self.partial.push(byte);
            if self.partial.ends_with(b"\r\n\r\n") {
                let text = std::mem::take(&mut self.partial);
                return Ok((i + 1, Some(Event::Head(head(&text)?))));
            }
        }
        match self.partial.len() {
            0..LONGEST => Ok((bytes.len(), None)),
            _ => Err("a head has no end".to_owned()),
        }
    }

    fn take_line(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), String> {
        let Some(end) = bytes.iter().position(|&b| b == b'\n') else {
            self.partial.extend_from_slice(bytes);
            return Ok((bytes.len(), None));
        };
        self.partial.extend_from_slice(&bytes[..=end]);
        let line = std::mem::take(&mut self.partial);
        let line = line.strip_suffix(b"\r\n").ok_or("a line without CR")?;
        let mut event = None;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Head) {
            Stage::Body(Framing::Chunked) => match chunk_size(line)? {
                0 => Stage::Trailers(Vec::new()),
                n => Stage::Chunk(n),
            },
            Stage::ChunkEnd if line.is_empty() => Stage::Body(Framing::Chunked),
            Stage::Trailers(mut trailers) if !line.is_empty() => {
                trailers.push(field(&text(line)?)?);
                Stage::Trailers(trailers)
            }
            Stage::Trailers(trailers) => {
                event = Some(Event::End(trailers));
                Stage::Head
            }
            _ => return Err(format!("no line end behind a chunk: {}", shown(line))),
        };
        Ok((end + 1, event))
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, String> {
    let is_plain = !line.is_empty() && line.iter().all(u8::is_ascii_hexdigit);
    let size = is_plain.then(|| u64::from_str_radix(&text(line).ok()?, 16).ok());
    size.flatten()
        .ok_or_else(|| format!("no chunk size: {}", shown(line)))
}

fn head(bytes: &[u8]) -> Result<Head, String> {
    let text = text(bytes)?;
    let mut lines = text.strip_suffix("\r\n\r\n").unwrap_or(&text).split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let fields: Result<_, String> = lines.map(field).collect();
    Ok(Head {
        start,
        fields: fields?,
    })
}

fn field(line: &str) -> Result<(String, String), String> {
    let (name, value) = line
        .split_once(": ")
        .or_else(|| line.split_once(':'))
        .ok_or_else(|| format!("no field: {line:?}"))?;
    if name.is_empty() || line.contains(['\r', '\n', '\0']) || name.contains(' ') {
        return Err(format!("no field: {line:?}"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("no text: {}", shown(bytes)))
}

/// The beginning of some bytes, for people.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let most = bytes.len().min(80);
    format!("\"{}\"", bytes[..most].escape_ascii())
}

impl Head {
    /// The values of a field, whatever the case of its name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let same = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).map(|(_, v)| &**v).collect()
    }

    /// The value of a field that stands there at most once.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, String> {
        match self.all(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(format!("{name} stands there more than once")),
        }
    }

    /// The framing that the fields announce, if any.
    pub(crate) fn announced(&self) -> Result<Option<Framing>, String> {
        let length = self.one("Content-Length")?;
        match (length, self.one("Transfer-Encoding")?) {
            (Some(_), Some(_)) => Err("both framings are announced".to_owned()),
            (Some(n), None) => match n.parse() {
                Ok(n) => Ok(Some(Framing::Length(n))),
                Err(_) => Err(format!("Content-Length is {n:?}")),
            },
            (None, Some("chunked")) => Ok(Some(Framing::Chunked)),
            (None, Some(coding)) => Err(format!("Transfer-Encoding is {coding:?}")),
            (None, None) => Ok(None),
        }
    }

    /// A field that holds a number in hexadecimal digits.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        u64::from_str_radix(text, 16)
            .map(Some)
            .map_err(|_| format!("{name} is {text:?}"))
    }
}

impl Reader {
    /// The token of a request that has begun, of which the head is not complete.
    pub(crate) fn token(&self) -> Option<u64> {
        let is_head = matches!(self.stage, Stage::Head);
        is_head.then(|| token(&self.partial)).flatten()
    }
}

/// The token in a request's target, if these bytes hold one.
pub(crate) fn token(bytes: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(bytes);
    let digits = ["/t/", "/own/", "/nowhere/"]
        .iter()
        .find_map(|folder| text.split_once(folder)?.1.get(..16))?;
    u64::from_str_radix(digits, 16).ok()
}
