//! Field names that Forebay itself looks at, recognised once while parsing so
//! that every later step compares one byte instead of a string.

macro_rules! known {
    ($($variant:ident = $text:literal,)*) => {
        /// A well-known field name, or `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known { Other, $($variant,)* }

        impl Known {
            const ALL: &'static [(&'static str, Known)] = &[$(($text, Known::$variant),)*];

            /// The usual spelling; empty for `Other`.
            pub fn as_str(self) -> &'static str {
                match self { Known::Other => "", $(Known::$variant => $text,)* }
            }

            /// The usual spelling with the colon and the space behind it.
            pub(crate) fn line_start(self) -> &'static str {
                match self { Known::Other => ": ", $(Known::$variant => concat!($text, ": "),)* }
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
    Connection = "Connection",
    ContentLength = "Content-Length",
    ContentType = "Content-Type",
    Cookie = "Cookie",
    Date = "Date",
    ETag = "ETag",
    Expect = "Expect",
    Expires = "Expires",
    Forwarded = "Forwarded",
    Host = "Host",
    KeepAlive = "Keep-Alive",
    LastModified = "Last-Modified",
    Location = "Location",
    Origin = "Origin",
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
    XForwardedProto = "X-Forwarded-Proto",
    XRealIp = "X-Real-IP",
    XRequestId = "X-Request-ID",
}

/// Longest known name.
const LONGEST: usize = 19;

/// A known name as it is recognised.
#[derive(Clone, Copy)]
struct Candidate {
    known: Known,
    /// The name with bit 5 of every byte set, which folds the letter case.
    folded: [u8; LONGEST],
}

/// For each length, the known names of that length: built at compile time so
/// that recognising a name costs a handful of comparisons.
const BY_LENGTH: [[Candidate; 8]; LONGEST + 1] = {
    let none = Candidate {
        known: Known::Other,
        folded: [0; LONGEST],
    };
    let mut table = [[none; 8]; LONGEST + 1];
    let mut fill = [0usize; LONGEST + 1];
    let mut i = 0;
    while i < Known::ALL.len() {
        let (text, known) = Known::ALL[i];
        let text = text.as_bytes();
        let mut folded = [0; LONGEST];
        let mut at = 0;
        while at < text.len() {
            folded[at] = text[at] | 0x20;
            at += 1;
        }
        table[text.len()][fill[text.len()]] = Candidate { known, folded };
        fill[text.len()] += 1;
        i += 1;
    }
    table
};

// One bit of a `KnownSet` for each.
const _: () = assert!(Known::ALL.len() < 64);

impl Candidate {
    /// The first byte alone rules out most; then all bytes are compared. The
    /// only bytes of a token that fold onto a letter or a hyphen are that letter
    /// in either case, and the hyphen.
    fn is(&self, name: &[u8]) -> bool {
        name.first().is_some_and(|b| b | 0x20 == self.folded[0])
            && name
                .iter()
                .zip(&self.folded)
                .all(|(b, folded)| b | 0x20 == *folded)
    }
}

impl Known {
    /// Recognises a field name in any letter case.
    pub fn of(name: &[u8]) -> Known {
        let Some(candidates) = BY_LENGTH.get(name.len()) else {
            return Known::Other;
        };
        for candidate in candidates {
            if candidate.known == Known::Other {
                break;
            }
            if candidate.is(name) {
                return candidate.known;
            }
        }
        Known::Other
    }
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
        for other in ["X-Custom", "X_Real_IP", "\u{7f}ost", "Hosts", "Hos"] {
            assert_eq!(Known::of(other.as_bytes()), Known::Other, "{other}");
        }
        assert_eq!(Known::of(b""), Known::Other);
        assert_eq!(Known::of(&[b'a'; 100]), Known::Other);
    }
}
