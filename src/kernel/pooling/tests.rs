use super::*;
use crate::num::dispatch::dispatch;
use crate::num::dispatch::tests::levels;
use rand::rngs::Xoshiro128PlusPlus;
use rand::{Rng, SeedableRng};
use std::vec::Vec;
extern crate std;

fn below(rng: &mut impl Rng, end: usize) -> usize {
    (rng.next_u32() as usize) % end
}

/// Small integers, so that some are equal and sums are exact.
fn values<T: Real>(rng: &mut impl Rng, count: usize) -> Vec<T> {
    (0..count).map(|_| T::of(below(rng, 9) as f64 - 4.0)).collect()
}

fn any_geometry(rng: &mut impl Rng) -> Geometry {
    let batches = [1, 1, 2, 3, 8, 16, 20, 32, 70];
    let channels = 1 + below(rng, 4);
    let mut geometry = Geometry {
        batch: batches[below(rng, batches.len())],
        channels,
        outputs: channels,
        size: [0; 2],
        output_size: [0; 2],
        kernel: [0; 2],
        stride: [0; 2],
        padding: [0; 2],
        dilation: [0; 2],
        groups: channels,
    };
    for axis in 0..2 {
        let (kernel, stride, dilation) = (1 + below(rng, 4), 1 + below(rng, 4), 1 + below(rng, 2));
        let reach = (kernel - 1) * dilation + 1;
        // No window is all padding.
        let padding = if dilation == 1 { below(rng, kernel / 2 + 1) } else { 0 };
        let outputs = 1 + below(rng, 5);
        geometry.size[axis] = ((outputs - 1) * stride + reach + below(rng, stride)).saturating_sub(2 * padding).max(1);
        geometry.output_size[axis] = (geometry.size[axis] + 2 * padding).saturating_sub(reach) / stride + 1;
        geometry.kernel[axis] = kernel;
        geometry.stride[axis] = stride;
        geometry.dilation[axis] = dilation;
        geometry.padding[axis] = padding;
        // A window of a length of one that is padded on both sides reaches further than the image.
        if geometry.size[axis] + 2 * padding < reach {
            geometry.padding[axis] = 0;
            geometry.size[axis] = reach;
            geometry.output_size[axis] = 1;
        }
    }
    geometry
}

/// The places of each output's inputs in an image of all channels, without the sample.
fn windows(g: &Geometry) -> Vec<Vec<usize>> {
    let mut windows = Vec::new();
    for c in 0..g.channels {
        for row in 0..g.output_size[0] {
            for column in 0..g.output_size[1] {
                let mut window = Vec::new();
                for i in 0..g.kernel[0] {
                    for j in 0..g.kernel[1] {
                        let r = (row * g.stride[0] + i * g.dilation[0]) as isize - g.padding[0] as isize;
                        let k = (column * g.stride[1] + j * g.dilation[1]) as isize - g.padding[1] as isize;
                        if r >= 0 && k >= 0 && r < g.size[0] as isize && k < g.size[1] as isize {
                            window.push((c * g.size[0] + r as usize) * g.size[1] + k as usize);
                        }
                    }
                }
                windows.push(window);
            }
        }
    }
    windows
}

