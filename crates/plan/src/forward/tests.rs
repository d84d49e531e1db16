use std::time::Duration;

use super::*;

fn forward(allow: &[&str]) -> Forward {
    Forward {
        allow: allow
            .iter()
            .map(|text| Reach::parse(text).unwrap())
            .collect(),
        times: Times {
            connect: Duration::ZERO,
            response: Duration::ZERO,
            idle: Duration::ZERO,
            tunnel: Duration::ZERO,
            wait: Duration::ZERO,
            total: None,
        },
    }
}

#[test]
fn entries_are_read_and_said_again() {
    for (text, said) in [
        ("example.com:443", "example.com:443"),
        ("*.Example.com.:*", "*.example.com:*"),
        ("*:443", "*:443"),
        ("10.1.2.3/8:*", "10.0.0.0/8:*"),
        ("192.0.2.1:80", "192.0.2.1/32:80"),
        ("[fd00::1]:443", "[fd00::1/128]:443"),
        ("[fd00::/8]:*", "[fd00::/8]:*"),
    ] {
        let reach = Reach::parse(text).unwrap();
        assert_eq!(reach.to_string(), said, "{text}");
        assert_eq!(Reach::parse(said), Ok(reach), "{text}");
    }
    for text in [
        "example.com",
        "example.com:",
        "example.com:0",
        "example.com:65536",
        "example.com:https",
        ":443",
        "a b:443",
        "*example.com:443",
        "a.*.com:443",
        "10.0.0.0/33:*",
        "fd00::1:443",
        "[10.0.0.1]:443",
        "http://example.com:80",
        "u@example.com:80",
    ] {
        assert!(Reach::parse(text).is_err(), "{text}");
    }
}

#[test]
fn names_are_allowed_by_name_and_port() {
    let forward = forward(&["example.com:443", "*.example.org:*", "10.0.0.0/8:*"]);
    for (name, port, allowed) in [
        ("example.com", 443, true),
        ("example.com", 80, false),
        ("www.example.com", 443, false),
        ("notexample.com", 443, false),
        ("www.example.org", 1, true),
        ("a.b.example.org", 1, true),
        ("example.org", 1, false),
        (".example.org", 1, false),
        ("evilexample.org", 1, false),
        ("other.test", 443, false),
    ] {
        let expected = if allowed {
            Ok(())
        } else {
            Err(Refused::NotListed)
        };
        assert_eq!(forward.check_name(name, port), expected, "{name}:{port}");
    }
    assert_eq!(
        super::tests::forward(&["*:443"]).check_name("any.test", 443),
        Ok(())
    );
    assert!(
        super::tests::forward(&[])
            .check_name("any.test", 443)
            .is_err()
    );
}

/// An address, and whether it may be reached by a name, and by itself.
#[test]
fn addresses_are_looked_at_where_a_connection_would_go() {
    let forward = forward(&["*.example.com:*", "10.0.0.0/8:80", "[fd00::/8]:443"]);
    let (listed, prohibited) = (Err(Refused::NotListed), Err(Refused::Prohibited));
    for (address, named, bare) in [
        ("93.184.216.34:443", Ok(()), listed),
        ("[2606:2800::1]:443", Ok(()), listed),
        ("10.1.2.3:80", Ok(()), Ok(())),
        ("[::ffff:10.1.2.3]:80", Ok(()), Ok(())),
        ("10.1.2.3:443", prohibited, listed),
        ("[fd00::1]:443", Ok(()), Ok(())),
        ("[fd00::1]:80", prohibited, listed),
        ("127.0.0.1:80", prohibited, listed),
    ] {
        let address = address.parse().unwrap();
        assert_eq!(forward.check_address(address, true), named, "{address}");
        assert_eq!(forward.check_address(address, false), bare, "{address}");
    }
}

#[test]
fn any_host_is_none_that_is_special() {
    let forward = forward(&["*:*"]);
    for address in [
        "127.0.0.1",
        "127.255.1.2",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.9.9",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001::1",
    ] {
        let address = SocketAddr::new(address.parse().unwrap(), 443);
        for is_named in [true, false] {
            let found = forward.check_address(address, is_named);
            assert_eq!(found, Err(Refused::Prohibited), "{address}");
        }
    }
    for address in [
        "1.1.1.1",
        "172.32.0.1",
        "172.15.0.1",
        "192.167.1.1",
        "100.63.0.1",
        "100.128.0.1",
        "168.63.129.17",
        "198.20.0.1",
        "223.1.1.1",
        "2606:4700::1111",
        "64:ff9b::101:101",
        "2002:101:101::1",
        "2001:db9::1",
    ] {
        let address = SocketAddr::new(address.parse().unwrap(), 443);
        assert_eq!(forward.check_address(address, false), Ok(()), "{address}");
    }
}
