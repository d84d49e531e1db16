use std::sync::Arc;

/// A name and its value.
pub type AnswerField = (Box<str>, Box<[u8]>);

/// A response that a filter gives itself. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names and values, checked; without the framing, which depends on the
    /// request and the connection.
    pub fields: Arc<[AnswerField]>,
    pub body: Arc<[u8]>,
}
