//! Tables for a terminal.

use forebay::words::plain;
use serde_json::Value;

/// The widest line.
const WIDTH: usize = 80;
/// Between columns.
const GAP: usize = 2;

/// Rows under their heads; the widest column gives way where they are too wide.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let cells = cells.map(|cell| cell.chars().count());
        cells
            .chain([heads.get(at).map_or(0, |head| head.len())])
            .max()
    };
    let mut widths: Vec<usize> = (0..heads.len()).filter_map(width).collect();
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > WIDTH {
        match widths.iter_mut().max() {
            Some(widest) if *widest > 8 => *widest -= 1,
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
        let fits = cell.chars().count() <= width;
        let shown = match fits {
            true => cell.clone(),
            false => {
                let kept = cell.chars().take(width.saturating_sub(1));
                kept.chain(['\u{2026}']).collect()
            }
        };
        line.push_str(&format!("{shown:width$}{:GAP$}", ""));
    }
    format!("{}\n", line.trim_end())
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
        let text = table(&["NAME", "URL", "N"], &rows);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width <= WIDTH), "{text}");
        assert!(text.lines().nth(1).unwrap().contains('\u{2026}'));
        assert!(text.lines().nth(2).unwrap().ends_with(" 22"));
    }
}
