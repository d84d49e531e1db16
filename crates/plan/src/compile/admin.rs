//! `admin`.

use config::{Problems, Settings, Spanned};

use crate::{AdminEndpoint, AdminScope, AdminToken};

/// Tokens shorter than this can be guessed.
const SHORTEST: usize = 16;

pub(super) fn compile(settings: &Settings, problems: &mut Problems) -> Option<AdminEndpoint> {
    let written = settings.admin.as_ref()?;
    let mut tokens = Vec::new();
    if let Some(text) = &written.token {
        tokens.extend(token(text, AdminScope::Admin, problems));
    }
    for further in &written.tokens {
        let scope = match *further.scope {
            config::AdminScope::Admin => AdminScope::Admin,
            config::AdminScope::Registry => AdminScope::Registry,
        };
        tokens.extend(token(&further.token, scope, problems));
    }
    let address = *written.address;
    let is_guarded = written.token.is_some() || !written.tokens.is_empty();
    if !address.ip().is_loopback() && !is_guarded {
        problems
            .error(
                written.address.span,
                format!("at {address} the admin API is open to others, and there is no token"),
            )
            .help("add `token: \"${env:FOREBAY_ADMIN_TOKEN}\"`, or take an address such as `127.0.0.1:8081`");
    }
    let state_file = written.state_file.as_ref();
    Some(AdminEndpoint {
        address,
        tokens,
        state_file: state_file.map(|path| path.as_str().into()),
    })
}

fn token(text: &Spanned<String>, scope: AdminScope, problems: &mut Problems) -> Option<AdminToken> {
    // What cannot be sent in a header field opens nothing.
    let complaint = if text.len() < SHORTEST {
        format!("the token is shorter than {SHORTEST} bytes")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "the token has letters that cannot be sent in a header field".to_owned()
    } else {
        return Some(AdminToken::new(text, scope));
    };
    if text.is_written() {
        let problem = problems.error(text.span, complaint);
        problem.help("`openssl rand -hex 32` makes a good one");
    }
    None
}
