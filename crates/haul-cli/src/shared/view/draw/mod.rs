//! The picture: one function of the model and the frame. Pure; any size will do, and what matters least goes first.
//!
//! Only the terminal's own colours are used, and none says anything that words don't.

mod charts;
mod tables;

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::Subject;
use super::keys::KEYS;
use super::model::Model;
use crate::shared::since::Since;
use crate::shared::times::short;
use crate::shared::{bound, times};

/// Lines of a table with its borders.
const TABLE: u16 = 8;
/// The least height at which there are tables, and charts.
const TABLES_FROM: u16 = 19;
const CHARTS_FROM: u16 = 11;

/// Draws all of it.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let height = frame.area().height;
    let tables = if height >= TABLES_FROM { TABLE } else { 0 };
    let charts = if height >= CHARTS_FROM { Constraint::Fill(1) } else { Constraint::Length(0) };
    let rows = [Constraint::Length(1), Constraint::Length(3), charts, Constraint::Length(tables)];
    let rows = rows.into_iter().chain([Constraint::Length(1), Constraint::Length(1)]);
    let [header, numbers, charts, tables, message, keys] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(self::header(model), header);
    frame.render_widget(Paragraph::new(self::numbers(model, numbers.width)), numbers);
    charts::draw(model, frame, charts);
    tables::draw(model, frame, tables);
    frame.render_widget(Line::from(model.message.clone().unwrap_or_default()).yellow(), message);
    frame.render_widget(Line::from("space pause  + - in flight  [ ] per host  q stop  ? help").dim(), keys);
    if model.help {
        help(frame);
    }
}

fn header(model: &Model) -> Line<'static> {
    let name = match model.which.subject {
        Subject::Get => "haul get",
        Subject::Bench => "haul bench",
    };
    let state = if model.paused { " PAUSED ".reversed() } else { "".into() };
    let rate = format!("  {}/s  ", HumanCount(model.rate()));
    let which = if model.which.name.is_empty() { String::new() } else { format!("  {}", model.which.name) };
    let elapsed = format!("{which}  {}", times::coarse(model.now.elapsed));
    Line::from(vec![name.bold(), elapsed.into(), rate.into(), state])
}

/// The three lines of numbers.
fn numbers(model: &Model, width: u16) -> Vec<Line<'static>> {
    let last = match model.which.subject {
        Subject::Get => bound_by(model, width),
        Subject::Bench => connections(model),
    };
    vec![in_flight(model, width), counts(model), last]
}

fn in_flight(model: &Model, width: u16) -> Line<'static> {
    let (now, limits) = (model.now.in_flight, &model.limits);
    let limit = u64::from(limits.concurrency.get());
    let text =
        format!(" {} of {}, {} per host", HumanCount(now), HumanCount(limit), HumanCount(limits.per_host.get().into()));
    let room = usize::from(width).saturating_sub("in flight  ".len() + text.len()).min(40);
    Line::from(vec!["in flight  ".dim(), bar(now as f64 / limit as f64, room, Color::Cyan), text.into()])
}

fn counts(model: &Model) -> Line<'static> {
    let now = &model.now;
    let mut spans = field("done", HumanCount(now.done()));
    let failed = Span::from(HumanCount(now.failed).to_string());
    spans.extend(["   failed ".dim(), if now.failed > 0 { failed.red() } else { failed }]);
    // A load's queue is what is read ahead of an endless input.
    if model.which.subject == Subject::Get {
        spans.extend(field("   queued", HumanCount(now.queued)));
        let left = model.estimate.as_ref().map(|estimate| field("   hosts left", HumanCount(estimate.hosts_left)));
        spans.extend(left.into_iter().flatten());
        let left: Option<Duration> = model.time_left();
        spans.extend(left.into_iter().flat_map(|left| field("   ETA", times::coarse(left))));
    } else if model.which.since == Since::Due {
        spans.extend(field("   due and waiting", HumanCount(now.queued)));
        let late = model.taken.late.map(|late| format!("p50 {}  p99 {}", short(late.p50), short(late.p99)));
        spans.extend(late.into_iter().flat_map(|late| field("   late", late)));
    }
    Line::from(spans)
}

fn field(name: &'static str, value: impl ToString) -> Vec<Span<'static>> {
    vec![name.dim(), format!(" {}", value.to_string()).into()]
}

fn bound_by(model: &Model, width: u16) -> Line<'static> {
    let Some(estimate) = model.estimate.as_ref().filter(|_| !model.paused) else { return Line::default() };
    let room = usize::from(width).saturating_sub(40).max(16);
    Line::from(bound::now(estimate, model.limits.concurrency, room, "bound by"))
}

