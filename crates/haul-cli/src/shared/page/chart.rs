//! A chart: what is in it, its drawing as SVG by plotters, and what it reads out under the pointer. Pure.
//!
//! Each is drawn twice, for wide and for narrow windows, so that its text keeps its size. Colours are numbers that stand for
//! those of the style sheet, which knows light and dark.

use std::fmt::Write;
use std::io;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BLACK, Cartesian2d, ChartBuilder, ChartContext, Color, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea,
    IntoFont, LineSeries, Polygon, RGBColor, SVGBackend, TRANSPARENT, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use super::text::escaped;

/// What a chart shows.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Unique in its page.
    pub(super) id: String,
    pub(super) title: String,
    /// What is seen, in a sentence or two.
    pub(super) note: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<ChartLine>,
    /// Whether the lines stand on one another.
    pub(super) stacked: bool,
    /// What is read out, from left to right.
    pub(super) readouts: Vec<Readout>,
}

/// An axis. Its values are those drawn: of a logarithmic one, the logarithms.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) range: Range<f64>,
    pub(super) ticks: Vec<(f64, String)>,
}

/// A line or a layer.
#[derive(Clone, Debug)]
pub(super) struct ChartLine {
    pub(super) name: String,
    /// The number of its colour, from 1.
    pub(super) colour: u8,
    /// From left to right.
    pub(super) points: Vec<(f64, f64)>,
}

/// What a place on the x axis reads.
#[derive(Clone, Debug)]
pub(super) struct Readout {
    pub(super) x: f64,
    pub(super) label: String,
    /// For each line, its value as text and its y.
    pub(super) values: Vec<(String, f64)>,
}

/// Colours on the style sheet.
pub(super) const COLOURS: u8 = 9;
/// The size of a drawing in CSS pixels, and how many units of it are one: plotters draws in whole units.
const WIDE: (u32, u32) = (620, 300);
const NARROW: (u32, u32) = (360, 280);
const UNITS: u32 = 8;

const INK: RGBColor = RGBColor(0, 0, 1);
const GRID: RGBColor = RGBColor(0, 0, 2);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;
type DrawResult<T> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// The part of a drawing that the axes enclose.
type PlotArea = (Range<i32>, Range<i32>);

impl Chart {
    /// The figure: caption, legend, drawings.
    pub(super) fn figure(&self) -> String {
        let Self { id, title, note, .. } = self;
        let (id, title, note) = (escaped(id), escaped(title), escaped(note));
        let drawings: String =
            [("wide", WIDE), ("narrow", NARROW)].map(|(class, size)| self.drawing(class, size)).concat();
        format!(
            "<figure class=\"chart\" id=\"{id}\"><figcaption><h3>{title}</h3><p>{note}</p></figcaption>{}\
             <div class=\"plot\" tabindex=\"0\" role=\"group\" aria-roledescription=\"chart\" aria-label=\"{title}. {note} \
             Left and right arrows read values.\">{drawings}<div class=\"tip\" hidden></div></div>\
             <p class=\"said\" role=\"status\"></p></figure>\n",
            self.legend(),
        )
    }

    fn legend(&self) -> String {
        if self.lines.len() < 2 {
            return String::new();
        }
        let one = |line: &ChartLine| format!("<li><i class=\"k{}\"></i>{}</li>", line.colour, escaped(&line.name));
        format!("<ul class=\"legend\">{}</ul>", self.lines.iter().map(one).collect::<String>())
    }

