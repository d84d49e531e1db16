//! Tables for a terminal.

use std::io::IsTerminal;

use forebay::words::plain;
use rustix::termios::tcgetwinsize;
use serde_json::Value;

/// Of a terminal that does not say how wide it is.
const WIDTH: usize = 80;
/// Between columns.
const GAP: usize = 2;
/// No column gives way further than this.
const NARROWEST: usize = 8;

/// Rows under their heads; the widest column gives way where they are too wide
/// for the terminal. Elsewhere everything is shown.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    fitted(heads, rows, terminal())
}

/// The columns of the terminal, if there is one.
#[expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]
fn terminal() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let wanted = std::env::var("COLUMNS").ok();
    let wanted = wanted.and_then(|columns| columns.parse().ok());
    let own = || tcgetwinsize(&stdout).ok().map(|size| size.ws_col.into());
    let width = wanted.or_else(own).filter(|&width| width > 0);
    Some(width.unwrap_or(WIDTH))
}

fn fitted(heads: &[&str], rows: &[Vec<String>], most: Option<usize>) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let cells = cells.map(|cell| cell.chars().count());
        cells
            .chain([heads.get(at).map_or(0, |head| head.len())])
            .max()
    };
    let mut widths: Vec<usize> = (0..heads.len()).filter_map(width).collect();
    let gaps = GAP * widths.len().saturating_sub(1);
    while most.is_some_and(|most| widths.iter().sum::<usize>() + gaps > most) {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let mut text = line(&heads, &widths);
    rows.iter()
        .for_each(|row| text.push_str(&line(row, &widths)));
    text
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, &width) in cells.iter().zip(widths) {
        let shown = shortened(cell, width);
        line.push_str(&format!("{shown:width$}{:GAP$}", ""));
    }
    format!("{}\n", line.trim_end())
}

/// In the middle: URLs and paths differ at their ends.
fn shortened(cell: &str, width: usize) -> String {
    let count = cell.chars().count();
    if count <= width {
        return cell.to_owned();
    }
    let kept = width.saturating_sub(1);
    let end = kept / 2;
    let start = cell.chars().take(kept - end);
    let end = cell.chars().skip(count - end);
    start.chain(['\u{2026}']).chain(end).collect()
}

/// What is at a place in JSON, as a cell.
pub(super) fn cell(json: &Value, pointer: &str) -> String {
    match json.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => plain(text),
        Some(Value::Number(number)) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => format!("{number:.1}"),
            None => number.to_string(),
        },
        Some(other) => plain(&other.to_string()),
    }
}

/// Seconds as milliseconds.
pub(super) fn millis(json: &Value, pointer: &str) -> String {
    let seconds = json.pointer(pointer).and_then(Value::as_f64);
    seconds.map_or_else(
        || "-".to_owned(),
        |seconds| format!("{:.1}", seconds * 1000.0),
    )
}

/// The elements of a list.
pub(super) fn list<'a>(json: &'a Value, pointer: &str) -> &'a [Value] {
    let found = json.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_a_terminal() {
        let rows = [
            vec!["a".to_owned(), "x".repeat(100), "1".to_owned()],
            vec!["long name".to_owned(), "y".to_owned(), "22".to_owned()],
        ];
        let heads = ["NAME", "URL", "N"];
        let text = fitted(&heads, &rows, Some(40));
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width <= 40), "{text}");
        assert!(text.lines().nth(1).unwrap().contains('\u{2026}'));
        assert!(text.lines().nth(2).unwrap().ends_with(" 22"));
        assert!(fitted(&heads, &rows, None).contains(&"x".repeat(100)));
    }

    #[test]
    fn the_ends_of_what_is_cut_stay() {
        for (cell, width, shown) in [
            ("http://10.0.0.1:3001", 20, "http://10.0.0.1:3001"),
            ("http://10.0.0.1:3001", 13, "http:/\u{2026}1:3001"),
            ("abcdefghij", 8, "abcd\u{2026}hij"),
            ("äöüäöüäöü", 8, "äöüä\u{2026}äöü"),
        ] {
            assert_eq!(shortened(cell, width), shown);
        }
    }
}
