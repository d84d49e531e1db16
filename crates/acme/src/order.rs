//! One order, from its names to the certificate (RFC 8555 section 7.4).

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SignatureAlgorithm};

use crate::fault::told;
use crate::{Answers, Challenge, Fault};

/// A certificate to be ordered.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub names: &'a [Box<str>],
    pub key: Key,
    pub challenge: Challenge,
}

/// What key a certificate is for. It is a new one each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    P256,
    P384,
    Rsa2048,
}

/// How long an authority may take to look at names, and to make a certificate.
const RETRIES: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));

impl Key {
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

pub(crate) async fn order(
    account: &Account,
    wish: Wish<'_>,
    answers: &dyn Answers,
) -> Result<String, Fault> {
    let names = wish
        .names
        .iter()
        .map(|name| Identifier::Dns(name.to_string()));
    let names: Vec<Identifier> = names.collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    if let Err(fault) = prove(&mut order, wish.challenge, answers).await {
        // The check of one name may have failed while that of another is begun.
        let why = why_not(&mut order, wish.challenge).await;
        return Err(why.unwrap_or(fault));
    }
    let decided = order.poll_ready(&RETRIES).await;
    if !matches!(decided, Ok(OrderStatus::Ready)) {
        return Err(why_not(&mut order, wish.challenge)
            .await
            .unwrap_or_else(|| {
                let refused = || Fault::new("the authority has refused, and does not say why");
                decided.err().map_or_else(refused, Fault::from)
            }));
    }
    let names: Vec<String> = wish.names.iter().map(ToString::to_string).collect();
    let key = KeyPair::generate_for(wish.key.algorithm())?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&RETRIES).await?;
    Ok(key.serialize_pem() + &chain)
}

/// Shows that the names lead here, as far as the authority does not know it.
async fn prove(order: &mut Order, way: Challenge, answers: &dyn Answers) -> Result<(), Fault> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let name = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => {
                return Err(Fault::new(format!(
                    "{name}: its check is {other:?} already"
                )));
            }
        }
        let Some(mut challenge) = authorization.challenge(way.kind()) else {
            let way = way.name();
            return Err(Fault::new(format!(
                "{name}: the authority does not offer the challenge {way}"
            )));
        };
        let proof = challenge.key_authorization();
        way.prepare(&name, &challenge.token, &proof, answers)?;
        let ready = challenge.set_ready().await;
        ready.map_err(|error| Fault::from(error).about(&name))?;
    }
    Ok(())
}

/// What the authority has found wrong with the names.
async fn why_not(order: &mut Order, way: Challenge) -> Option<Fault> {
    let mut all = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            break;
        }
        let name = authorization.identifier().to_string();
        let errors = authorization.challenges.iter();
        let errors = errors.filter_map(|challenge| challenge.error.as_ref());
        all.extend(errors.map(|problem| format!("{name}: {}", told(problem))));
    }
    (!all.is_empty()).then(|| {
        let way = way.name();
        Fault::new(format!(
            "the check with {way} has failed: {}",
            all.join("; ")
        ))
    })
}
