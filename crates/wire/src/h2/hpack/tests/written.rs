use super::*;

#[test]
fn what_is_written() {
    type Write = fn(&mut Vec<u8>);
    fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        write_field(out, Known::of(name), name, value);
    }
    let table: [(Write, &[u8]); 25] = [
        (|out| write_status(out, 200), b"\x88"),
        (|out| write_status(out, 204), b"\x89"),
        (|out| write_status(out, 206), b"\x8a"),
        (|out| write_status(out, 304), b"\x8b"),
        (|out| write_status(out, 400), b"\x8c"),
        (|out| write_status(out, 404), b"\x8d"),
        (|out| write_status(out, 500), b"\x8e"),
        (|out| write_status(out, 103), b"\x08\x03103"),
        (|out| write_pseudo(out, Pseudo::Method, b"GET"), b"\x82"),
        (|out| write_pseudo(out, Pseudo::Method, b"POST"), b"\x83"),
        (
            |out| write_pseudo(out, Pseudo::Method, b"get"),
            b"\x02\x03get",
        ),
        (|out| write_pseudo(out, Pseudo::Path, b"/"), b"\x84"),
        (
            |out| write_pseudo(out, Pseudo::Path, b"/index.html"),
            b"\x85",
        ),
        (|out| write_pseudo(out, Pseudo::Path, b"/a"), b"\x04\x02/a"),
        (|out| write_pseudo(out, Pseudo::Scheme, b"http"), b"\x86"),
        (|out| write_pseudo(out, Pseudo::Scheme, b"https"), b"\x87"),
        (
            |out| write_pseudo(out, Pseudo::Scheme, b"ws"),
            b"\x06\x02ws",
        ),
        (
            |out| write_pseudo(out, Pseudo::Authority, b"a"),
            b"\x01\x01a",
        ),
        (
            |out| write_pseudo(out, Pseudo::Protocol, b"websocket"),
            b"\x00\x09:protocol\x09websocket",
        ),
        (
            |out| field(out, b"Accept-Encoding", b"gzip, deflate"),
            b"\x90",
        ),
        (
            |out| field(out, b"Accept-Encoding", b"gzip"),
            b"\x0f\x01\x04gzip",
        ),
        (
            |out| field(out, b"X-Custom", b"A"),
            b"\x00\x08x-custom\x01A",
        ),
        (|out| field(out, b"Authorization", b"A"), b"\x1f\x08\x01A"),
        (|out| field(out, b"SET-COOKIE", b"a=b"), b"\x1f\x28\x03a=b"),
        (|out| field(out, b"TE", b""), b"\x00\x02te\x00"),
    ];
    for (write, bytes) in table {
        let mut out = b"before".to_vec();
        write(&mut out);
        assert_eq!(out.strip_prefix(b"before"), Some(bytes));
    }
}

/// Each known name that the static table has is written as its index, the secret
/// ones so that nobody keeps them.
#[test]
fn known_names_are_written_as_an_index() {
    let mut known_names = 0;
    for (at, (name, _)) in LINES.iter().enumerate() {
        let known = Known::of(name.as_bytes());
        if !known.is_name() {
            continue;
        }
        known_names += 1;
        let secret = [
            "authorization",
            "cookie",
            "proxy-authorization",
            "set-cookie",
        ];
        let form = if secret.contains(name) { 0x10 } else { 0 };
        let (mut out, mut wanted) = (Vec::new(), Vec::new());
        write_field(&mut out, known, name.as_bytes(), b"value");
        write_integer(&mut wanted, form, 0x0f, at + 1);
        wanted.extend_from_slice(b"\x05value");
        assert_eq!(out, wanted, "{name}");
    }
    assert_eq!(known_names, 25);
}
