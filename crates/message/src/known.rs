//! Field names that Forebay itself looks at, recognised once while parsing so
//! that every later step compares one byte instead of a string.

macro_rules! known {
    ($($variant:ident = $text:literal,)*) => {
        /// A well-known field name, or `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            Other,
            /// Written with `_` for a `-`, and otherwise one of the names that a
            /// proxy writes itself. Some backends take it for that.
            Lookalike,
            $($variant,)*
        }

        impl Known {
            const ALL: &'static [(&'static str, Known)] = &[$(($text, Known::$variant),)*];

            /// The usual spelling; empty for `Other`.
            pub fn as_str(self) -> &'static str {
                match self { Known::Other | Known::Lookalike => "", $(Known::$variant => $text,)* }
            }

            /// The usual spelling with the colon and the space behind it.
            pub(crate) fn line_start(self) -> &'static str {
                match self { Known::Other | Known::Lookalike => ": ", $(Known::$variant => concat!($text, ": "),)* }
            }
        }
    };
}

known! {
    Accept = "Accept",
    AcceptEncoding = "Accept-Encoding",
    Age = "Age",
    Authorization = "Authorization",
    CacheControl = "Cache-Control",
    ClientCert = "Client-Cert",
    ClientCertChain = "Client-Cert-Chain",
    Connection = "Connection",
    ContentLength = "Content-Length",
    ContentType = "Content-Type",
    Cookie = "Cookie",
    Date = "Date",
    ETag = "ETag",
    Expect = "Expect",
    Expires = "Expires",
    Forwarded = "Forwarded",
    GrpcMessage = "Grpc-Message",
    GrpcStatus = "Grpc-Status",
    GrpcTimeout = "Grpc-Timeout",
    Host = "Host",
    KeepAlive = "Keep-Alive",
    LastModified = "Last-Modified",
    Location = "Location",
    Origin = "Origin",
    Proxy = "Proxy",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyConnection = "Proxy-Connection",
    ProxyStatus = "Proxy-Status",
    Range = "Range",
    Referer = "Referer",
    RetryAfter = "Retry-After",
    Server = "Server",
    SetCookie = "Set-Cookie",
    Te = "TE",
    Trailer = "Trailer",
    TransferEncoding = "Transfer-Encoding",
    Upgrade = "Upgrade",
    UserAgent = "User-Agent",
    Vary = "Vary",
    Via = "Via",
    XForwardedFor = "X-Forwarded-For",
    XForwardedHost = "X-Forwarded-Host",
    XForwardedPort = "X-Forwarded-Port",
    XForwardedPrefix = "X-Forwarded-Prefix",
    XForwardedProto = "X-Forwarded-Proto",
    XForwardedScheme = "X-Forwarded-Scheme",
    XForwardedServer = "X-Forwarded-Server",
    XForwardedSsl = "X-Forwarded-Ssl",
    XOriginalUrl = "X-Original-URL",
    XRealIp = "X-Real-IP",
    XRequestId = "X-Request-ID",
    XRewriteUrl = "X-Rewrite-URL",
}

/// Longest known name.
const LONGEST: usize = 19;

/// A name as three words, so that comparing two of one length takes three
/// comparisons. The words may overlap.
const fn words(name: &[u8]) -> [u64; 3] {
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        let middle = match name.split_at(8).1.first_chunk() {
            Some(middle) => u64::from_le_bytes(*middle),
            None => 0,
        };
        return [
            u64::from_le_bytes(*first),
            middle,
            u64::from_le_bytes(*last),
        ];
    }
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return [first as u64, 0, last as u64];
    }
    match *name {
        [a, b, c] => [u32::from_le_bytes([a, b, c, 0]) as u64, 0, 0],
        [a, b] => [u16::from_le_bytes([a, b]) as u64, 0, 0],
        [a] => [a as u64, 0, 0],
        _ => [0; 3],
    }
}

/// Some byte of the word is a `_`, or perhaps one before it is one: good enough
/// to look closer.
const fn has_underscore(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let zero_where_it_is = word ^ (b'_' as u64 * EACH);
    zero_where_it_is.wrapping_sub(EACH) & !zero_where_it_is & (0x80 * EACH) != 0
}

/// A known name as it is recognised.
#[derive(Clone, Copy)]
struct Candidate {
    known: Known,
    /// The words of the name in lower case.
    lower: [u64; 3],
    /// The bit that makes the difference between the cases, for every letter.
    case: [u64; 3],
}

impl Candidate {
    const NONE: Candidate = Candidate {
        known: Known::Other,
        lower: [0; 3],
        case: [0; 3],
    };

    const fn new(text: &str, known: Known) -> Self {
        let (mut lower, mut case) = ([0; LONGEST], [0; LONGEST]);
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() {
            lower[i] = text[i].to_ascii_lowercase();
            case[i] = if text[i].is_ascii_alphabetic() {
                0x20
            } else {
                0
            };
            i += 1;
        }
        Self {
            known,
            lower: words(lower.split_at(text.len()).0),
            case: words(case.split_at(text.len()).0),
        }
    }