    fn drawing(&self, class: &str, (width, height): (u32, u32)) -> String {
        let (width, height) = (width * UNITS, height * UNITS);
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let inner = self.draw(&area, class == "wide").expect("a string takes all that is written to it");
        drop(area);
        let content = svg.split_once('>').map_or("", |(_, content)| content);
        let (x, y) = inner;
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\" data-x0=\"{}\" data-x1=\"{}\" \
             data-y0=\"{}\" data-y1=\"{}\">{content}",
            x.start, x.end, y.start, y.end,
        )
    }

    fn draw(&self, area: &Area<'_>, wide: bool) -> DrawResult<PlotArea> {
        let px = |pixels: u32| pixels * UNITS;
        let text = ("sans-serif", px(15)).into_font().color(&INK);
        let below = text.pos(Pos::new(HPos::Center, VPos::Top));
        let mut chart = ChartBuilder::on(area)
            .margin_top(px(8))
            .margin_right(px(32))
            .margin_left(px(2))
            .x_label_area_size(px(44))
            .y_label_area_size(px(if wide { 74 } else { 64 }))
            .build_cartesian_2d(Scale::from(&self.x), Scale::from(&self.y))?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(below.clone())
            .x_label_style(below)
            .y_label_style(text_left(px(15)))
            .set_all_tick_mark_size(px(5))
            .axis_style(GRID.stroke_width(UNITS))
            .bold_line_style(GRID.stroke_width(UNITS))
            .light_line_style(TRANSPARENT)
            .x_labels(self.x.ticks.len())
            .y_labels(self.y.ticks.len())
            .draw()?;
        if self.stacked {
            self.layers(&mut chart)?
        } else {
            self.strokes(&mut chart)?
        }
        let inner = chart.plotting_area().get_pixel_range();
        area.present()?;
        Ok(inner)
    }

    fn strokes(&self, chart: &mut Plane<'_, '_>) -> DrawResult<()> {
        for line in &self.lines {
            chart.draw_series(LineSeries::new(
                line.points.iter().copied(),
                colour(line.colour).stroke_width(UNITS * 7 / 4),
            ))?;
        }
        Ok(())
    }

    /// Each line's points are its own height; it is drawn on top of those before.
    fn layers(&self, chart: &mut Plane<'_, '_>) -> DrawResult<()> {
        let mut ground: Vec<(f64, f64)> =
            self.lines.first().map(|line| line.points.iter().map(|&(x, _)| (x, 0.0)).collect()).unwrap_or_default();
        for line in &self.lines {
            let top: Vec<_> = ground.iter().zip(&line.points).map(|(&(x, y), &(_, more))| (x, y + more)).collect();
            let around: Vec<_> = top.iter().copied().chain(ground.iter().rev().copied()).collect();
            chart.draw_series([Polygon::new(around, colour(line.colour).filled())])?;
            ground = top;
        }
        Ok(())
    }

    /// What the page's script needs: places and heights as parts of the plane, from the lower left corner.
    pub(super) fn spoken(&self) -> ChartReadouts<'_> {
        let place = |axis: &Axis, value: f64| {
            let part = (value - axis.range.start) / (axis.range.end - axis.range.start);
            (part.clamp(0.0, 1.0) * 1e4).round() / 1e4
        };
        let point = |readout: &Readout| ReadoutPoint {
            at: place(&self.x, readout.x),
            label: readout.label.clone(),
            values: readout.values.iter().map(|(text, y)| (text.clone(), place(&self.y, *y))).collect(),
        };
        ChartReadouts {
            id: &self.id,
            lines: self.lines.iter().map(|line| (&*line.name, line.colour)).collect(),
            points: self.readouts.iter().map(point).collect(),
        }
    }
}

/// A chart's readouts for the page's script.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChartReadouts<'a> {
    id: &'a str,
    lines: Vec<(&'a str, u8)>,
    points: Vec<ReadoutPoint>,
}

#[derive(Clone, Debug, Serialize)]
struct ReadoutPoint {
    at: f64,
    label: String,
    values: Vec<(String, f64)>,
}

/// An axis as plotters knows it: with these ticks and no others.
struct Scale {
    values: RangedCoordf64,
    range: Range<f64>,
    ticks: Vec<(f64, String)>,
}

impl From<&Axis> for Scale {
    fn from(axis: &Axis) -> Self {
        Self { values: axis.range.clone().into(), range: axis.range.clone(), ticks: axis.ticks.clone() }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.values.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick.total_cmp(value).is_eq());
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

fn text_left(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK).pos(Pos::new(HPos::Right, VPos::Center))
}

const fn colour(number: u8) -> RGBColor {
    RGBColor(0, 1, number)
}

/// The style sheet's rules for the numbers that stand for colours.
pub(super) fn rules() -> String {
    let mut rules = String::new();
    let mut rule = |RGBColor(r, g, b): RGBColor, name: &str| {
        for property in ["fill", "stroke"] {
            let _ = write!(rules, "svg [{property}=\"#{r:02X}{g:02X}{b:02X}\"]{{{property}:var(--{name})}}");
        }
    };
    rule(INK, "soft");
    rule(BLACK, "soft");
    rule(GRID, "grid");
    (1..=COLOURS).for_each(|number| rule(colour(number), &format!("c{number}")));
    for number in 1..=COLOURS {
        let _ = write!(rules, ".k{number}{{background:var(--c{number});fill:var(--c{number})}}");
    }
    rules
}
