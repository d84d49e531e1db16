//! What holds for every head, whatever the bytes.

use wire::h1::{HeadParser, Limits, ParsedHead};

const LIMITS: Limits = Limits {
    line: 200,
    fields: 1000,
    count: 20,
};

/// Parses the bytes in pieces of `step` bytes; the head and its length, or why
/// there is none.
fn parse<H: ParsedHead + Default>(bytes: &[u8], step: usize) -> Result<Option<(H, usize)>, message::Kind> {
    let (mut parser, mut head) = (HeadParser::default(), H::default());
    let mut end = 0;
    while end < bytes.len() {
        end = (end + step).min(bytes.len());
        match parser.parse(&bytes[..end], &LIMITS, &mut head) {
            Ok(Some(length)) => return Ok(Some((head, length))),
            Ok(None) => {}
            Err(failure) => return Err(failure.kind),
        }
    }
    Ok(None)
}

/// The first byte says how the rest is split. Whole and split must agree, an
/// accepted head must hold no byte that could split it in two, and what is
/// written from it must parse to the same fields.
pub fn check<H: ParsedHead + Default>(data: &[u8], write: impl Fn(&H, &mut Vec<u8>)) {
    let Some((&step, bytes)) = data.split_first() else {
        return;
    };
    let whole = parse::<H>(bytes, bytes.len().max(1));
    let split = parse::<H>(bytes, usize::from(step).max(1));
    match (whole, split) {
        (Ok(Some((mut a, n))), Ok(Some((mut b, m)))) => {
            assert_eq!(n, m);
            assert_eq!(lines(&mut a), lines(&mut b));
            for (name, value) in lines(&mut a) {
                assert!(!name.is_empty());
                assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
            }
            let mut bytes = Vec::new();
            write(&a, &mut bytes);
            // The start line may be longer than it was, by a reason phrase.
            if let Ok(Some((mut again, _))) = parse::<H>(&bytes, bytes.len()) {
                assert_eq!(lines(&mut again), lines(&mut a));
            }
        }
        (Ok(None), Ok(None)) => {}
        (Err(a), Err(b)) => assert_eq!(a, b),
        _ => panic!("the result depends on how the bytes are split"),
    }
}

fn lines<H: ParsedHead>(head: &mut H) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fields = head.fields().iter();
    fields.map(|f| (f.name.to_vec(), f.value.to_vec())).collect()
}
