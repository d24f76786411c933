//! [`decision_surface`]: the plot of the predicted class over the plane of two inputs.

use super::{Area, Drawn, Picture, PlotError, color, cut, emptiest_corner, legend, range_of, save, shade, text};
use crate::data::{Inputs, Samples, check_data};
use crate::error::{Error, TargetError, check_finite};
use crate::metrics::largest_index;
use crate::model::{Features, InputShape, Model, Network};
use crate::num::Real;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use plotters::backend::DrawingBackend;
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, EmptyElement, Polygon};
use plotters::style::{BLACK, Color, WHITE};
use std::path::Path;

extern crate std;

/// Plots the decision surface of a network with two inputs: the predicted class for every point of the plane, the
/// darker the more probable, and the samples in the colours of their own classes. `axes` are the names of the two
/// inputs, `names` those of the classes; a class without a name is called "class 2".
///
/// With one output the network predicts class 1 where the output is at least one half; with several, the class with the
/// largest output. The shade is the output taken as a probability.
///
/// # Shapes
///
/// `inputs`: samples of `[T; 2]`; `classes`: as many class indices.
///
/// # Errors
///
/// If the file's name ends in neither `.svg` nor `.png`, if it can't be written, if there are no samples or not
/// as many classes, if a class is not one of the network's outputs, or if a value is infinite or NaN.
///
/// # Examples
///
/// ```
/// use tuplenet::plot;
/// use tuplenet::prelude::*;
///
/// let network = <Dense<2, 3, Softmax>>::new(&mut seeded(0));
/// # let file = |name| std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
/// # let surface_png = file("surface.png");
/// plot::decision_surface(&network, &[[0.0, 0.0], [1.0, 2.0]], &[0usize, 2], ["width", "height"], &["cat", "dog"], &surface_png)?;
/// assert!(std::fs::read(&surface_png)?.starts_with(b"\x89PNG"));
///
/// let error = plot::decision_surface(&network, &[[0.0, 0.0]], &[3usize], ["", ""], &[], &surface_png).unwrap_err();
/// assert_eq!(error.to_string(), "target of sample 0: expected a class index below 3, found 3");
/// # std::fs::remove_file(surface_png)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decision_surface<N, X, Y, const OUT: usize>(
    network: &N,
    inputs: &X,
    classes: &Y,
    axes: [&str; 2],
    names: &[&str],
    path: impl AsRef<Path>,
) -> Result<(), PlotError>
where
    N: Network + InputShape<In = Features<2>> + Model<Features<2>, N::Scalar, Out = Features<OUT>>,
    X: Inputs<N::Scalar, Features<2>> + ?Sized,
    Y: Samples<N::Scalar, Item = usize> + ?Sized,
{
    let limit = OUT.max(2);
    let mut samples = Vec::new();
    let (mut input, mut class) = ([N::Scalar::ZERO; 2], 0);
    for sample in 0..check_data(inputs, classes)? {
        inputs.copy(sample, &mut input);
        classes.copy(sample, &mut class);
        check_finite(sample, &input)?;
        if class >= limit {
            let problem = TargetError::Class { found: class, classes: limit };
            return Err(Error::Target { sample, problem }.into());
        }
        samples.push((input.map(Real::exact), class));
    }
    let range = |axis: usize| range_of(samples.iter().map(|(input, _)| input[axis]), 0.12).ok_or(PlotError::Nothing);
    let (x, y) = (range(0)?, range(1)?);
    let predict = |point: [f64; 2]| {
        let outputs: [N::Scalar; OUT] = network.predict_one(&point.map(N::Scalar::of));
        if let [output] = outputs.as_slice() {
            let output = output.exact();
            (usize::from(output >= 0.5), if output >= 0.5 { output } else { 1.0 - output })
        } else {
            let class = largest_index(&outputs);
            (class, outputs[class].exact())
        }
    };
    let name = |class: usize| names.get(class).map_or_else(|| format!("class {class}"), |name| cut(name, 16));
    let names = (0..limit).map(name).collect();
    let surface = Surface { predict, samples, axes, x: x.0..x.1, y: y.0..y.1, names };
    save(&surface, path.as_ref())
}