    fn is(&self, words: [u64; 3]) -> bool {
        let same = |i: usize| words[i] | self.case[i] == self.lower[i];
        same(0) && same(1) && same(2)
    }
}

/// The known names by their length, and where each length begins: built at
/// compile time so that recognising a name costs a handful of comparisons.
const BY_LENGTH: ([Candidate; Known::ALL.len()], [usize; LONGEST + 2]) = {
    let mut names = [Candidate::NONE; Known::ALL.len()];
    let mut begins = [0; LONGEST + 2];
    let (mut length, mut filled) = (0, 0);
    while length <= LONGEST {
        begins[length] = filled;
        let mut i = 0;
        while i < Known::ALL.len() {
            let (text, known) = Known::ALL[i];
            if text.len() == length {
                names[filled] = Candidate::new(text, known);
                filled += 1;
            }
            i += 1;
        }
        length += 1;
    }
    begins[length] = filled;
    (names, begins)
};

// One bit of a `KnownSet` for each.
const _: () = assert!(Known::ALL.len() + 2 <= 64);

impl Known {
    /// Recognises a field name in any letter case.
    #[inline]
    pub fn of(name: &[u8]) -> Known {
        static NAMES: [Candidate; Known::ALL.len()] = BY_LENGTH.0;
        static BEGINS: [usize; LONGEST + 2] = BY_LENGTH.1;
        let length = name.len();
        let (Some(&begin), Some(&end)) = (BEGINS.get(length), BEGINS.get(length + 1)) else {
            return Known::Other;
        };
        let candidates = NAMES.get(begin..end).unwrap_or_default();
        let words = words(name);
        match candidates.iter().find(|candidate| candidate.is(words)) {
            Some(candidate) => candidate.known,
            None if candidates.is_empty() || !words.into_iter().any(has_underscore) => Known::Other,
            None => imitation(name, candidates),
        }
    }

    /// The variant stands for one name.
    pub fn is_name(self) -> bool {
        !matches!(self, Known::Other | Known::Lookalike)
    }
}

/// Out of line, for it is seldom asked.
#[cold]
#[inline(never)]
fn imitation(name: &[u8], candidates: &[Candidate]) -> Known {
    let dashed: Vec<u8> = name
        .iter()
        .map(|&byte| if byte == b'_' { b'-' } else { byte })
        .collect();
    let words = words(&dashed);
    match candidates.iter().find(|candidate| candidate.is(words)) {
        Some(candidate) if IMITATED.has(candidate.known) => Known::Lookalike,
        _ => Known::Other,
    }
}

/// What CGI and its descendants read alike with `-` and with `_`, and believe
/// because a proxy writes it.
const IMITATED: KnownSet = KnownSet::of(&[
    Known::ClientCert,
    Known::ClientCertChain,
    Known::ContentLength,
    Known::ProxyAuthorization,
    Known::TransferEncoding,
    Known::XForwardedFor,
    Known::XForwardedHost,
    Known::XForwardedProto,
    Known::XRealIp,
    Known::XRequestId,
]);

/// The same name to those who read `-` and `_` alike, as CGI does.
pub fn reads_alike(name: &[u8], other: &[u8]) -> bool {
    let dashed = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    name.len() == other.len()
        && name
            .iter()
            .zip(other)
            .all(|(&a, &b)| dashed(a) == dashed(b))
}

/// Some well-known names, as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownSet(u64);

impl KnownSet {
    /// Fields that concern one connection only and are never forwarded
    /// (RFC 9110 section 7.6.1), whether or not `Connection` names them.
    pub const HOP_BY_HOP: KnownSet = KnownSet::of(&[
        Known::Connection,
        Known::KeepAlive,
        Known::ProxyConnection,
        Known::Te,
        Known::TransferEncoding,
        Known::Upgrade,
    ]);

    /// `Other` cannot be in a set.
    pub const fn of(names: &[Known]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < names.len() {
            bits |= 1 << names[i] as u8;
            i += 1;
        }
        Self(bits & !1)
    }

    pub const fn has(self, known: Known) -> bool {
        self.0 >> known as u8 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_recognised_in_any_case() {
        for &(text, known) in Known::ALL {
            assert!(text.len() <= LONGEST);
            assert_eq!(Known::of(text.as_bytes()), known);
            assert_eq!(Known::of(text.to_ascii_lowercase().as_bytes()), known);
            assert_eq!(Known::of(text.to_ascii_uppercase().as_bytes()), known);
        }
        for other in [
            "X-Custom",
            "User_Agent",
            "Proxy_",
            "_",
            "\u{7f}ost",
            "Hosts",
            "Hos",
            "X\rReal\rIP",
            "a",
            "",
            "\u{1}ge",
        ] {
            assert_eq!(Known::of(other.as_bytes()), Known::Other, "{other}");
        }
        for imitation in ["X_Real_IP", "x-forwarded_FOR", "CONTENT_LENGTH"] {
            let known = Known::of(imitation.as_bytes());
            assert_eq!(known, Known::Lookalike, "{imitation}");
        }
        assert_eq!(Known::of(b""), Known::Other);
        assert_eq!(Known::of(&[b'a'; 100]), Known::Other);
    }
}
