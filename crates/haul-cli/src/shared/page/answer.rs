//! What a command has worked out from many runs, told on the page before the runs that it shows. Pure.

use super::tables;
use super::text::escaped;

/// An answer in words and tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnswerSection {
    /// What was done.
    pub(crate) heading: String,
    /// Captions, and the lines of each table: first its titles. The first cell of a line is its name.
    pub(crate) tables: Vec<(String, Vec<Vec<String>>)>,
    /// What they show.
    pub(crate) words: Vec<String>,
    /// The same, point by point.
    pub(crate) list: Vec<String>,
}

impl AnswerSection {
    /// The section of the page.
    pub(super) fn section(&self) -> String {
        let tables: String = self.tables.iter().map(|(caption, lines)| table(caption, lines)).collect();
        let words: String = self.words.iter().map(|text| format!("<p>{}</p>", escaped(text))).collect();
        let points: String = self.list.iter().map(|text| format!("<li>{}</li>", escaped(text))).collect();
        let list = if points.is_empty() { String::new() } else { format!("<ul class=\"points\">{points}</ul>") };
        format!("<section><h2>Answer</h2><p>{}</p>{tables}{words}{list}</section>\n", escaped(&self.heading))
    }
}

fn table(caption: &str, lines: &[Vec<String>]) -> String {
    let Some((titles, lines)) = lines.split_first() else { return String::new() };
    let columns: Vec<_> = titles.iter().enumerate().map(|(place, title)| (title.as_str(), place > 0)).collect();
    let cell = |text: &String| format!("<td class=\"n\">{}</td>", escaped(text));
    let line = |cells: &Vec<String>| {
        let name = cells.first().map(|name| escaped(name)).unwrap_or_default();
        let cells: String = cells.iter().skip(1).map(cell).collect();
        format!("<tr><th scope=\"row\">{name}</th>{cells}</tr>")
    };
    tables::table("", caption, &columns, &lines.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_there_and_nothing_can_act() {
        let lines = [["", "time"], ["<b>", "1s"]].map(|line| line.map(str::to_owned).to_vec()).to_vec();
        let answer = AnswerSection {
            heading: "10 URLs".to_owned(),
            tables: vec![("Times".to_owned(), lines)],
            words: vec!["Fastest: <i>".to_owned()],
            list: vec!["twice as fast".to_owned()],
        };
        let section = answer.section();
        for there in
            ["10 URLs", "Times", "&lt;b&gt;", "<td class=\"n\">1s</td>", "Fastest: &lt;i&gt;", "<li>twice as fast"]
        {
            assert!(section.contains(there), "{there}: {section}");
        }
        assert!(!section.contains("<i>") && !section.contains("<b>"));
    }
}