fn compare<T: Real>(seed: u64) {
    let rng = &mut Xoshiro128PlusPlus::seed_from_u64(seed);
    let geometry = any_geometry(rng);
    let batch = geometry.batch;
    let len = if below(rng, 2) == 0 { batch } else { 1 + below(rng, batch) };
    let windows = windows(&geometry);
    let x = values::<T>(rng, geometry.channels * geometry.input_plane());
    let dy = values::<T>(rng, windows.len() * batch);
    let same = |what: &str, found: &[T], expected: &[f64]| {
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            if index % batch < len {
                let difference = (found.exact() - expected).abs();
                assert!(difference < 1e-5, "{what}[{index}]: {found}, {expected}, {len} of {geometry:?}");
            }
        }
        assert_eq!(found.len(), expected.len());
    };
    for level in levels() {
        let (mut y, mut dx) = (std::vec![T::nan(); dy.len()], std::vec![T::nan(); x.len()]);
        dispatch!(level, simd => {
            max_pool(simd, &geometry, len, &x, &mut y);
            max_pool_gradient(simd, &geometry, len, [&x, &y, &dy], &mut dx);
        });
        let (mut y_wanted, mut dx_wanted) = (std::vec![0.0; dy.len()], std::vec![0.0; x.len()]);
        for (index, wanted) in y_wanted.iter_mut().enumerate() {
            let inputs = windows[index / batch].iter().map(|at| at * batch + index % batch);
            // The first of equal ones.
            let largest = inputs.rev().max_by(|&a, &b| x[a].partial_cmp(&x[b]).unwrap()).unwrap();
            *wanted = x[largest].exact();
            dx_wanted[largest] += dy[index].exact();
        }
        same("max", &y, &y_wanted);
        same("max, dx", &dx, &dx_wanted);
        for divisor in [Divisor::Window, Divisor::Inputs] {
            dispatch!(level, simd => {
                average_pool(simd, &geometry, divisor, len, &x, &mut y);
                average_pool_gradient(simd, &geometry, divisor, len, &dy, &mut dx);
            });
            dx_wanted.fill(0.0);
            for (index, wanted) in y_wanted.iter_mut().enumerate() {
                let window = &windows[index / batch];
                let count = match divisor {
                    Divisor::Window => geometry.kernel[0] * geometry.kernel[1],
                    Divisor::Inputs => window.len(),
                };
                let inputs = window.iter().map(|at| at * batch + index % batch);
                *wanted = inputs.clone().map(|at| x[at].exact()).sum::<f64>() / count as f64;
                for at in inputs {
                    dx_wanted[at] += dy[index].exact() / count as f64;
                }
            }
            same("average", &y, &y_wanted);
            same("average, dx", &dx, &dx_wanted);
        }
        let pixels = geometry.size[0] * geometry.size[1];
        let mut means = std::vec![T::nan(); geometry.channels * batch];
        dispatch!(level, simd => mean_of_pixels(simd, pixels, batch, len, &x, &mut means));
        let mut wanted = std::vec![0.0; means.len()];
        for (index, x) in x.iter().enumerate() {
            wanted[index / (pixels * batch) * batch + index % batch] += x.exact() / pixels as f64;
        }
        same("mean", &means, &wanted);
    }
}

#[test]
fn any_pooling_is_the_plain_one() {
    for seed in 0..200 {
        compare::<f32>(seed);
        compare::<f64>(seed);
    }
}

/// As in PyTorch, wherever in the window it is.
#[test]
fn the_maximum_with_nan_is_nan() {
    let mut geometry = any_geometry(&mut Xoshiro128PlusPlus::seed_from_u64(0));
    geometry = Geometry {
        channels: 1,
        batch: 16,
        size: [1, 3],
        output_size: [1; 2],
        kernel: [1, 3],
        stride: [1; 2],
        padding: [0; 2],
        dilation: [1; 2],
        ..geometry
    };
    for level in levels() {
        for place in 0..3 {
            let mut x = [1.0f32; 48];
            x[place * 16 + 5] = f32::NAN;
            let mut y = [0.0; 16];
            dispatch!(level, simd => max_pool(simd, &geometry, 16, &x, &mut y));
            assert!(y.iter().enumerate().all(|(index, y)| y.is_nan() == (index == 5)), "{level:?}, {y:?}");
        }
    }
}

#[test]
fn pixels_are_repeated_and_their_gradients_added() {
    let geometry = Geometry {
        batch: 3,
        channels: 2,
        outputs: 2,
        size: [4, 6],
        output_size: [2, 2],
        kernel: [2, 3],
        stride: [2, 3],
        padding: [0; 2],
        dilation: [1; 2],
        groups: 2,
    };
    let rng = &mut Xoshiro128PlusPlus::seed_from_u64(1);
    let (x, dy) = (values::<f64>(rng, 2 * 4 * 3), values::<f64>(rng, 2 * 24 * 3));
    for level in levels() {
        let (mut y, mut dx) = (std::vec![0.0; dy.len()], std::vec![f64::NAN; x.len()]);
        upsample(&geometry, &x, &mut y);
        dispatch!(level, simd => upsample_gradient(simd, &geometry, 3, &dy, &mut dx));
        let mut wanted = std::vec![0.0; x.len()];
        for (index, y) in y.iter().enumerate() {
            let (pixel, sample) = (index / 3, index % 3);
            let (channel, row, column) = (pixel / 24, pixel / 6 % 4, pixel % 6);
            let from = ((channel * 2 + row / 2) * 2 + column / 3) * 3 + sample;
            assert_eq!(*y, x[from]);
            wanted[from] += dy[index];
        }
        assert_eq!(dx, wanted);
    }
}
