//! [`curves`]: the plot of losses and metrics over the epochs.

use super::{Area, Drawn, Picture, PlotError, color, emptiest_corner, legend, range_of, save, text};
use crate::num::Real;
use crate::train::callbacks::History;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use plotters::backend::DrawingBackend;
use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::element::PathElement;
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color, WHITE};
use std::path::Path;

extern crate std;

/// Plots the training loss, and the validation loss if there is one, over the epochs.
///
/// # Errors
///
/// If the file's name ends in neither `.svg` nor `.png`, if it can't be written, or if there is no finite
/// loss.
///
/// # Examples
///
/// ```
/// use tuplenet::plot;
/// use tuplenet::prelude::*;
///
/// let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
/// let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
/// let mut history = History::new();
/// trainer.fit(&[[1.0], [2.0]], &[[2.0], [4.0]], &FitOptions { epochs: 20, ..FitOptions::default() }, &mut history)?;
/// # let file = |name| std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
/// # let (losses_svg, losses_txt) = (file("losses.svg"), file("losses.txt"));
///
/// plot::losses(&history, &losses_svg)?;
/// assert!(std::fs::read_to_string(&losses_svg)?.starts_with("<svg"));
/// let error = plot::losses(&history, &losses_txt).unwrap_err();
/// assert!(error.to_string().starts_with("expected a file name that ends in .svg or .png, found"));
/// # std::fs::remove_file(losses_svg)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn losses<T: Real>(history: &History<T>, path: impl AsRef<Path>) -> Result<(), PlotError> {
    curves("loss", &[("training", history.losses()), ("validation", history.validation_losses())], path)
}

/// Plots named curves over the epochs, counted from zero, with `label` at the vertical axis: losses of several training
/// runs, or [metrics](crate::train::callbacks::Metric). Curves without values are left out, and a value that is
/// infinite or NaN leaves a gap.
///
/// # Errors
///
/// If the file's name ends in neither `.svg` nor `.png`, if it can't be written, or if there is no finite
/// value.
///
/// # Examples
///
/// ```no_run
/// let (with, without) = ([0.4, 0.7, 0.8], [0.4, 0.6, 0.7]);
/// tuplenet::plot::curves("accuracy", &[("with dropout", &with), ("without", &without)], "accuracy.svg")?;
/// # Ok::<(), tuplenet::plot::PlotError>(())
/// ```
pub fn curves<T: Real>(label: &str, curves: &[(&str, &[T])], path: impl AsRef<Path>) -> Result<(), PlotError> {
    let exact = |values: &[T]| values.iter().map(|value| value.exact()).collect::<Vec<_>>();
    let curves: Vec<_> = curves.iter().map(|(name, values)| (*name, exact(values))).collect();
    let all = || curves.iter().flat_map(|(_, values)| values.iter().copied());
    let lowest = all().filter(|value| value.is_finite()).fold(f64::INFINITY, f64::min);
    let (mut low, mut high) = range_of(all(), 0.05).ok_or(PlotError::Nothing)?;
    // The axis of values that are never negative begins at zero if they come near it, and a share does not exceed 1.
    if lowest >= 0.0 && lowest < 0.3 * high {
        low = 0.0;
    }
    if low >= 0.0 && all().all(|value| value <= 1.0) && high > 1.0 {
        high = 1.0;
    }
    let last = curves.iter().map(|(_, values)| values.len()).max().unwrap_or(0).saturating_sub(1);
    let epochs = 0.0..(last as f64).max(1.0);
    save(&Curves { label, curves, epochs, values: low..high }, path.as_ref())
}

struct Curves<'a> {
    label: &'a str,
    curves: Vec<(&'a str, Vec<f64>)>,
    epochs: Range<f64>,
    values: Range<f64>,
}

impl Curves<'_> {
    fn corner(&self) -> SeriesLabelPosition {
        let named = self.curves.iter().filter(|(_, values)| values.iter().any(|value| value.is_finite()));
        let place = |range: &Range<f64>, number: f64| (number - range.start) / (range.end - range.start);
        let points = self.curves.iter().flat_map(|(_, values)| values.iter().enumerate());
        let points = points.filter(|(_, value)| value.is_finite());
        let points = points.map(|(epoch, value)| (place(&self.epochs, epoch as f64), place(&self.values, *value)));
        emptiest_corner(named.map(|(name, _)| *name), points)
    }
}

impl Picture for Curves<'_> {
    const SIZE: (u32, u32) = (700, 420);

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, scale: u32) -> Drawn<DB> {
        let decimals = decimals(&self.values);
        let mut chart = ChartBuilder::on(area)
            .margin(16 * scale)
            .margin_right(24 * scale)
            .x_label_area_size(48 * scale)
            .y_label_area_size(72 * scale)
            .build_cartesian_2d(self.epochs.clone(), self.values.clone())?;
        let whole_epochs = (self.epochs.end as usize).min(8);
        chart
            .configure_mesh()
            .x_desc("epoch")
            .y_desc(self.label)
            .axis_desc_style(text(18 * scale))
            .label_style(text(16 * scale))
            .x_labels(whole_epochs + 1)
            .y_labels(7)
            .x_label_formatter(&|epoch| format!("{epoch:.0}"))
            .y_label_formatter(&|value| match decimals {
                Some(decimals) => format!("{value:.decimals$}"),
                None => format!("{value:.1e}"),
            })
            .bold_line_style(BLACK.mix(0.15).stroke_width(scale))
            .light_line_style(WHITE.mix(0.0))
            .axis_style(BLACK.mix(0.6).stroke_width(scale))
            .set_all_tick_mark_size(4 * scale)
            .draw()?;
        for (index, (name, values)) in self.curves.iter().enumerate() {
            let style = color(index).stroke_width(2 * scale);
            // What lies beyond the axes, with numbers near the largest there is, is drawn at their ends.
            let inside = |value: f64| value.clamp(self.values.start, self.values.end);
            let finite = |value: f64| Some(value).filter(|value| value.is_finite()).map(inside);
            let points = values.iter().enumerate().map(|(epoch, value)| Some((epoch as f64, finite(*value)?)));
            let points: Vec<_> = points.collect();
            let mut is_named = false;
            for piece in points.split(Option::is_none).filter(|piece| !piece.is_empty()) {
                // A point alone would not be seen.
                let size = if piece.len() == 1 { 3 * scale } else { 0 };
                let line = LineSeries::new(piece.iter().copied().flatten(), style).point_size(size);
                let drawn = chart.draw_series(line)?;
                if !is_named {
                    let length = 20 * scale as i32;
                    drawn.label(legend(name)).legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], style));
                    is_named = true;
                }
            }
        }
        chart
            .configure_series_labels()
            .position(self.corner())
            .label_font(text(16 * scale))
            .legend_area_size(28 * scale)
            .margin(10 * scale)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3).stroke_width(scale))
            .draw()
    }
}

/// How many decimals distinguish the tick labels of an axis; none where only powers of ten do.
fn decimals(range: &Range<f64>) -> Option<usize> {
    let span = range.end - range.start;
    let largest = range.end.abs().max(range.start.abs());
    if largest >= 1e5 || span < 1e-4 {
        return None;
    }
    // About seven numbers, so that two neighbours are an eighth of the range apart.
    Some((-(span / 8.0).log10().floor()).max(0.0) as usize)
}
