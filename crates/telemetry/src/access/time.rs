//! Points in time as log lines write them: always UTC, and cheap enough to
//! compute for every line.

/// The last microsecond of the year 9999, beyond which a year has no four
/// digits.
const LAST_MICROS: u64 = 253_402_300_799_999_999;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A moment in the proleptic Gregorian calendar.
struct Civil {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    millis: u32,
}

impl Civil {
    fn of(unix_micros: u64) -> Self {
        let unix_millis = unix_micros.min(LAST_MICROS) / 1_000;
        let seconds = unix_millis / 1_000;
        let in_day = (seconds % 86_400) as u32;
        let (year, month, day) = date_of((seconds / 86_400) as u32);
        Self {
            year,
            month,
            day,
            hour: in_day / 3_600,
            minute: in_day / 60 % 60,
            second: in_day % 60,
            millis: (unix_millis % 1_000) as u32,
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// Years are taken to begin in March, so that the leap day is the last of its
/// year and the months' lengths follow one line; 400 years are one era.
fn date_of(unix_day: u32) -> (u32, u32, u32) {
    const DAYS_PER_ERA: u32 = 146_097;
    const UNIX_EPOCH: u32 = 719_468; // days from 0000-03-01
    let day = unix_day + UNIX_EPOCH;
    let in_era = day % DAYS_PER_ERA;
    let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day_of_month = in_year - (153 * from_march + 2) / 5 + 1;
    let (month, carry) = match from_march {
        0..10 => (from_march + 3, 0),
        _ => (from_march - 9, 1),
    };
    let year = year_of_era + day / DAYS_PER_ERA * 400 + carry;
    (year, month, day_of_month)
}

fn two(n: u32) -> [u8; 2] {
    [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8]
}

/// `2026-11-21T01:02:03.456Z` (RFC 3339).
pub(super) fn push_rfc3339(out: &mut Vec<u8>, unix_micros: u64) {
    let t = Civil::of(unix_micros);
    let ([y1, y2], [y3, y4]) = (two(t.year / 100), two(t.year));
    let ([m1, m2], [d1, d2]) = (two(t.month), two(t.day));
    let ([h1, h2], [i1, i2], [s1, s2]) = (two(t.hour), two(t.minute), two(t.second));
    let (c1, [c2, c3]) = (b'0' + (t.millis / 100) as u8, two(t.millis));
    out.extend_from_slice(&[
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'.',
        c1, c2, c3, b'Z',
    ]);
}

/// `21/Nov/2026:01:02:03 +0000`, as in the combined log format.
pub(super) fn push_combined(out: &mut Vec<u8>, unix_micros: u64) {
    let t = Civil::of(unix_micros);
    let ([y1, y2], [y3, y4]) = (two(t.year / 100), two(t.year));
    let &[b1, b2, b3] = MONTHS[(t.month as usize - 1) % 12];
    let [d1, d2] = two(t.day);
    let ([h1, h2], [i1, i2], [s1, s2]) = (two(t.hour), two(t.minute), two(t.second));
    out.extend_from_slice(&[
        d1, d2, b'/', b1, b2, b3, b'/', y1, y2, y3, y4, b':', h1, h2, b':', i1, i2, b':', s1, s2,
    ]);
    out.extend_from_slice(b" +0000");
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn text(push: fn(&mut Vec<u8>, u64), micros: u64) -> String {
        let mut out = Vec::new();
        push(&mut out, micros);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_moments() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z", "01/Jan/1970:00:00:00 +0000"),
            (
                951_782_400_000_000,
                "2000-02-29T00:00:00.000Z",
                "29/Feb/2000:00:00:00 +0000",
            ),
            (
                1_795_222_923_456_789,
                "2026-11-21T01:02:03.456Z",
                "21/Nov/2026:01:02:03 +0000",
            ),
            (
                u64::MAX,
                "9999-12-31T23:59:59.999Z",
                "31/Dec/9999:23:59:59 +0000",
            ),
        ];
        for (micros, rfc3339, combined) in table {
            assert_eq!(text(push_rfc3339, micros), rfc3339);
            assert_eq!(text(push_combined, micros), combined);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_calendar_library(micros in 0..LAST_MICROS - 86_400_000_000 * 365) {
            let t = Timestamp::from_microsecond(micros as i64).unwrap();
            prop_assert_eq!(
                text(push_rfc3339, micros),
                t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
            );
            prop_assert_eq!(
                text(push_combined, micros),
                t.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
            );
        }
    }
}
