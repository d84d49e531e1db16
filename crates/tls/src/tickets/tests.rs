use super::*;

const DAY: Duration = Duration::from_hours(24);

fn sealed(tickets: &Tickets) -> Vec<u8> {
    tickets.seal(b"session", b"policy").unwrap()
}

#[test]
fn a_ticket_is_opened_until_two_keys_have_come_after_its_own() {
    let tickets = Tickets::new().unwrap();
    let begun = tickets.keys()[0].since;
    let day = DAY.as_secs();
    let mut ticket = sealed(&tickets);
    assert_ne!(ticket, sealed(&tickets));
    for (days, is_opened) in [(0, true), (1, true), (2, true), (3, false)] {
        tickets.rotate(begun + days * day, DAY);
        let opened = tickets.open(&ticket, b"policy");
        assert_eq!(
            opened.as_deref(),
            is_opened.then_some(&b"session"[..]),
            "{days}"
        );
        assert_eq!(tickets.keys().len(), KEYS.min(days as usize + 1));
    }
    // Nobody came for a month: none of the old keys is kept.
    ticket = sealed(&tickets);
    tickets.rotate(begun + 33 * day, DAY);
    assert_eq!(tickets.open(&ticket, b"policy"), None);
    assert_eq!(tickets.keys().len(), 1);
}

#[test]
fn only_whole_tickets_of_the_same_policy_are_opened() {
    let tickets = Tickets::new().unwrap();
    let ticket = sealed(&tickets);
    assert!(tickets.open(&ticket, b"policy").is_some());
    assert_eq!(tickets.open(&ticket, b"other"), None);
    assert_eq!(Tickets::new().unwrap().open(&ticket, b"policy"), None);
    for at in 0..ticket.len() {
        let mut changed = ticket.clone();
        changed[at] ^= 1;
        assert_eq!(tickets.open(&changed, b"policy"), None, "{at}");
        assert_eq!(tickets.open(&ticket[..at], b"policy"), None, "{at}");
    }
}

#[test]
fn keys_go_from_process_to_process_and_into_no_log() {
    let tickets = Tickets::new().unwrap();
    let begun = tickets.keys()[0].since;
    tickets.rotate(begun + DAY.as_secs(), DAY);
    let ticket = sealed(&tickets);
    let text = tickets.to_text();
    let again = Tickets::from_text(&text).unwrap();
    assert_eq!(again.keys().len(), 2);
    assert_eq!(again.open(&ticket, b"policy").unwrap(), b"session");
    assert_eq!(format!("{again:?}"), "Tickets");
    for wrong in [
        "",
        "1",
        "1:",
        "x:00",
        &text[1..text.len() - 1],
        &text.replace(':', ""),
    ] {
        assert!(Tickets::from_text(wrong).is_none(), "{wrong}");
    }
}
