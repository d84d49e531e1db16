//! The admin API.

use std::net::{Ipv4Addr, SocketAddr};

use crate::span::Spanned;
use crate::value::form::WORD;

choices! {
    /// What a token opens.
    pub enum AdminScope {
        /// Everything.
        Admin = "admin",
        /// Only `/v1/services`, for services that register themselves.
        Registry = "registry",
    }
}

settings! {
    /// The admin API: what runs and why, and changing it. `admin: {}` switches it on.
    "the admin API" => pub struct Admin {
        /// IP address and port to serve it at; port 0 takes any free port. Anywhere but on the loopback interface it needs a token.
        address: Spanned<SocketAddr> = Spanned::unwritten((Ipv4Addr::LOCALHOST, 8081).into()), example "127.0.0.1:8081";
        /// What a client has to send as `Authorization: Bearer`; it opens everything. At least 16 bytes.
        token: Option<Spanned<String>>, rule Form(&WORD), example "${env:FOREBAY_ADMIN_TOKEN}";
        /// Further tokens, each with what it opens.
        tokens: Vec<Spanned<AdminToken>>, example [{"token": "${env:SERVICES_TOKEN}", "scope": "registry"}];
        /// A file that keeps what was changed through the API, and the services that have registered, for the next start. Written within
        /// a second; read when Forebay starts.
        state_file: Option<Spanned<String>>, rule Form(&WORD), example "/var/lib/forebay/state.json";
    }

    /// A token of the admin API.
    "a token" => pub struct AdminToken {
        /// What a client has to send as `Authorization: Bearer`. At least 16 bytes.
        token: Spanned<String>, rule Form(&WORD), example "${env:SERVICES_TOKEN}";
        /// What it opens.
        scope: Spanned<AdminScope> = Spanned::unwritten(AdminScope::Admin), example "registry";
    }
}
