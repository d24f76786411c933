//! Pictures: both formats, the text in them, and what can't be drawn.

#![cfg(feature = "plot")]

use std::path::PathBuf;
use tuplenet::Error;
use tuplenet::error::TargetError;
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::plot::{self, PlotError};
use tuplenet::prelude::*;

/// A file that is deleted at the end of the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Temporary(std::env::temp_dir().join(format!("tuplenet-{}-{name}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Draws the picture in both formats, checks the size of the PNG, and gives the SVG and its texts.
fn both(name: &str, size: [u32; 2], draw: impl Fn(&PathBuf) -> Result<(), PlotError>) -> (String, Vec<String>) {
    let (svg, png) = (Temporary::new(&format!("{name}.svg")), Temporary::new(&format!("{name}.PNG")));
    draw(&svg.0).unwrap();
    draw(&png.0).unwrap();

    let png = std::fs::read(&png.0).unwrap();
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") && png.ends_with(b"IEND\xaeB`\x82"));
    assert_eq!([number(16), number(20)], size.map(|pixels| 2 * pixels));

    let svg = std::fs::read_to_string(&svg.0).unwrap();
    assert!(svg.starts_with(&format!("<svg width=\"{}\" height=\"{}\"", size[0], size[1])), "{svg:.100}");
    assert!(svg.trim_end().ends_with("</svg>"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let texts = svg.split("<text").skip(1).filter_map(|text| text.split(['>', '<']).nth(1));
    let texts = texts.map(|text| text.trim().to_string()).collect();
    (svg, texts)
}

fn contains(texts: &[String], expected: &[&str]) {
    for &text in expected {
        assert!(texts.iter().any(|found| found == text), "no {text:?} among {texts:?}");
    }
}

#[test]
fn losses() {
    let mut trainer =
        Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.05), seeded(1));
    let (mut alone, mut validated) = (History::new(), History::new());
    let (inputs, targets, fit) = ([[1.0], [2.0]], [[2.0], [4.0]], FitOptions { epochs: 21, ..FitOptions::default() });
    trainer.fit(&inputs, &targets, &fit, &mut alone).unwrap();
    trainer.fit_validated(&inputs, &targets, (&inputs, &targets), &fit, &mut validated).unwrap();

    let (_, texts) = both("alone", [700, 420], |path| plot::losses(&alone, path));
    contains(&texts, &["epoch", "loss", "training", "0", "10", "20"]);
    assert!(!texts.iter().any(|text| text == "validation"), "{texts:?}");
    let (svg, texts) = both("validated", [700, 420], |path| plot::losses(&validated, path));
    contains(&texts, &["epoch", "loss", "training", "validation"]);
    // Each curve and its mark in the legend.
    assert!(svg.matches("<polyline").count() >= 4);
}

#[test]
fn a_curve_is_where_its_numbers_are() {
    let (svg, texts) = both("curve", [700, 420], |path| plot::curves("a < b", &[("x & y", &[0.0f64, 1.0, 0.5])], path));
    contains(&texts, &["a &lt; b", "x &amp; y", "0.0", "1.0", "0", "1", "2"]);
    let lines = svg.split("<polyline").skip(1).filter_map(|line| line.split('>').next());
    let line = lines.filter(|line| line.contains("#0072B2")).find(|line| line.matches(',').count() == 3).unwrap();
    let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    let points: Vec<Vec<f64>> = points
        .split_whitespace()
        .map(|point| point.split(',').map(|number| number.parse().unwrap()).collect())
        .collect();
    let [a, b, c] = &points[..] else { panic!("{points:?}") };
    assert!((b[0] - (a[0] + c[0]) / 2.0).abs() <= 1.0, "epochs are equally far apart: {points:?}");
    assert!((c[1] - (a[1] + b[1]) / 2.0).abs() <= 1.0 && b[1] < a[1], "half way up: {points:?}");
}

#[test]
fn odd_numbers() {
    let odd: [&[f64]; 7] = [
        &[1.0],
        &[0.0, 0.0, 0.0],
        &[f64::NAN, 1.0, f64::INFINITY, 2.0, 3.0, f64::NEG_INFINITY],
        &[f64::MAX, f64::MIN],
        &[f64::MIN_POSITIVE / 2.0, 0.0],
        &[1.0, 1.0 + f64::EPSILON],
        &[-1e-7, -2e-7],
    ];
    for (index, values) in odd.into_iter().enumerate() {
        both(&format!("odd{index}"), [700, 420], |path| plot::curves("value", &[("odd", values), ("none", &[])], path));
    }
    for nothing in [&[][..], &[f64::NAN, f64::INFINITY]] {
        let file = Temporary::new("nothing.svg");
        let error = plot::curves("value", &[("a", nothing)], &file.0).unwrap_err();
        assert!(matches!(error, PlotError::Nothing), "{error}");
        assert!(!file.0.exists());
    }
}

#[test]
fn decision_surfaces() {
    // Class 1 to the right of 0.
    let step = Dense::<2, 1, Sigmoid>::from_rows([[9.0, 0.0]], [0.0]);
    let (inputs, classes) = ([[-1.0, -2.0], [1.0, 2.0]], [false, true]);
    let (svg, texts) = both("two", [700, 500], |path| {
        plot::decision_surface(&step, &inputs, &classes, ["width", "height"], &[], path)
    });
    contains(&texts, &["width", "height", "class 0", "class 1"]);
    // The surest colours of both classes: all of the left part, and of the right one, without as many elements as
    // cells.
    let corners = |fill: &str| -> Vec<Vec<[f64; 2]>> {
        let of_fill = svg.split("<polygon").filter(|polygon| polygon.contains(fill));
        let points = of_fill.map(|polygon| polygon.split("points=\"").nth(1).unwrap().split('"').next().unwrap());
        let numbers = |point: &str| {
            let (x, y) = point.split_once(',').unwrap();
            [x, y].map(|number| number.parse().unwrap())
        };
        points.map(|points| points.split_whitespace().map(numbers).collect()).collect()
    };
    let area = |corners: &[[f64; 2]]| {
        let next = corners.iter().cycle().skip(1);
        corners.iter().zip(next).map(|([a, b], [c, d])| a * d - b * c).sum::<f64>().abs() / 2.0
    };
    for (fill, is_here) in [("#73B1D5", (|x| x < 380.0) as fn(f64) -> bool), ("#E8A673", |x| x > 380.0)] {
        let found = corners(fill);
        assert!(found.iter().flatten().all(|[x, _]| is_here(*x)), "{fill}: {found:?}");
        let covered: f64 = found.iter().map(|polygon| area(polygon)).sum();
        assert!((0.3..0.5).contains(&(covered / (588.0 * 420.0))), "{fill}: {covered}");
    }
    assert!(svg.lines().count() < 100, "{}", svg.lines().count());

    let three = <(Dense<2, 5, Tanh, f64>, Dense<5, 3, Softmax, f64>)>::new(&mut seeded(0));
    let (_, texts) = both("three", [700, 500], |path| {
        plot::decision_surface(&three, &[[1.0, 1.0]], &[2usize], ["x", "y"], &["cat", "dog"], path)
    });
    contains(&texts, &["x", "y", "cat", "dog", "class 2"]);

    let file = Temporary::new("bad.svg");
    let surface = |inputs: &[[f32; 2]], classes: &[usize]| match plot::decision_surface(
        &step,
        inputs,
        classes,
        ["x", "y"],
        &[],
        &file.0,
    ) {
        Err(PlotError::Data(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(surface(&[], &[]), Error::NoSamples);
    assert_eq!(surface(&[[0.0, f32::NAN]], &[0]), Error::SampleNotFinite { sample: 0, column: 1 });
    let problem = TargetError::Class { found: 2, classes: 2 };
    assert_eq!(surface(&inputs, &[0, 2]), Error::Target { sample: 1, problem });
}

#[test]
fn confusion_matrices() {
    let mut matrix = ConfusionMatrix::<3>::new();
    for (truth, predicted, times) in [(0, 0, 41), (1, 1, 37), (1, 2, 5), (2, 2, 29)] {
        for _ in 0..times {
            matrix.record(truth, predicted).unwrap();
        }
    }
    let names = ["setosa", "versicolor", "a name that is much too long"];
    let (_, texts) = both("confusion", [700, 560], |path| plot::confusion(&matrix, &names, path));
    contains(&texts, &["true class", "predicted class", "setosa", "versicolor", "a name that is…"]);
    let cells: Vec<_> = texts.iter().filter_map(|text| text.parse::<usize>().ok()).collect();
    assert_eq!(cells, [41, 0, 0, 0, 37, 5, 0, 0, 29]);

    let mut many = ConfusionMatrix::<40>::new();
    many.record(39, 3).unwrap();
    both("many", [700, 560], |path| {
        plot::confusion(&many, &std::array::from_fn(|class| format!("class {class}")), path)
    });
    let file = Temporary::new("empty.svg");
    let empty = plot::confusion(&ConfusionMatrix::<2>::new(), &["a", "b"], &file.0);
    assert!(matches!(empty, Err(PlotError::Nothing)));
}

#[test]
fn files_that_can_not_be_written() {
    for name in ["losses.jpg", "losses", ".svg"] {
        let error = plot::curves("loss", &[("a", &[1.0f32])], name).unwrap_err();
        let expected = format!("expected a file name that ends in .svg or .png, found `{name}`");
        assert_eq!(error.to_string(), expected);
    }
    for name in ["a.svg", "a.png"] {
        let path = Temporary::new("no-such-directory").0.join(name);
        let error = plot::curves("loss", &[("a", &[1.0f32])], &path).unwrap_err();
        assert!(matches!(error, PlotError::File { .. }), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
