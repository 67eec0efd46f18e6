//! Rate and latency over time, a column a second, the newest at the right.

use std::time::Duration;

use indicatif::HumanCount;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, RenderDirection, Sparkline};

use super::panel;
use crate::shared::times::short;
use crate::shared::view::feed::Percentiles;
use crate::shared::view::model::{Model, Point};

/// The percentiles: name, colour, and how to get one.
type Curve = (&'static str, Color, fn(&Percentiles) -> Duration);
const LINES: [Curve; 3] = [
    ("p50", Color::Green, |latency| latency.p50),
    ("p90", Color::Yellow, |latency| latency.p90),
    ("p99", Color::Red, |latency| latency.p99),
];

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    rate(model, frame, left);
    latency(model, frame, right);
}

/// The newest points, as many as there are columns, newest first.
fn newest(model: &Model, columns: u16) -> impl Iterator<Item = &Point> + Clone {
    model.points.iter().rev().take(columns.into())
}

fn rate(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let columns = area.width.saturating_sub(2);
    let most = newest(model, columns).map(|point| point.rate).max().unwrap_or(0);
    let title = format!(" URLs/s {}, most {} ", HumanCount(model.rate()), HumanCount(most));
    let bars = Sparkline::default()
        .data(newest(model, columns).map(|point| point.rate))
        .max(most.max(1))
        .direction(RenderDirection::RightToLeft)
        .style(Style::new().fg(Color::Cyan))
        .block(panel(title.into()));
    frame.render_widget(bars, area);
}

/// On a logarithmic scale: the p99 is often a hundred times the median.
fn latency(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    // The labels of the scale take some columns of their own.
    let columns = area.width.saturating_sub(9);
    let last = newest(model, columns).find_map(|point| point.latency);
    let title = match &last {
        Some(latency) => Line::from_iter(LINES.iter().flat_map(|line| words(line, latency))),
        None => Line::from(" latency "),
    };
    let [low, high] = decades(newest(model, columns).filter_map(|point| point.latency));
    let lines = LINES.map(|(_, _, of)| curve(newest(model, columns), of));
    let lines = LINES.iter().zip(&lines).map(|((_, color, _), curve)| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(*color))
            .data(curve)
    });
    let labels = (low..=high).map(|decade| Span::from(name(decade)).dim());
    let chart = Chart::new(lines.collect())
        .x_axis(Axis::default().bounds([-f64::from(columns.saturating_sub(1)), 0.0]))
        .y_axis(Axis::default().bounds([f64::from(low), f64::from(high)]).labels(labels))
        .block(panel(title));
    frame.render_widget(chart, area);
}

fn words(&(name, color, of): &Curve, latency: &Percentiles) -> [Span<'static>; 3] {
    [format!(" {name} ").fg(color), short(of(latency)).into(), " ".into()]
}

/// Seconds ago, and powers of ten of microseconds.
fn curve<'a>(newest: impl Iterator<Item = &'a Point>, of: fn(&Percentiles) -> Duration) -> Vec<(f64, f64)> {
    let points =
        newest.enumerate().filter_map(|(ago, point)| Some((-(ago as f64), power(of(point.latency.as_ref()?)))));
    points.collect()
}

fn power(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).max(1.0).log10()
}

/// The whole powers of ten, of microseconds, that all of it lies between.
fn decades(points: impl Iterator<Item = Percentiles>) -> [u8; 2] {
    let all = points.fold(None, |all: Option<(f64, f64)>, latency| {
        let (low, high) = (power(latency.p50), power(latency.p99));
        Some(all.map_or((low, high), |(least, most)| (least.min(low), most.max(high))))
    });
    // A millisecond to a second, until more is known.
    let (low, high) = all.unwrap_or((3.0, 6.0));
    let low = low.floor() as u8;
    [low, (high.ceil() as u8).max(low + 1)]
}

/// A power of ten of microseconds.
fn name(decade: u8) -> String {
    let number = 10_u64.pow(u32::from(decade) % 3);
    match decade / 3 {
        0 => format!("{number}us"),
        1 => format!("{number}ms"),
        _ => format!("{}s", 10_u64.saturating_pow(u32::from(decade) - 6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_has_whole_decades_around_all_points() {
        let of = |p50, p99| Percentiles {
            p50: Duration::from_micros(p50),
            p90: Duration::from_micros(p50),
            p99: Duration::from_micros(p99),
        };
        assert_eq!(decades([of(250, 900), of(2_000, 30_000)].into_iter()), [2, 5]);
        assert_eq!(decades([of(1000, 1000)].into_iter()), [3, 4]);
        assert_eq!(decades([of(0, 0)].into_iter()), [0, 1]);
        assert_eq!(decades(std::iter::empty()), [3, 6]);
        assert_eq!([2, 3, 5, 6, 8, 10].map(name), ["100us", "1ms", "100ms", "1s", "100s", "10000s"]);
    }
}
