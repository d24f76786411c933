use super::*;
use crate::num::Lanes;
use crate::num::dispatch::dispatch;
use crate::num::dispatch::tests::levels;
use fearless_simd::SimdBase;
use rand::rngs::Xoshiro128PlusPlus;
use rand::{Rng, SeedableRng};
use std::vec::Vec;
extern crate std;

/// Negative values become zero.
struct Ramp;

impl Elementwise for Ramp {
    const SHORT: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        x.max(Lanes::<S, T>::splat(simd, T::ZERO))
    }

    fn backward<S: Simd, T: Real>(_: S, dy: Lanes<S, T>, _: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
        dy
    }
}

fn below(rng: &mut impl Rng, end: usize) -> usize {
    (rng.next_u32() as usize) % end
}

fn values<T: Real>(rng: &mut impl Rng, count: usize) -> Vec<T> {
    (0..count).map(|_| T::of(f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0)).collect()
}

/// Any geometry that has at least one output.
fn any_geometry(rng: &mut impl Rng) -> Geometry {
    let groups = 1 + below(rng, 3);
    let most = [20, 5, 5][below(rng, 3)];
    let batches = [1, 1, 2, 3, 4, 8, 16, 24, 32];
    let mut geometry = Geometry {
        batch: batches[below(rng, batches.len())],
        channels: groups * (1 + below(rng, 5)),
        outputs: groups * (1 + below(rng, most)),
        size: [0; 2],
        output_size: [0; 2],
        kernel: [0; 2],
        stride: [0; 2],
        padding: [0; 2],
        dilation: [0; 2],
        groups,
    };
    for axis in 0..2 {
        let (kernel, stride, dilation) = (1 + below(rng, 5), 1 + below(rng, 3), 1 + below(rng, 2));
        let reach = (kernel - 1) * dilation + 1;
        let padding = below(rng, 1 + reach / 2 + 1);
        let most = [19, 4, 4][below(rng, 3)];
        let outputs = 1 + below(rng, most);
        let least = (outputs - 1) * stride + reach;
        // Some pixels at the end may be left out.
        let length = (least + below(rng, stride)).saturating_sub(2 * padding).max(1);
        let outputs = if length + 2 * padding < reach { 0 } else { (length + 2 * padding - reach) / stride + 1 };
        geometry.kernel[axis] = kernel;
        geometry.stride[axis] = stride;
        geometry.dilation[axis] = dilation;
        geometry.padding[axis] = padding;
        geometry.size[axis] = length;
        geometry.output_size[axis] = outputs;
    }
    geometry
}

