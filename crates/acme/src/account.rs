use instant_acme::{AccountCredentials, ExternalAccountKey, NewAccount};

use crate::client::Client;
use crate::{Answers, Fault, Wish};

/// Who gives certificates, and on which terms.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// URL of its directory.
    pub directory: &'a str,
    /// Authorities by which the directory itself is believed, in PEM form; those
    /// of the system where there are none.
    pub bundle: Option<&'a [u8]>,
    /// Where it writes to.
    pub emails: &'a [Box<str>],
    pub external: Option<&'a ExternalAccount>,
}

/// An account that was made elsewhere (RFC 8555 section 7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    pub key_id: Box<str>,
    pub hmac_key: Box<[u8]>,
}

/// An account with an authority.
pub struct Account {
    account: instant_acme::Account,
}

impl Account {
    /// The account that was kept, or a new one, which `keep` is given to be kept.
    /// The terms of the authority are agreed to.
    ///
    /// # Errors
    ///
    /// When the authority cannot be asked, or refuses; or what `keep` says.
    pub async fn open(
        authority: Authority<'_>,
        kept: Option<&str>,
        keep: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<Self, Fault> {
        let client = || Client::new(authority.bundle).map(Box::new);
        if let Some(kept) = kept {
            let credentials: AccountCredentials = serde_json::from_str(kept)
                .map_err(|error| Fault::new(format!("the account that was kept: {error}")))?;
            let account = instant_acme::Account::builder_with_http(client()?)
                .from_credentials(credentials)
                .await?;
            return Ok(Self { account });
        }
        let mails = authority.emails.iter().map(|mail| format!("mailto:{mail}"));
        let mails: Vec<String> = mails.collect();
        let contact: Vec<&str> = mails.iter().map(|mail| &**mail).collect();
        let wished = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let external = authority
            .external
            .map(|e| ExternalAccountKey::new(e.key_id.to_string(), &e.hmac_key));
        let (account, credentials) = instant_acme::Account::builder_with_http(client()?)
            .create(&wished, authority.directory.to_owned(), external.as_ref())
            .await
            .map_err(|error| Fault::from(error).about("no account can be had"))?;
        let text = serde_json::to_string(&credentials);
        let text = text.map_err(|error| Fault::new(error.to_string()))?;
        keep(&text).map_err(Fault::new)?;
        Ok(Self { account })
    }

    /// Orders a certificate: its key and then its chain, in PEM form.
    ///
    /// # Errors
    ///
    /// When the authority cannot be asked or refuses, most often because a check
    /// of a name has failed; what was wrong with it is told.
    pub async fn order(&self, wish: Wish<'_>, answers: &dyn Answers) -> Result<String, Fault> {
        crate::order::order(&self.account, wish, answers).await
    }
}

impl Fault {
    /// It may help to make another account.
    pub fn wants_another_account(&self) -> bool {
        self.is_account_unknown()
    }
}

impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExternalAccount")
            .field(&self.key_id)
            .finish()
    }
}
