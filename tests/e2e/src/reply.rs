//! What a backend answers with.

/// Bytes, and what becomes of the connection after them.
pub struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) after: After,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    KeepOpen,
    Close,
    Reset,
}

impl Reply {
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let after = After::KeepOpen;
        Self { bytes, after }
    }

    /// 200 with a body of known length.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::with("200 OK", &[], body)
    }

    pub fn with(status: &str, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    #[must_use]
    pub fn then_close(mut self) -> Self {
        self.after = After::Close;
        self
    }

    #[must_use]
    pub fn then_reset(mut self) -> Self {
        self.after = After::Reset;
        self
    }
}
