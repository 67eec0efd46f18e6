//! What came back, what failed, and which hosts have the most left.

use indicatif::HumanCount;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{bar, panel};
use crate::shared::bound;
use crate::shared::view::model::Model;

/// The classes that occur in practice, each with its colour.
const CLASSES: [(usize, Color); 5] =
    [(1, Color::Gray), (2, Color::Green), (3, Color::Cyan), (4, Color::Yellow), (5, Color::Red)];

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let hosts = if model.which.has_backlog() { Constraint::Fill(5) } else { Constraint::Length(0) };
    let columns = [Constraint::Fill(4), Constraint::Fill(4), hosts];
    let [status, failures, hosts] = Layout::horizontal(columns).areas(area);
    frame.render_widget(Paragraph::new(statuses(model, status.width)).block(panel(" status ".into())), status);
    let failed = rows(self::failures(model), failures.width);
    let failed = if failed.is_empty() { vec![Line::from("none").dim()] } else { failed };
    frame.render_widget(Paragraph::new(failed).block(panel(" failures ".into())), failures);
    let left = rows(self::hosts(model), hosts.width);
    frame.render_widget(Paragraph::new(left).block(panel(" hosts by backlog ".into())), hosts);
}

/// A line for each class that has occurred; 2xx always.
fn statuses(model: &Model, width: u16) -> Vec<Line<'static>> {
    let all: u64 = model.now.status.iter().sum();
    let line = |(class, color): (usize, Color)| {
        let count = model.now.status[class];
        let share = count as f64 / all.max(1) as f64;
        let text = format!("{class}xx {:>7} {:>5.1}% ", HumanCount(count).to_string(), share * 100.0);
        let room = usize::from(width).saturating_sub(text.len() + 2);
        (count > 0 || class == 2).then(|| Line::from(vec![Span::from(text), bar(share, room, color)]))
    };
    CLASSES.into_iter().filter_map(line).collect()
}

fn failures(model: &Model) -> Vec<(u64, String)> {
    let failures = model.taken.failures.iter();
    failures.map(|((phase, kind), count)| (*count, format!("{phase} {kind}"))).collect()
}

fn hosts(model: &Model) -> Vec<(u64, String)> {
    let name = |origin: &str| origin.split_once("//").map_or(origin, |(_, name)| name).to_owned();
    model.taken.backlog.iter().map(|(origin, left)| (*left, name(origin))).collect()
}

/// Counts and what they are of, in a panel of `width` columns.
fn rows(rows: Vec<(u64, String)>, width: u16) -> Vec<Line<'static>> {
    let counts: Vec<_> = rows.iter().map(|(count, _)| HumanCount(*count).to_string()).collect();
    let widest = counts.iter().map(String::len).max().unwrap_or(0);
    let room = usize::from(width).saturating_sub(widest + 3);
    let line = |(count, (_, what)): (String, (u64, String))| {
        Line::from(vec![format!("{count:>widest$} ").bold(), bound::cut(&what, room).into()])
    };
    counts.into_iter().zip(rows).map(line).collect()
}
