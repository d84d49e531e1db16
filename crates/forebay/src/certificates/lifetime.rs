//! Whether a certificate is good, and until when.

use plan::AcmeCertificate;
use tls::Certificate;

/// What there is to know of a certificate that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) names: Vec<String>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Lifetime {
    pub(super) fn of(certificate: &Certificate) -> Self {
        Self {
            names: certificate.names().to_vec(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        }
    }

    /// From when on another one is to be had: a third of the time is left. None
    /// where this one is for other hosts.
    pub(super) fn renewal(&self, wished: &AcmeCertificate) -> Option<i64> {
        let has = |name: &str| self.names.iter().any(|own| own == name);
        if !wished.names.iter().all(|name| has(name)) {
            return None;
        }
        let whole = self.not_after.saturating_sub(self.not_before).max(0);
        Some(self.not_after.saturating_sub(whole / 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_is_left_at_renewal() {
        let day = 86_400;
        let wished = |names: &[&str]| AcmeCertificate {
            names: names.iter().map(|name| (*name).into()).collect(),
            file: "f".into(),
        };
        let certificate = Lifetime {
            names: vec!["a.test".to_owned(), "b.test".to_owned()],
            not_before: 1_000,
            not_after: 1_000 + 90 * day,
        };
        for (names, expected) in [
            (&["a.test"][..], Some(1_000 + 60 * day)),
            (&["b.test", "a.test"], Some(1_000 + 60 * day)),
            (&["a.test", "c.test"], None),
        ] {
            assert_eq!(certificate.renewal(&wished(names)), expected, "{names:?}");
        }
        let odd = Lifetime {
            not_before: i64::MAX,
            not_after: i64::MIN,
            ..certificate
        };
        assert_eq!(odd.renewal(&wished(&["a.test"])), Some(i64::MIN));
    }
}
