//! An authority's answer that a certificate is not revoked (RFC 6960), as far as
//! anybody here asks. Its signature is for clients to look at.

use x509_parser::asn1_rs::{Any, Class, FromDer, Tag};
use x509_parser::time::ASN1Time;

/// What such an answer says of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Until when it is current, in seconds since 1970; absent: newer ones are
    /// to be had at any time.
    pub(crate) next_update: Option<i64>,
    pub(crate) is_good: bool,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    Malformed,
    /// The authority has said why it does not answer (RFC 6960 section 4.2.1).
    Unsuccessful(&'static str),
    /// It is about others.
    OfOthers,
}

impl Answer {
    /// What the response in DER form says of the certificate with this serial number.
    pub(crate) fn read(response: &[u8], serial: &[u8]) -> Result<Self, NoAnswer> {
        let single = one_of(response).ok_or(NoAnswer::Malformed)??;
        let found = single.into_iter().find(|one| is_of(one, serial));
        let (_, rest) = found.ok_or(NoAnswer::OfOthers)?;
        of(rest).ok_or(NoAnswer::Malformed)
    }
}

/// The serial number and what follows it, of one `SingleResponse`.
type Single<'a> = (&'a [u8], &'a [u8]);

fn is_of(single: &Single<'_>, serial: &[u8]) -> bool {
    let bare = |bytes: &'_ [u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.get(zeros..).map(<[u8]>::to_vec)
    };
    bare(single.0) == bare(serial)
}

/// All that it says of certificates; None where it is no such response.
fn one_of(response: &[u8]) -> Option<Result<Vec<Single<'_>>, NoAnswer>> {
    let (response, nothing) = within(response, Tag::Sequence)?;
    if !nothing.is_empty() {
        return None;
    }
    let (status, rest) = within(response, Tag::Enumerated)?;
    let why = match status {
        [0] => None,
        [1] => Some("malformedRequest"),
        [2] => Some("internalError"),
        [3] => Some("tryLater"),
        [5] => Some("sigRequired"),
        [6] => Some("unauthorized"),
        _ => return None,
    };
    if let Some(why) = why {
        return Some(Err(NoAnswer::Unsuccessful(why)));
    }
    let bytes = marked(rest, 0)?.0;
    let (_, rest) = within(within(bytes, Tag::Sequence)?.0, Tag::Oid)?;
    let basic = within(rest, Tag::OctetString)?.0;
    let mut data = within(within(basic, Tag::Sequence)?.0, Tag::Sequence)?.0;
    if let Some((_, rest)) = marked(data, 0) {
        data = rest;
    }
    // Who answers, by name or by key.
    let (_, data) = marked(data, 1).or_else(|| marked(data, 2))?;
    let (_, data) = within(data, Tag::GeneralizedTime)?;
    let mut singles = within(data, Tag::Sequence)?.0;
    let mut all = Vec::new();
    while !singles.is_empty() {
        let (single, rest) = within(singles, Tag::Sequence)?;
        let (certificate, of_it) = within(single, Tag::Sequence)?;
        let (_, certificate) = within(certificate, Tag::Sequence)?;
        let (_, certificate) = within(certificate, Tag::OctetString)?;
        let (_, certificate) = within(certificate, Tag::OctetString)?;
        all.push((within(certificate, Tag::Integer)?.0, of_it));
        singles = rest;
    }
    Some(Ok(all))
}

/// From the status of the certificate on.
fn of(single: &[u8]) -> Option<Answer> {
    let (rest, status) = Any::from_der(single).ok()?;
    let (_, rest) = within(rest, Tag::GeneralizedTime)?;
    let next_update = match marked(rest, 0) {
        None => None,
        Some((time, _)) => Some(ASN1Time::from_der(time).ok()?.1.timestamp()),
    };
    Some(Answer {
        next_update,
        is_good: status.class() == Class::ContextSpecific && status.tag() == Tag(0),
    })
}

/// What is in the first value, which has to be of this kind, and what follows it.
fn within(bytes: &[u8], kind: Tag) -> Option<(&[u8], &[u8])> {
    let (rest, value) = Any::from_der(bytes).ok()?;
    let is_it = value.class() == Class::Universal && value.tag() == kind;
    is_it.then_some((value.data, rest))
}

/// The same of one that has this number in the place of a kind.
fn marked(bytes: &[u8], number: u32) -> Option<(&[u8], &[u8])> {
    let (rest, value) = Any::from_der(bytes).ok()?;
    let is_it = value.class() == Class::ContextSpecific && value.tag() == Tag(number);
    is_it.then_some((value.data, rest))
}

#[cfg(test)]
pub(crate) mod tests;