struct Surface<'a, F> {
    predict: F,
    samples: Vec<([f64; 2], usize)>,
    axes: [&'a str; 2],
    x: Range<f64>,
    y: Range<f64>,
    /// Of all classes.
    names: Vec<String>,
}

/// A legend with more classes would hide the picture.
const MOST_NAMES: usize = 10;

/// The width of the squares that have one colour, in pixels.
const CELL: i32 = 4;
/// How many shades there are from a guess to a certainty.
const SHADES: f64 = 10.0;

/// Runs of cells in rows that follow each other, each below the one before: a polygon.
struct Stack {
    top: i32,
    /// The first column of each run, and the one behind it.
    runs: Vec<(i32, i32)>,
}

impl Stack {
    /// Whether a run in that row stands right below the last one.
    fn is_above(&self, row: i32, (left, right): (i32, i32)) -> bool {
        let last = self.runs.last().filter(|_| self.top + self.runs.len() as i32 == row);
        last.is_some_and(|last| last.0 < right && left < last.1)
    }

    /// Its corners, down on the right and up on the left.
    fn corners(&self) -> Vec<(i32, i32)> {
        let steps = || (self.top..).zip(&self.runs);
        let down = steps().flat_map(|(row, run)| [(run.1, row), (run.1, row + 1)]);
        let mut up: Vec<_> = steps().flat_map(|(row, run)| [(run.0, row), (run.0, row + 1)]).collect();
        up.reverse();
        let mut corners: Vec<(i32, i32)> = Vec::new();
        for corner in down.chain(up) {
            // Of the points on an upright line only the ends.
            if let [.., before, last] = corners[..]
                && before.0 == last.0
                && last.0 == corner.0
            {
                corners.pop();
            }
            corners.push(corner);
        }
        corners
    }
}

/// Polygons that together cover the cells that are `inside`: few, where a rectangle for each run of cells would make an
/// SVG of thousands of lines.
fn outlines<C>(rows: &[Vec<C>], inside: impl Fn(&C) -> bool) -> Vec<Vec<(i32, i32)>> {
    let mut stacks: Vec<Stack> = Vec::new();
    for (top, row) in (0..).zip(rows) {
        let mut left = 0;
        for cells in row.chunk_by(|a, b| inside(a) == inside(b)) {
            let run = (left, left + cells.len() as i32);
            left = run.1;
            if !inside(&cells[0]) {
                continue;
            }
            match stacks.iter_mut().find(|stack| stack.is_above(top, run)) {
                Some(stack) => stack.runs.push(run),
                None => stacks.push(Stack { top, runs: vec![run] }),
            }
        }
    }
    stacks.iter().map(Stack::corners).collect()
}

