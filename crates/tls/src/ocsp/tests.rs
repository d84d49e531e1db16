use proptest::prelude::*;

use super::*;

/// One value of DER: less than 64 KiB.
fn der(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, short @ 0..=127] => vec![kind, short],
        [0, long] => vec![kind, 0x81, long],
        [high, low] => vec![kind, 0x82, high, low],
    };
    [head, content].concat()
}

/// An answer about one certificate; nobody has signed it.
pub(crate) fn response(serial: &[u8], next_update: Option<&str>, status: u8) -> Vec<u8> {
    let time = |text: &str| der(0x18, &[text.as_bytes()]);
    let hash = der(0x30, &[&der(6, &[&[0x2b, 14, 3, 2, 26]])]);
    let of = der(
        0x30,
        &[
            &hash,
            &der(4, &[&[7; 20]]),
            &der(4, &[&[8; 20]]),
            &der(2, &[serial]),
        ],
    );
    let next = next_update.map(|next| der(0xa0, &[&time(next)]));
    let now = time("20260101000000Z");
    let single = der(
        0x30,
        &[&of, &[0x80 | status, 0], &now, &next.unwrap_or_default()],
    );
    let by = der(0xa2, &[&der(4, &[&[9; 20]])]);
    let data = der(0x30, &[&by, &now, &der(0x30, &[&single])]);
    let basic = der(0x30, &[&data, &der(0x30, &[]), &der(3, &[&[0]])]);
    let kind = der(6, &[&[0x2b, 6, 1, 5, 5, 7, 48, 1, 1]]);
    let bytes = der(0x30, &[&kind, &der(4, &[&basic])]);
    der(0x30, &[&der(10, &[&[0]]), &der(0xa0, &[&bytes])])
}

#[test]
fn an_answer_is_read_for_the_certificate_that_it_is_of() {
    let end = "20300101000000Z";
    let (good, revoked) = (response(&[0, 200], Some(end), 0), response(&[5], None, 1));
    let answer = |next_update, is_good| {
        Ok(Answer {
            next_update,
            is_good,
        })
    };
    let more = [&*good, &[0]].concat();
    for (response, serial, expected) in [
        (&*good, &[200][..], answer(Some(1_893_456_000), true)),
        (&good, &[0, 200], answer(Some(1_893_456_000), true)),
        (&revoked, &[5], answer(None, false)),
        (&good, &[201], Err(NoAnswer::OfOthers)),
        (&more, &[200], Err(NoAnswer::Malformed)),
        (
            &[0x30, 3, 10, 1, 3],
            &[5],
            Err(NoAnswer::Unsuccessful("tryLater")),
        ),
        (&[0x30, 3, 10, 1, 4], &[5], Err(NoAnswer::Malformed)),
        (&[0x30, 3, 10, 1, 0], &[5], Err(NoAnswer::Malformed)),
        (
            b"-----BEGIN CERTIFICATE-----",
            &[5],
            Err(NoAnswer::Malformed),
        ),
        (b"", &[5], Err(NoAnswer::Malformed)),
    ] {
        assert_eq!(Answer::read(response, serial), expected, "{response:?}");
    }
}

proptest! {
    /// Nothing that is cut off or changed is more than an error.
    #[test]
    fn whatever_bytes_there_are(at in 0usize..200, byte: u8, cut in 0usize..200) {
        let mut bytes = response(&[5], Some("20300101000000Z"), 0);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = Answer::read(&bytes, &[5]);
        bytes.truncate(cut);
        prop_assert!(Answer::read(&bytes, &[5]).is_err() || cut >= 150);
    }
}
