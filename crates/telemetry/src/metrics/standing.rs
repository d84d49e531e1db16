//! How a backend stands, in figures.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingFigures {
    /// It is given requests as any other, or nearly so.
    pub is_up: bool,
    /// The breaker is closed, half open, or open.
    pub breaker: Breaker,
    /// Ejections ever.
    pub ejections: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}
