//! Texts for a terminal: paragraphs and tables.

use std::fmt::Write as _;

/// How wide texts are: what every terminal has.
const WIDTH: usize = 80;

/// Appends `text` and a line end to the line begun on `page`, broken between words where it would be too wide; the lines
/// that this adds begin with `indent` spaces.
pub(crate) fn wrap(page: &mut String, text: &str, indent: usize) {
    let mut column =
        page.lines().next_back().filter(|_| !page.ends_with('\n')).map_or(0, |begun| begun.chars().count());
    for (at, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > WIDTH {
            // Writing to a string can't fail.
            let _ = write!(page, "\n{:indent$}", "");
            column = indent;
        } else if at > 0 {
            page.push(' ');
            column += 1;
        }
        page.push_str(word);
        column += length;
    }
    page.push('\n');
}

/// Lines of cells under each other, two spaces apart: to the right, but for the last column.
pub(crate) fn table(page: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| rows.iter().filter_map(|row: &Vec<String>| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = if column + 1 < columns { widths[column] } else { 0 };
            let _ = write!(page, "  {cell:>width$}");
        }
        page.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let mut page = String::from("line\n  ");
        wrap(&mut page, "word ".repeat(20).trim_end(), 4);
        let expected = format!("line\n  {}\n    {}\n", ["word"; 15].join(" "), ["word"; 5].join(" "));
        assert_eq!(page, expected);
        page.clear();
        wrap(&mut page, &"x".repeat(100), 4);
        assert_eq!(page.len(), 101, "a long word stays whole");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let mut page = String::new();
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        table(&mut page, &[row(["n", "at", "host"]), row(["1,000", "8", "b"])]);
        assert_eq!(page, "      n  at  host\n  1,000   8  b\n");
    }
}
