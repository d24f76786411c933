//! [`lines`], [`log_lines`] and [`band`]: lines through points, and a curve with a band around it.

use super::{Area, Drawn, Picture, PlotError, color, emptiest_corner, legend, range_of, save, text};
use crate::num::Real;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use plotters::backend::DrawingBackend;
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Polygon};
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color, WHITE};
use std::path::Path;

extern crate std;

/// Plots named lines through points, each an x and a y, with labels at the two axes. Points with an infinite value or NaN are left
/// out.
///
/// # Errors
///
/// If the file's name ends in neither `.svg` nor `.png`, if it can't be written, or if there is no point.
///
/// # Examples
///
/// ```no_run
/// tuplenet::plot::lines(["x", "y"], &[("a line", &[[0.0, 1.0], [2.0, 3.0]])], "lines.svg")?;
/// # Ok::<(), tuplenet::plot::PlotError>(())
/// ```
pub fn lines<T: Real>(labels: [&str; 2], lines: &[(&str, &[[T; 2]])], path: impl AsRef<Path>) -> Result<(), PlotError> {
    draw(labels, lines, &[], &[], false, path.as_ref())
}

/// [`lines`] with logarithmic axes; points that are not above zero are left out.
///
/// # Errors
///
/// As for [`lines`].
pub fn log_lines<T: Real>(
    labels: [&str; 2],
    lines: &[(&str, &[[T; 2]])],
    path: impl AsRef<Path>,
) -> Result<(), PlotError> {
    draw(labels, lines, &[], &[], true, path.as_ref())
}

/// Plots a curve with a band around it, such as predictions with twice their standard deviation, and points. A point of the curve is
/// an x, a y, and half the width of the band there.
///
/// # Errors
///
/// As for [`lines`].
///
/// # Examples
///
/// ```no_run
/// let curve = [[0.0, 1.0, 0.1], [1.0, 2.0, 0.1], [2.0, 2.5, 0.5]];
/// tuplenet::plot::band(["x", "y"], ("network", &curve), ("samples", &[[0.1, 1.05], [0.9, 1.9]]), "band.svg")?;
/// # Ok::<(), tuplenet::plot::PlotError>(())
/// ```
pub fn band<T: Real>(
    labels: [&str; 2],
    (name, curve): (&str, &[[T; 3]]),
    points: (&str, &[[T; 2]]),
    path: impl AsRef<Path>,
) -> Result<(), PlotError> {
    let line: Vec<[T; 2]> = curve.iter().map(|[x, y, _]| [*x, *y]).collect();
    let upper = curve.iter().map(|[x, y, half]| [*x, *y + *half]);
    let lower = curve.iter().rev().map(|[x, y, half]| [*x, *y - *half]);
    let border: Vec<[T; 2]> = upper.chain(lower).collect();
    draw(labels, &[(name, &line)], &border, &[points], false, path.as_ref())
}

fn draw<T: Real>(
    labels: [&str; 2],
    lines: &[(&str, &[[T; 2]])],
    border: &[[T; 2]],
    points: &[(&str, &[[T; 2]])],
    log: bool,
    path: &Path,
) -> Result<(), PlotError> {
    let place = |value: T| if log { value.exact().log10() } else { value.exact() };
    let exact = |points: &[[T; 2]]| -> Vec<(f64, f64)> {
        let places = points.iter().map(|[x, y]| (place(*x), place(*y)));
        places.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let named = |all: &[(&'_ str, &[[T; 2]])]| -> Vec<(alloc::string::String, Vec<(f64, f64)>)> {
        all.iter().map(|(name, points)| ((*name).into(), exact(points))).collect()
    };
    let (lines, points, border) = (named(lines), named(points), exact(border));
    let all = || lines.iter().chain(&points).flat_map(|(_, points)| points).chain(&border);
    let (left, right) = range_of(all().map(|(x, _)| *x), 0.0).ok_or(PlotError::Nothing)?;
    let (low, high) = range_of(all().map(|(_, y)| *y), 0.05).ok_or(PlotError::Nothing)?;
    save(&Lines { labels, lines, points, border, x: left..right, y: low..high, log }, path)
}

type Named = (alloc::string::String, Vec<(f64, f64)>);

struct Lines<'a> {
    labels: [&'a str; 2],
    lines: Vec<Named>,
    points: Vec<Named>,
    border: Vec<(f64, f64)>,
    x: Range<f64>,
    y: Range<f64>,
    log: bool,
}

impl Picture for Lines<'_> {
    const SIZE: (u32, u32) = (700, 420);

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, scale: u32) -> Drawn<DB> {
        let mut chart = ChartBuilder::on(area)
            .margin(16 * scale)
            .margin_right(24 * scale)
            .x_label_area_size(48 * scale)
            .y_label_area_size(72 * scale)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let tick = |range: &Range<f64>, value: f64| {
            if self.log {
                return format!("1e{value:.0}");
            }
            let decimals = (-((range.end - range.start) / 8.0).log10().floor()).clamp(0.0, 9.0) as usize;
            format!("{value:.decimals$}")
        };
        // A tick for each power of ten.
        let ticks = |range: &Range<f64>| if self.log { (range.end - range.start) as usize + 1 } else { 7 };
        chart
            .configure_mesh()
            .x_desc(self.labels[0])
            .y_desc(self.labels[1])
            .axis_desc_style(text(18 * scale))
            .label_style(text(16 * scale))
            .x_labels(ticks(&self.x))
            .y_labels(ticks(&self.y))
            .x_label_formatter(&|x| tick(&self.x, *x))
            .y_label_formatter(&|y| tick(&self.y, *y))
            .bold_line_style(BLACK.mix(0.15).stroke_width(scale))
            .light_line_style(WHITE.mix(0.0))
            .axis_style(BLACK.mix(0.6).stroke_width(scale))
            .set_all_tick_mark_size(4 * scale)
            .draw()?;
        if !self.border.is_empty() {
            chart.draw_series([Polygon::new(self.border.clone(), color(0).mix(0.2))])?;
        }
        let length = 20 * scale as i32;
        for (index, (name, points)) in self.lines.iter().enumerate() {
            let style = color(index).stroke_width(2 * scale);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(legend(name))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], style));
        }
        for (index, (name, points)) in self.points.iter().enumerate() {
            let style = color(self.lines.len() + index).filled();
            let size = 3 * scale as i32;
            chart
                .draw_series(points.iter().map(|point| Circle::new(*point, size, style)))?
                .label(legend(name))
                .legend(move |(x, y)| Circle::new((x + length / 2, y), size, style));
        }
        let share = |range: &Range<f64>, value: f64| (value - range.start) / (range.end - range.start);
        let all = self.lines.iter().chain(&self.points);
        let places = all.clone().flat_map(|(_, points)| points).chain(&self.border);
        let places = places.map(|(x, y)| (share(&self.x, *x), share(&self.y, *y)));
        chart
            .configure_series_labels()
            .position(emptiest_corner(all.map(|(name, _)| name.as_str()), places))
            .label_font(text(16 * scale))
            .legend_area_size(28 * scale)
            .margin(10 * scale)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3).stroke_width(scale))
            .draw()
    }
}