impl<F: Fn([f64; 2]) -> (usize, f64)> Picture for Surface<'_, F> {
    const SIZE: (u32, u32) = (700, 500);

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, scale: u32) -> Drawn<DB> {
        let mut chart = ChartBuilder::on(area)
            .margin(16 * scale)
            .margin_right(24 * scale)
            .x_label_area_size(48 * scale)
            .y_label_area_size(72 * scale)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        {
            let plane = chart.plotting_area().strip_coord_spec();
            let (width, height) = plane.dim_in_pixel();
            let (width, height) = (width as i32, height as i32);
            let along = |range: &Range<f64>, share: f64| range.start + share * (range.end - range.start);
            let guess = 1.0 / self.names.len() as f64;
            let mut rows = Vec::new();
            for top in (0..height).step_by(CELL as usize) {
                let middle = f64::from(top) + f64::from(CELL) / 2.0;
                let mut row = Vec::new();
                for left in (0..width).step_by(CELL as usize) {
                    let across = (f64::from(left) + f64::from(CELL) / 2.0) / f64::from(width);
                    let point = [along(&self.x, across), along(&self.y, 1.0 - middle / f64::from(height))];
                    let (class, sure) = (self.predict)(point);
                    // What is no probability is a certainty or a guess; NaN is a guess.
                    let share = ((sure - guess) / (1.0 - guess)).clamp(0.0, 1.0);
                    row.push((class, (share * SHADES).round() as i32));
                }
                rows.push(row);
            }
            // A darker shade is drawn upon the lighter ones of its class, so that every border is drawn once.
            let mut colors: Vec<_> = rows.concat();
            colors.sort_unstable();
            colors.dedup();
            for (class, step) in colors {
                let fill = shade(color(class), 0.15 + 0.4 * f64::from(step) / SHADES).filled();
                for polygon in outlines(&rows, |cell| cell.0 == class && cell.1 >= step) {
                    let inside = polygon.into_iter().map(|(x, y)| ((x * CELL).min(width), (y * CELL).min(height)));
                    plane.draw(&Polygon::new(inside.collect::<Vec<_>>(), fill))?;
                }
            }
        }
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc(self.axes[0])
            .y_desc(self.axes[1])
            .axis_desc_style(text(18 * scale))
            .label_style(text(16 * scale))
            .x_labels(8)
            .y_labels(7)
            .axis_style(BLACK.mix(0.6).stroke_width(scale))
            .set_all_tick_mark_size(4 * scale)
            .draw()?;
        let size = 4 * scale as i32;
        let has_legend = self.names.len() <= MOST_NAMES;
        for (class, name) in self.names.iter().enumerate() {
            let of_class = self.samples.iter().filter(|sample| sample.1 == class);
            let circle = move |place: (f64, f64)| {
                EmptyElement::at(place)
                    + Circle::new((0, 0), size + scale as i32, WHITE.filled())
                    + Circle::new((0, 0), size, color(class).filled())
            };
            let points = of_class
                .map(|([x, y], _)| circle((x.clamp(self.x.start, self.x.end), y.clamp(self.y.start, self.y.end))));
            let drawn = chart.draw_series(points)?;
            if has_legend {
                let middle = size * 2;
                let mark = move |(x, y)| Circle::new((x + middle, y), size, color(class).filled());
                drawn.label(legend(name)).legend(mark);
            }
        }
        let place = |range: &Range<f64>, number: f64| (number - range.start) / (range.end - range.start);
        let points = self.samples.iter().map(|([x, y], _)| (place(&self.x, *x), place(&self.y, *y)));
        let names = self.names.iter().filter(|_| has_legend).map(String::as_str);
        chart
            .configure_series_labels()
            .position(emptiest_corner(names, points))
            .label_font(text(16 * scale))
            .legend_area_size(20 * scale)
            .margin(10 * scale)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3).stroke_width(scale))
            .draw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is inside, each cell of it is in exactly one polygon, and no other cell is in any.
    #[test]
    fn outlines_cover_what_is_inside() {
        let pictures = [
            "",
            "#",
            ".",
            "##..#\n##..#\n.###.\n#...#\n#####",
            "#.#.#\n.#.#.\n#.#.#",
            "#####\n#...#\n#.#.#\n#...#\n#####",
            "..##\n.##.\n##..\n.##.\n..##",
            "#..\n...\n#..\n",
        ];
        for picture in pictures {
            let rows: Vec<Vec<char>> = picture.lines().map(|line| line.chars().collect()).collect();
            let polygons = outlines(&rows, |cell| *cell == '#');
            for (row, cells) in rows.iter().enumerate() {
                for (column, cell) in cells.iter().enumerate() {
                    let around = polygons.iter().filter(|corners| contains(corners, column as i32, row as i32));
                    assert_eq!(around.count(), usize::from(*cell == '#'), "{picture}\n{row} {column}: {polygons:?}");
                }
            }
        }
        assert_eq!(outlines(&[vec![1, 1], vec![1, 1]], |_| true), [[(2, 0), (2, 2), (0, 2), (0, 0)]]);
    }

    /// Whether the cell is inside the polygon: to the right of it stands an odd number of upright sides.
    fn contains(corners: &[(i32, i32)], column: i32, row: i32) -> bool {
        let sides = corners.iter().zip(corners.iter().cycle().skip(1));
        let crossed = sides.filter(|(a, b)| a.0 == b.0 && a.0 > column && a.1.min(b.1) <= row && row < a.1.max(b.1));
        crossed.count() % 2 == 1
    }
}