/// Calls `visit` with the indices of an output, an input and a weight for each product.
fn products(geometry: &Geometry, len: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let g = geometry;
    let (depth, height) = (g.channels / g.groups, g.outputs / g.groups);
    for d in 0..g.outputs {
        for row in 0..g.output_size[0] {
            for column in 0..g.output_size[1] {
                for c in 0..depth {
                    for i in 0..g.kernel[0] {
                        for j in 0..g.kernel[1] {
                            let r = (row * g.stride[0] + i * g.dilation[0]) as isize - g.padding[0] as isize;
                            let k = (column * g.stride[1] + j * g.dilation[1]) as isize - g.padding[1] as isize;
                            if r < 0 || k < 0 || r >= g.size[0] as isize || k >= g.size[1] as isize {
                                continue;
                            }
                            let channel = d / height * depth + c;
                            for sample in 0..len {
                                visit(
                                    ((d * g.output_size[0] + row) * g.output_size[1] + column) * g.batch + sample,
                                    ((channel * g.size[0] + r as usize) * g.size[1] + k as usize) * g.batch + sample,
                                    ((i * g.kernel[1] + j) * depth + c) * g.outputs + d,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

struct Case<T> {
    geometry: Geometry,
    len: usize,
    x: Vec<T>,
    weight: Vec<T>,
    bias: Vec<T>,
    dy: Vec<T>,
}

fn case<T: Real>(rng: &mut impl Rng) -> Case<T> {
    let geometry = any_geometry(rng);
    let len = if below(rng, 2) == 0 { geometry.batch } else { 1 + below(rng, geometry.batch) };
    let weights = geometry.kernel[0] * geometry.kernel[1] * geometry.channels / geometry.groups * geometry.outputs;
    let mut dy = values(rng, geometry.outputs * geometry.output_plane());
    // Columns that are not in use have no gradient.
    for samples in dy.chunks_mut(geometry.batch) {
        samples[len..].fill(T::ZERO);
    }
    Case {
        geometry,
        len,
        x: values(rng, geometry.channels * geometry.input_plane()),
        weight: values(rng, weights),
        bias: values(rng, geometry.outputs),
        dy,
    }
}

/// What the kernels compute: outputs, gradients by inputs, weights and biases.
fn computed<S: Simd, T: Real>(simd: S, case: &Case<T>, start: T) -> [Vec<T>; 4] {
    let Case { geometry, len, x, weight, bias, dy } = case;
    let mut y = std::vec![T::nan(); dy.len()];
    let mut dx = std::vec![T::nan(); x.len()];
    let mut reordered = std::vec![T::nan(); weight.len()];
    let (mut dw, mut db) = (std::vec![start; weight.len()], std::vec![start; bias.len()]);
    convolution::<S, T, Ramp>(simd, geometry, *len, [x, weight, bias], true, &mut y);
    transposed_convolution::<S, T, Ramp>(simd, geometry, *len, [dy, weight, &[]], &mut reordered, false, &mut dx);
    weight_gradient(simd, geometry, *len, [x, dy], &mut dw);
    let pixels = geometry.output_plane() / geometry.batch;
    bias_gradient(simd, pixels, geometry.batch, *len, dy, &mut db);
    // What is not in use is unspecified.
    for values in [&mut y, &mut dx] {
        for samples in values.chunks_mut(geometry.batch) {
            samples[*len..].fill(T::ZERO);
        }
    }
    [y, dx, dw, db]
}

fn expected<T: Real>(case: &Case<T>, start: T) -> [Vec<f64>; 4] {
    let Case { geometry, len, x, weight, bias, dy } = case;
    let (mut y, mut dx) = (std::vec![0.0; dy.len()], std::vec![0.0; x.len()]);
    let (mut dw, mut db) = (std::vec![start.exact(); weight.len()], std::vec![start.exact(); bias.len()]);
    for (index, y) in y.iter_mut().enumerate() {
        if index % geometry.batch < *len {
            *y = bias[index / geometry.output_plane()].exact();
            db[index / geometry.output_plane()] += dy[index].exact();
        }
    }
    products(geometry, *len, |output, input, tap| {
        y[output] += x[input].exact() * weight[tap].exact();
        dx[input] += dy[output].exact() * weight[tap].exact();
        dw[tap] += dy[output].exact() * x[input].exact();
    });
    for (index, y) in y.iter_mut().enumerate() {
        if index % geometry.batch < *len {
            *y = y.max(0.0);
        }
    }
    [y, dx, dw, db]
}

fn compare<T: Real>(seed: u64, tolerance: f64) {
    let case = case::<T>(&mut Xoshiro128PlusPlus::seed_from_u64(seed));
    let start = T::of(0.5);
    let expected = expected(&case, start);
    for level in levels() {
        let found = dispatch!(level, simd => computed(simd, &case, start));
        for (what, (found, expected)) in ["outputs", "dx", "dw", "db"].iter().zip(found.iter().zip(&expected)) {
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                let difference = (found.exact() - expected).abs();
                assert!(
                    difference <= tolerance * (1.0 + expected.abs()),
                    "{level:?}, {what}[{index}]: {found} instead of {expected}, {} of {:?}",
                    case.len,
                    case.geometry
                );
            }
        }
    }
}

#[test]
fn any_convolution_is_the_plain_sum() {
    for seed in 0..300 {
        compare::<f64>(seed, 1e-13);
        compare::<f32>(seed, 3e-5);
    }
}

/// A kernel of more than 256 taps, which is computed without registers.
#[test]
fn a_kernel_of_many_taps() {
    let mut rng = Xoshiro128PlusPlus::seed_from_u64(0);
    let mut case = case::<f64>(&mut rng);
    case.geometry = Geometry {
        batch: 8,
        channels: 2,
        outputs: 3,
        size: [20, 19],
        output_size: [5, 3],
        kernel: [17, 18],
        stride: [1; 2],
        padding: [0, 0],
        dilation: [1; 2],
        groups: 1,
    };
    case.geometry.output_size = [4, 2];
    case.len = 8;
    case.x = values(&mut rng, 2 * 20 * 19 * 8);
    case.weight = values(&mut rng, 17 * 18 * 2 * 3);
    case.bias = values(&mut rng, 3);
    case.dy = values(&mut rng, 3 * 4 * 2 * 8);
    let expected = expected(&case, 0.0);
    for level in levels() {
        let found = dispatch!(level, simd => computed(simd, &case, 0.0));
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{level:?}");
        }
    }
}

/// Derivatives of the sum of the outputs, each times its `dy`, by differences.
#[test]
fn gradients_are_limits_of_differences() {
    for seed in 0..60 {
        let mut case = case::<f64>(&mut Xoshiro128PlusPlus::seed_from_u64(1000 + seed));
        let level = levels()[1];
        let [_, dx, dw, db] = dispatch!(level, simd => computed(simd, &case, 0.0));
        let total = |case: &Case<f64>| -> f64 {
            let mut y = std::vec![0.0; case.dy.len()];
            dispatch!(level, simd => convolution::<_, f64, Ramp>(
                simd, &case.geometry, case.len, [&case.x, &case.weight, &case.bias], false, &mut y,
            ));
            y.iter().zip(&case.dy).map(|(y, dy)| if *dy == 0.0 { 0.0 } else { y * dy }).sum()
        };
        macro_rules! check {
            ($field:ident, $gradient:expr) => {
                for index in (0..case.$field.len()).step_by(1 + case.$field.len() / 7) {
                    let value = case.$field[index];
                    case.$field[index] = value + 1e-3;
                    let after = total(&case);
                    case.$field[index] = value - 1e-3;
                    let before = total(&case);
                    case.$field[index] = value;
                    // The sum is linear, so that the step may be large.
                    let difference = (after - before) / 2e-3;
                    assert!(
                        (difference - $gradient[index]).abs() < 1e-9 * (1.0 + difference.abs()),
                        "{}[{index}]: {difference}, {}, {:?}",
                        stringify!($field),
                        $gradient[index],
                        case.geometry
                    );
                }
            };
        }
        check!(x, dx);
        check!(weight, dw);
        check!(bias, db);
    }
}

/// The same bits with and without registers.
#[cfg(feature = "reproducible")]
#[test]
fn the_same_bits_on_every_level() {
    use crate::kernel::convolution::weight_gradient::parts_of;
    fn compare<T: Real>(seed: u64) {
        let case = case::<T>(&mut Xoshiro128PlusPlus::seed_from_u64(seed));
        let start = T::of(0.5);
        let Case { geometry, len, x, weight, bias, dy } = &case;
        let [mut y, mut dx] = [dy, x].map(|values| std::vec![T::ZERO; values.len()]);
        let (mut dw, mut db) = (std::vec![start; weight.len()], std::vec![start; bias.len()]);
        let [depth, height] = geometry.channels_of_group();
        let mut gather = Gather {
            geometry,
            axes: geometry.axes(),
            transposed: false,
            len: *len,
            depth,
            height,
            source: x,
            weight,
            strides: [geometry.outputs, 1, height],
            start: bias,
            activated: true,
        };
        let baseline = fearless_simd::Level::baseline();
        dispatch!(baseline, simd => plain::gathered::<_, T, Ramp>(simd, &gather, &mut y));
        if geometry.batch == 1 {
            let mut in_blocks = y.clone();
            in_blocks.fill(T::nan());
            dispatch!(baseline, simd => plain::in_blocks::<_, T, Ramp>(simd, &gather, &mut in_blocks));
            assert!(in_blocks == y, "{geometry:?}");
        }
        gather = Gather {
            transposed: true,
            depth: height,
            height: depth,
            source: dy,
            strides: [1, geometry.outputs, height],
            start: &[],
            activated: false,
            ..gather
        };
        dispatch!(baseline, simd => plain::gathered::<_, T, Ramp>(simd, &gather, &mut dx));
        let parts = parts_of::<T>(geometry.batch);
        if parts == 1 {
            plain::add_weight_products(geometry, *len, x, dy, &mut dw);
        } else {
            plain::add_weight_sums(geometry, *len, parts, x, dy, &mut dw);
        }
        plain::add_bias_sums(geometry.output_plane() / geometry.batch, geometry.batch, *len, parts, dy, &mut db);
        for level in levels() {
            let found = dispatch!(level, simd => computed(simd, &case, start));
            assert!(found == [y.clone(), dx.clone(), dw.clone(), db.clone()], "{level:?}, {len} of {geometry:?}");
        }
    }
    for seed in 0..300 {
        compare::<f32>(seed);
        compare::<f64>(seed);
    }
}

/// What PyTorch computes: `tests/golden/convolutions.py` says how the lines are made.
mod pytorch {
    use super::*;
    use crate::kernel::pooling::{Divisor, average_pool, average_pool_gradient, max_pool, max_pool_gradient};

    fn values<T: Real>(seed: u32, count: usize) -> Vec<T> {
        let mut state = seed.wrapping_mul(2_654_435_761);
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            T::of(f64::from(state) / f64::from(1u32 << 31) - 1.0)
        };
        (0..count).map(next).collect()
    }

    /// From PyTorch's `[batch][channels][pixels]` to `[channels][pixels][batch]`, or back.
    fn samples_together<T: Real>(batch: usize, image: &[T]) -> Vec<T> {
        let len = image.len() / batch;
        (0..image.len()).map(|index| image[index % batch * len + index / batch]).collect()
    }

    fn samples_apart<T: Real>(batch: usize, image: &[T]) -> Vec<T> {
        let len = image.len() / batch;
        (0..image.len()).map(|index| image[index % len * batch + index / len]).collect()
    }

    /// From PyTorch's `[outputs][inputs][taps]` to `[taps][inputs][outputs]`.
    fn taps_first<T: Real>(taps: usize, outputs: usize, weight: &[T]) -> Vec<T> {
        let inputs = weight.len() / taps / outputs;
        let from =
            |index: usize| (index % outputs * inputs + index / outputs % inputs) * taps + index / outputs / inputs;
        (0..weight.len()).map(|index| weight[from(index)]).collect()
    }

    /// The inverse of [`taps_first`]: the same with taps and outputs exchanged.
    fn outputs_first<T: Real>(taps: usize, outputs: usize, weight: &[T]) -> Vec<T> {
        taps_first(outputs, taps, weight)
    }

    fn compare<T: Real>(line: usize, text: &str, tolerance: f64) {
        let mut words = text.split(' ');
        let kind = words.next().unwrap();
        let mut sizes = [0usize; 14];
        for size in &mut sizes {
            *size = words.next().unwrap().parse().unwrap();
        }
        let expected: Vec<f64> = words.map(|word| word.parse().unwrap()).collect();
        let [batch, channels, outputs, h, w, kh, kw, sh, sw, ph, pw, dh, dw, groups] = sizes;
        let (reach, seed) = ([dh * (kh - 1) + 1, dw * (kw - 1) + 1], 64 * line as u32);
        let geometry = &Geometry {
            batch,
            channels,
            outputs,
            size: [h, w],
            output_size: [(h + 2 * ph - reach[0]) / sh + 1, (w + 2 * pw - reach[1]) / sw + 1],
            kernel: [kh, kw],
            stride: [sh, sw],
            padding: [ph, pw],
            dilation: [dh, dw],
            groups,
        };
        let (input, output) = (channels * geometry.input_plane(), outputs * geometry.output_plane());
        let is_transposed = kind == "transposed";
        let (from, to) = if is_transposed { (output, input) } else { (input, output) };
        let x = samples_together(batch, &values::<T>(seed, from));
        let weight = taps_first(kh * kw, outputs, &values::<T>(seed + 1, kh * kw * channels / groups * outputs));
        let bias = values::<T>(seed + 2, if is_transposed { channels } else { outputs });
        let dy = samples_together(batch, &values::<T>(seed + 3, to));
        for level in levels() {
            let (mut y, mut dx) = (std::vec![T::nan(); to], std::vec![T::nan(); from]);
            let (mut d_weight, mut d_bias) = (std::vec![T::ZERO; weight.len()], std::vec![T::ZERO; bias.len()]);
            let mut space = weight.clone();
            let pixels = to / batch / bias.len();
            dispatch!(level, simd => match kind {
                "convolution" => {
                    convolution::<_, T, Ramp>(simd, geometry, batch, [&x, &weight, &bias], false, &mut y);
                    let factors = [&dy[..], &weight, &[]];
                    transposed_convolution::<_, T, Ramp>(
                        simd, geometry, batch, factors, &mut space, false, &mut dx,
                    );
                    weight_gradient(simd, geometry, batch, [&x, &dy], &mut d_weight);
                    bias_gradient(simd, pixels, batch, batch, &dy, &mut d_bias);
                }
                "transposed" => {
                    let factors = [&x[..], &weight, &bias];
                    transposed_convolution::<_, T, Ramp>(
                        simd, geometry, batch, factors, &mut space, false, &mut y,
                    );
                    convolution::<_, T, Ramp>(simd, geometry, batch, [&dy, &weight, &[]], false, &mut dx);
                    weight_gradient(simd, geometry, batch, [&dy, &x], &mut d_weight);
                    bias_gradient(simd, pixels, batch, batch, &dy, &mut d_bias);
                }
                "max" => {
                    max_pool(simd, geometry, batch, &x, &mut y);
                    max_pool_gradient(simd, geometry, batch, [&x, &y, &dy], &mut dx);
                }
                _ => {
                    average_pool(simd, geometry, Divisor::Window, batch, &x, &mut y);
                    average_pool_gradient(simd, geometry, Divisor::Window, batch, &dy, &mut dx);
                }
            });
            let d_weight = outputs_first(kh * kw, outputs, &d_weight);
            let found = [samples_apart(batch, &y), samples_apart(batch, &dx), d_weight, d_bias];
            for (tensor, expected) in expected.chunks(3).enumerate() {
                let values_found = &found[tensor];
                for (i, expected) in expected.iter().enumerate() {
                    let factors = values::<f64>(seed + 8 + (3 * tensor + i) as u32, values_found.len());
                    let sum: f64 = values_found.iter().zip(&factors).map(|(a, b)| a.exact() * b).sum();
                    let found = sum / (values_found.len() as f64).sqrt();
                    assert!(
                        (found - expected).abs() < tolerance * (1.0 + expected.abs()),
                        "{level:?}, tensor {tensor} of line {line}: {found} instead of {expected}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn convolutions_and_poolings() {
        let lines = include_str!("pytorch.txt").lines().enumerate();
        assert_eq!(lines.clone().count(), 300);
        for (line, text) in lines {
            compare::<f64>(line, text, 1e-10);
            compare::<f32>(line, text, 1e-5);
        }
    }
}
