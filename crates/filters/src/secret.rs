//! Which header fields carry secrets, whose values are not shown to anybody.

const SECRET: [&str; 6] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
];

/// What is shown in the place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Whether a field of this name carries a secret.
pub fn is_secret(name: &str) -> bool {
    SECRET
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}