fn connections(model: &Model) -> Line<'static> {
    let mut spans = field("connections opened", HumanCount(model.now.connections_opened));
    spans.extend(field("   received", HumanBytes(model.now.wire_bytes)));
    Line::from(spans)
}

/// A bar of `room` columns, `share` of it full.
fn bar(share: f64, room: usize, color: Color) -> Span<'static> {
    let full = ((share.clamp(0.0, 1.0) * room as f64).round() as usize).min(room);
    Span::styled("█".repeat(full) + &"░".repeat(room - full), Style::new().fg(color))
}

fn panel(title: Line<'_>) -> Block<'_> {
    Block::bordered().border_style(Style::new().dim()).title(title)
}

fn help(frame: &mut Frame<'_>) {
    let lines = KEYS.map(|(key, what)| Line::from(vec![format!(" {key:<10} ").bold(), what.into()]));
    let (width, height) = (62, lines.len() as u16 + 2);
    let area = centred(frame.area(), width, height);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines.to_vec()).block(Block::bordered().title(" keys ")), area);
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use haul::config::Limits;
    use haul::engine::{Bottleneck, LiveLimits, Snapshot};
    use haul::model::{FailureKind, Phase};
    use haul::sched::HostBottleneck;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::shared::bound::tests::estimate;
    use crate::shared::view::RunLabel;
    use crate::shared::view::feed::{FeedSnapshot, Percentiles};

    fn which(subject: Subject, since: Since) -> RunLabel {
        RunLabel { subject, name: String::new(), since }
    }

    /// A run in its twentieth second.
    fn model(subject: Subject) -> Model {
        let limits = LiveLimits::from(&Limits::default());
        let millis = Duration::from_millis;
        let at = |second: u64| Snapshot {
            elapsed: Duration::from_secs(second),
            succeeded: second * second * 40,
            failed: second,
            in_flight: 128,
            queued: 1_234_567,
            connections_opened: 12,
            wire_bytes: 3 << 20,
            status: [0, 0, second * second * 30, second * second * 8, second * second * 2, 0],
            ..Snapshot::default()
        };
        let mut model = Model::new(which(subject, Since::Sent), at(0), limits);
        for second in 1..=20 {
            model.note(
                at(second),
                limits,
                Some(estimate(Bottleneck::Hosts(HostBottleneck::Delay), 1, HostBottleneck::Delay)),
            );
            let latency = Percentiles { p50: millis(2), p90: millis(10 * second), p99: millis(1500) };
            model.add(FeedSnapshot {
                latency: (second % 7 != 0).then_some(latency),
                late: Some(Percentiles { p50: millis(0), ..latency }),
                failures: vec![
                    ((Phase::Dns, FailureKind::NameNotFound), 12),
                    ((Phase::Tls, FailureKind::CertificateName), 8),
                ],
                backlog: vec![("https://shop.example".into(), 9000), ("http://b.example:8080".into(), 12)],
            });
        }
        model
    }

    fn screen(model: &Model, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("no terminal");
        terminal.draw(|frame| draw(model, frame)).expect("no terminal");
        let buffer = terminal.backend().buffer().clone();
        let mut text = String::new();
        for line in buffer.content().chunks(usize::from(width.max(1))) {
            let line: String = line.iter().map(|cell| cell.symbol()).collect();
            writeln!(text, "{}", line.trim_end()).expect("memory");
        }
        text
    }

    #[test]
    fn a_small_screen_has_it_all() {
        let screen = screen(&model(Subject::Get), 80, 24);
        let lines: Vec<_> = screen.lines().collect();
        assert_eq!(lines.len(), 24, "{screen}");
        assert_eq!(lines[0], "haul get  20s  1,561/s", "{screen}");
        assert_eq!(lines[1], "in flight  ████████████████████░░░░░░░░░░░░░░░░░░░░ 128 of 256, 8 per host", "{screen}");
        assert_eq!(lines[2], "done 16,020   failed 20   queued 1,234,567   hosts left 7   ETA 25m41s", "{screen}");
        assert!(
            lines[3].starts_with("bound by host a.rather.long-name") && lines[3].ends_with("(--delay)"),
            "{screen}"
        );
        for part in [
            "URLs/s 1,561, most 1,561",
            "p50 2.00ms  p90 200ms  p99 1.5s",
            "10ms",
            "2xx  12,000",
            "12 dns nxdomain",
            " 8 tls certi…cate_name",
            "9,000 shop.example",
            "space pause  + - in flight  [ ] per host  q stop  ? help",
        ] {
            assert!(screen.contains(part), "{part}:\n{screen}");
        }
    }

    #[test]
    fn a_large_screen_is_used() {
        let screen = screen(&model(Subject::Get), 120, 40);
        let lines: Vec<_> = screen.lines().collect();
        assert_eq!(lines.len(), 40);
        assert!(lines[4].starts_with('┌') && lines[4].ends_with('┐') && lines[4].chars().count() == 120, "{screen}");
        assert!(lines[29].starts_with('└') && lines[37].starts_with('└'), "{screen}");
        assert!(lines[3].contains("bound by host a.rather.long-name-of-a-host.example:8443 (--delay)"), "{screen}");
    }

    #[test]
    fn a_load_has_neither_queue_nor_hosts() {
        let mut model = model(Subject::Bench);
        model.taken.backlog.clear();
        let screen = screen(&model, 80, 24);
        for part in ["queued", "hosts left", "hosts by", "waiting", "late"] {
            assert!(!screen.contains(part), "{part}:\n{screen}");
        }
        assert!(screen.starts_with("haul bench  20s"), "{screen}");
        assert!(screen.contains("connections opened 12   received 3.00 MiB"), "{screen}");
    }

    #[test]
    fn a_load_with_a_plan_shows_what_waits_and_how_late_it_is() {
        let mut model = model(Subject::Bench);
        model.which.since = Since::Due;
        let screen = screen(&model, 80, 24);
        let counts = "done 16,020   failed 20   due and waiting 1,234,567   late p50 0us  p99 1.5s";
        assert_eq!(screen.lines().nth(2), Some(counts), "{screen}");
        assert!(screen.contains("hosts by backlog") && screen.contains("9,000 shop.example"), "{screen}");
    }

    #[test]
    fn a_run_among_others_is_named() {
        let mut model = model(Subject::Bench);
        model.which.name = "trying 400/s".to_owned();
        let screen = screen(&model, 80, 24);
        assert!(screen.starts_with("haul bench  trying 400/s  20s  1,561/s"), "{screen}");
    }

    #[test]
    fn a_pause_and_the_keys_are_shown() {
        let mut model = model(Subject::Get);
        (model.paused, model.help, model.message) = (true, true, Some("at 12s: --concurrency 256 → 320".into()));
        let screen = screen(&model, 80, 24);
        assert!(screen.lines().next().expect("a line").contains(" PAUSED"), "{screen}");
        for part in ["more or fewer requests in flight per host", "stop; again to end at once", "256 → 320"] {
            assert!(screen.contains(part), "{part}:\n{screen}");
        }
        assert!(!screen.contains("bound by") && !screen.contains("ETA"), "{screen}");
    }

    #[test]
    fn a_short_screen_keeps_the_numbers() {
        let screen = screen(&model(Subject::Get), 60, 6);
        let lines: Vec<_> = screen.lines().collect();
        assert!(lines[1].starts_with("in flight") && lines[2].starts_with("done 16,020"), "{screen}");
        assert!(lines[5].starts_with("space pause"), "{screen}");
    }

    #[test]
    fn any_size_will_do() {
        let limits = LiveLimits::from(&Limits::default());
        let mut full = model(Subject::Get);
        full.help = true;
        let extreme = |rate| {
            let mut model = Model::new(which(Subject::Get, Since::Sent), Snapshot::default(), limits);
            let now = Snapshot { elapsed: Duration::MAX, succeeded: rate, in_flight: u64::MAX, ..Snapshot::default() };
            model.note(now, limits, None);
            let longest = Percentiles { p50: Duration::ZERO, p90: Duration::ZERO, p99: Duration::from_secs(3600) };
            model.add(FeedSnapshot { latency: Some(longest), ..FeedSnapshot::default() });
            model
        };
        let empty = Model::new(which(Subject::Bench, Since::Due), Snapshot::default(), limits);
        for model in [full, empty, extreme(u64::MAX), extreme(0)] {
            for width in (0..30).chain([79, 80, 81, 200, 1000]) {
                for height in (0..30).chain([60, 200]) {
                    screen(&model, width, height);
                }
            }
        }
    }
}
