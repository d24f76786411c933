//! The passes of a fully connected layer. Which kernels compute them, [`Plan`] says.

use super::compiled::{self, LayerSize};
use super::few_rows::few_rows;
use super::plan::{Forward, Plan, SMALL_SIZE};
use super::product::{add_columns, add_transposed, dot_products, product, transpose};
use super::size::{Const, Matrix};
use super::{
    ColumnProduct, Columns, Elementwise, MAX_LANES, Pass, Product, Rows, map, map_first, packed_product,
    product_with_column, scalar,
};
use crate::num::dispatch::{call, dispatch, is_glue, level, level_in};
use crate::num::{Lanes, Real, SCALAR};
use core::marker::PhantomData;
use fearless_simd::Simd;

/// The weights of a layer, input by input, and the biases.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, T, const IN: usize, const OUT: usize> {
    pub weight: &'a [[T; OUT]; IN],
    pub bias: &'a [T; OUT],
}

/// The plan of a layer as a constant.
struct Planned<S, T, const IN: usize, const OUT: usize, const B: usize>(PhantomData<(S, T)>);

impl<S: Simd, T: Real, const IN: usize, const OUT: usize, const B: usize> Planned<S, T, IN, OUT, B> {
    const PLAN: Plan = Plan::of::<S, T>(IN, OUT, B);
}

/// The sums of a product without an activation.
pub(super) struct Sums;

impl Elementwise for Sums {
    const SHORT: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(_: S, x: Lanes<S, T>) -> Lanes<S, T> {
        x
    }

    #[inline(always)]
    fn backward<S: Simd, T: Real>(_: S, dy: Lanes<S, T>, _: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
        dy
    }
}

/// Sets the columns of `y` in use to `W x + b`, or to the values of the activation `A` there.
#[inline(always)]
pub(crate) fn forward<S: Simd, T: Real, A: Elementwise, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    weights: Weights<T, IN, OUT>,
    x: &[[T; IN]; B],
    activated: bool,
    y: &mut [[T; OUT]; B],
) {
    let fused = const { Planned::<S, T, IN, OUT, B>::PLAN.fuses(A::SHORT) };
    if const { Planned::<S, T, IN, OUT, B>::PLAN.called } {
        forward_called::<T, A, IN, OUT, B>(pass.len(), weights, x, activated && fused, y);
    } else if const { Planned::<S, T, IN, OUT, B>::PLAN.compiled } {
        forward_compiled::<S, T, A, IN, OUT, B>(pass, weights, x, activated && A::RELU, y);
        if activated && !A::RELU {
            activate::<S, T, A, OUT, B>(pass, y);
        }
        return;
    } else if SCALAR {
        forward_scalar::<S, T, A, IN, OUT, B>(pass, weights, x, activated && fused, y);
    } else {
        forward_lanes::<S, T, A, IN, OUT, B>(pass, weights, x, activated && fused, y);
    }
    if activated && !fused {
        activate::<S, T, A, OUT, B>(pass, y);
    }
}

/// The sizes of a layer and of its micro-batch.
#[inline(always)]
fn size<S: Simd, const IN: usize, const OUT: usize, const B: usize>(pass: Pass<S, B>, relu: bool) -> LayerSize {
    LayerSize { inputs: IN, outputs: OUT, capacity: B, columns: pass.len(), relu }
}

/// [`forward`] for these sizes and the instruction sets with wide registers, with an activation only where it is fused: a function that all
/// networks with such a layer call.
#[inline(never)]
fn forward_called<T: Real, A: Elementwise, const IN: usize, const OUT: usize, const B: usize>(
    len: usize,
    weights: Weights<T, IN, OUT>,
    x: &[[T; IN]; B],
    activated: bool,
    y: &mut [[T; OUT]; B],
) {
    #[inline(always)]
    fn on<S: Simd, T: Real, A: Elementwise, const IN: usize, const OUT: usize, const B: usize>(
        pass: Pass<S, B>,
        weights: Weights<T, IN, OUT>,
        x: &[[T; IN]; B],
        activated: bool,
        y: &mut [[T; OUT]; B],
    ) {
        if const { !is_glue::<S>() } {
            return forward_lanes::<S, T, A, IN, OUT, B>(pass, weights, x, activated, y);
        }
        forward_compiled::<S, T, A, IN, OUT, B>(pass, weights, x, activated && A::RELU, y);
        if activated && !A::RELU {
            activate::<S, T, A, OUT, B>(pass, y);
        }
    }
    dispatch!(level(), simd => on::<_, T, A, IN, OUT, B>(Pass::new(simd, len), weights, x, activated, y));
}

/// [`forward`], compiled in this crate, with no activation but ReLU.
#[inline(always)]
fn forward_compiled<S: Simd, T: Real, A: Elementwise, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    Weights { weight, bias }: Weights<T, IN, OUT>,
    x: &[[T; IN]; B],
    relu: bool,
    y: &mut [[T; OUT]; B],
) {
    let mut four_rows;
    let scratch = match const { Planned::<S, T, IN, OUT, B>::PLAN.forward } {
        Forward::Column { .. } | Forward::Columns { group: 0, .. } => &mut [],
        Forward::DotProducts | Forward::Columns { .. } => {
            four_rows = [[T::ZERO; 4]; IN];
            four_rows.as_flattened_mut()
        }
    };
    let (level, size) = (level_in(pass.simd()), size::<S, IN, OUT, B>(pass, relu));
    let (weight, x, y) = (weight.as_flattened(), x.as_flattened(), y.as_flattened_mut());
    compiled::forward(level, size, weight, bias, x, y, scratch);
}

/// [`forward`] in lanes, with an activation only where it is fused.
#[inline(always)]
fn forward_lanes<S: Simd, T: Real, A: Elementwise, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    weights: Weights<T, IN, OUT>,
    x: &[[T; IN]; B],
    activated: bool,
    y: &mut [[T; OUT]; B],
) {
    let (simd, columns, bias) = (pass.simd(), pass.len(), weights.bias.as_slice());
    if const { Planned::<S, T, IN, OUT, B>::PLAN.reads_few_rows } {
        for (x, y) in x.iter().zip(y).take(columns) {
            few_rows_of::<S, T, IN, OUT>(simd, weights, x, y);
        }
        return;
    }
    let left = Matrix { values: weights.weight.as_flattened(), rows: Const::<OUT> };
    let right = Matrix { values: x.as_flattened(), rows: Const::<IN> };
    let result = y.as_flattened_mut();
    call(
        simd,
        const { Planned::<S, T, IN, OUT, B>::PLAN.apart },
        #[inline(always)]
        || {
            // The compiler does not know the values that a closure captures if the closure becomes a function
            // of its own.
            let activated = activated && const { Planned::<S, T, IN, OUT, B>::PLAN.fuses(A::SHORT) };
            if const { matches!(Planned::<S, T, IN, OUT, B>::PLAN.forward, Forward::DotProducts) } {
                // One output: its weights are the row already.
                let row = Matrix { values: left.values, rows: right.rows };
                return dot_products(simd, (columns, B), row, right.values, bias, result);
            }
            if const { matches!(Planned::<S, T, IN, OUT, B>::PLAN.forward, Forward::Column { .. }) } {
                let product = ColumnProduct { left, right: right.values, start: bias, activated };
                return product_with_column::<S, T, A, _>(simd, &product, result);
            }
            let right = Columns { matrix: right, capacity: Const::<B> };
            let task = Product { left, right, depth: IN, columns, start: Some(bias), activated };
            if const { matches!(Planned::<S, T, IN, OUT, B>::PLAN.forward, Forward::Columns { whole: 1.., .. }) } {
                let height = const {
                    match Planned::<S, T, IN, OUT, B>::PLAN.forward {
                        Forward::Columns { whole, .. } => whole,
                        _ => 0,
                    }
                };
                product::<S, T, A, _, _, false>(simd, height, task, result);
            }
            // Conditions on sizes are in const blocks, so that the compiler does not compile branches that are
            // never taken.
            macro_rules! group {
                ($($size:literal)+) => {$(
                    if const {
                        matches!(Planned::<S, T, IN, OUT, B>::PLAN.forward, Forward::Columns { group: $size, .. })
                    } {
                        let mut gathered = [[T::ZERO; $size]; IN];
                        let gathered = gathered.as_flattened_mut();
                        packed_product::<S, T, A, _, _, _, $size>(simd, &task, gathered, result);
                    }
                )+};
            }
            group!(1 2 4);
        },
    );
}

/// [`few_rows`], in registers of at most 32 bytes: a block of 16 bytes then has all inputs of a register.
#[inline(always)]
fn few_rows_of<S: Simd, T: Real, const IN: usize, const OUT: usize>(
    simd: S,
    Weights { weight, bias }: Weights<T, IN, OUT>,
    x: &[T; IN],
    y: &mut [T; OUT],
) {
    let weight = weight.as_flattened();
    macro_rules! rows {
        ($($rows:literal)+) => {$(
            if const { OUT == $rows && size_of::<Lanes<S, T>>() > 32 } {
                few_rows::<S, T, T::Half<S>, $rows, IN>(simd, weight, x, bias, y);
            }
            if const { OUT == $rows && size_of::<Lanes<S, T>>() <= 32 } {
                few_rows::<S, T, Lanes<S, T>, $rows, IN>(simd, weight, x, bias, y);
            }
        )+};
    }
    rows!(2 3 4);
}

/// [`forward_lanes`] without vector registers.
#[inline(always)]
fn forward_scalar<S: Simd, T: Real, A: Elementwise, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    Weights { weight, bias }: Weights<T, IN, OUT>,
    x: &[[T; IN]; B],
    activated: bool,
    y: &mut [[T; OUT]; B],
) {
    let (simd, plan) = (pass.simd(), const { Planned::<S, T, IN, OUT, B>::PLAN });
    for (x, y) in x.iter().zip(y).take(pass.len()) {
        match plan.forward {
            Forward::DotProducts => {
                // Not an iterator: the compiler removes the checks of this index at all optimization levels.
                #[allow(clippy::needless_range_loop)]
                for row in 0..OUT {
                    y[row] = scalar::inlined_row::<S, T, A, OUT, IN>(simd, weight, x, bias, (true, activated), row);
                }
            }
            Forward::Column { .. } if plan.one_by_one =>
            {
                #[allow(clippy::needless_range_loop)]
                for row in 0..OUT {
                    y[row] = scalar::inlined_row::<S, T, A, OUT, IN>(simd, weight, x, bias, (false, activated), row);
                }
            }
            Forward::Column { .. } => {
                let activated = activated && A::SHORT;
                scalar::product_with_column::<S, T, A, OUT, IN>(simd, weight, x, bias, activated, y);
            }
            Forward::Columns { whole, group } => {
                scalar::product_in_order(weight, x, bias, y);
                if let Some(parts) = MAX_LANES.checked_div(group) {
                    for (row, y) in y.iter_mut().enumerate().skip(whole) {
                        *y = scalar::row_in_parts(weight, x, bias, row, parts);
                    }
                }
            }
        }
    }
}

/// [`forward`] that returns `y`, for a CPU without vector registers: a small layer's outputs are then made without filling `y` with
/// zeros first. `None` for all other layers.
#[inline(always)]
pub(crate) fn forward_by_value<S: Simd, T: Real, A: Elementwise, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    Weights { weight, bias }: Weights<T, IN, OUT>,
    x: &[[T; IN]; B],
    activated: bool,
) -> Option<[[T; OUT]; B]> {
    let plan = const { Planned::<S, T, IN, OUT, B>::PLAN };
    let ([x], true) = (x.as_slice(), SCALAR && plan.one_by_one) else { return None };
    let how = (matches!(plan.forward, Forward::DotProducts), activated);
    let column: [T; OUT] = core::array::from_fn(
        #[inline(always)]
        |row| scalar::inlined_row::<S, T, A, OUT, IN>(pass.simd(), weight, x, bias, how, row),
    );
    // Not `[column; B]`, for which some compilers call a memory copy of 700 bytes of code when they
    // optimize for size.
    Some(core::array::from_fn(
        #[inline(always)]
        |_| column,
    ))
}

/// Replaces the columns of `y` in use by the values of the activation `A` there.
#[inline(always)]
pub(crate) fn activate<S: Simd, T: Real, A: Elementwise, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    y: &mut [[T; OUT]; B],
) {
    let (simd, len) = (pass.simd(), pass.len());
    if SCALAR {
        for y in y.iter_mut().take(len) {
            scalar::activate::<S, T, A>(simd, y);
        }
        return;
    }
    if const { is_glue::<S>() } {
        return A::value_of_all(level_in(simd), &mut y.as_flattened_mut()[..len * OUT]);
    }
    map_first(
        simd,
        len * OUT,
        [y.as_flattened_mut()],
        [],
        #[inline(always)]
        |[x], []| [A::value::<S, T>(simd, x)],
    );
}

/// Turns the gradient by the outputs `y` of the activation `A` into the gradient by its inputs, `sums`.
#[inline(always)]
pub(crate) fn activation_gradient<S: Simd, T: Real, A: Elementwise, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    sums: &[[T; OUT]; B],
    y: &[[T; OUT]; B],
    dy: &mut [[T; OUT]; B],
) {
    let (simd, len) = (pass.simd(), pass.len());
    if const { is_glue::<S>() } {
        let (sums, y) = (&sums.as_flattened()[..len * OUT], &y.as_flattened()[..len * OUT]);
        return A::backward_of_all(level_in(simd), &mut dy.as_flattened_mut()[..len * OUT], sums, y);
    }
    // The number of inputs has no influence.
    if !const { Planned::<S, T, 1, OUT, B>::PLAN.by_column } || len == 1 {
        map_first(
            simd,
            OUT * len,
            [dy.as_flattened_mut()],
            [sums.as_flattened(), y.as_flattened()],
            #[inline(always)]
            |[dy], [sum, y]| [A::backward::<S, T>(simd, dy, sum, y)],
        );
        return;
    }
    for ((dy, sums), y) in dy.iter_mut().zip(sums).zip(y).take(len) {
        map(
            simd,
            [dy],
            [sums, y],
            #[inline(always)]
            |[dy], [sum, y]| [A::backward::<S, T>(simd, dy, sum, y)],
        );
    }
}

/// Adds the gradient by the weights and biases to `weight` and `bias`, or sets these where the gradient is known to be zero. `dy` is the gradient by
/// `W x + b`.
#[inline(always)]
pub(crate) fn add_gradient<S: Simd, T: Real, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    x: &[[T; IN]; B],
    dy: &[[T; OUT]; B],
    weight: &mut [[T; OUT]; IN],
    bias: &mut [T; OUT],
) {
    if SCALAR {
        scalar::add_outer(dy, x, pass.len(), pass.gradient_is_zero(), weight);
        return scalar::add_columns(dy, pass.len(), pass.gradient_is_zero(), bias);
    }
    if const { Planned::<S, T, IN, OUT, B>::PLAN.called } {
        return add_gradient_called(pass.len(), x, dy, weight, bias);
    }
    add_gradient_here(pass, x, dy, weight, bias);
}

/// [`add_gradient`] for these sizes, like [`forward_called`].
#[inline(never)]
fn add_gradient_called<T: Real, const IN: usize, const OUT: usize, const B: usize>(
    len: usize,
    x: &[[T; IN]; B],
    dy: &[[T; OUT]; B],
    weight: &mut [[T; OUT]; IN],
    bias: &mut [T; OUT],
) {
    dispatch!(level(), simd => add_gradient_here(Pass::new(simd, len), x, dy, weight, bias));
}

/// [`add_gradient`] where it is not called.
#[inline(always)]
fn add_gradient_here<S: Simd, T: Real, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    x: &[[T; IN]; B],
    dy: &[[T; OUT]; B],
    weight: &mut [[T; OUT]; IN],
    bias: &mut [T; OUT],
) {
    if const { Planned::<S, T, IN, OUT, B>::PLAN.compiled } {
        let (level, size) = (level_in(pass.simd()), size::<S, IN, OUT, B>(pass, false));
        let (x, dy) = (x.as_flattened(), dy.as_flattened());
        if B <= SMALL_SIZE && pass.gradient_is_zero() {
            // A sum that is added to negative zero is set.
            weight.as_flattened_mut().fill(-T::ZERO);
        }
        return compiled::add_gradient(level, size, x, dy, weight.as_flattened_mut(), bias);
    }
    call(
        pass.simd(),
        const { Planned::<S, T, IN, OUT, B>::PLAN.apart },
        #[inline(always)]
        || {
            if B <= SMALL_SIZE && pass.gradient_is_zero() {
                weight_gradient::<S, T, IN, OUT, B, false>(pass, x, dy, weight);
            } else {
                weight_gradient::<S, T, IN, OUT, B, true>(pass, x, dy, weight);
            }
            let values = &dy.as_flattened()[..pass.len() * OUT];
            add_columns(pass.simd(), Matrix { values, rows: Const::<OUT> }, bias);
        },
    );
}

/// Adds the gradient by the weights to `weight` if `ADDED`, otherwise sets it.
#[inline(always)]
fn weight_gradient<S: Simd, T: Real, const IN: usize, const OUT: usize, const B: usize, const ADDED: bool>(
    pass: Pass<S, B>,
    x: &[[T; IN]; B],
    dy: &[[T; OUT]; B],
    weight: &mut [[T; OUT]; IN],
) {
    let (simd, depth, result) = (pass.simd(), pass.len(), weight.as_flattened_mut());
    let x = Matrix { values: x.as_flattened(), rows: Const::<IN> };
    let dy = Matrix { values: dy.as_flattened(), rows: Const::<OUT> };
    if const { !Planned::<S, T, IN, OUT, B>::PLAN.across_inputs } {
        let right = Rows::new(x, Const::<B>);
        let task = Product { left: dy, right, depth, columns: IN, start: None, activated: false };
        return product::<S, T, Sums, _, _, ADDED>(simd, OUT, task, result);
    }
    let right = Rows::new(dy, Const::<B>);
    let task = Product { left: x, right, depth, columns: OUT, start: None, activated: false };
    if const { !Planned::<S, T, IN, OUT, B>::PLAN.transposes_gradient } {
        return product::<S, T, Sums, _, _, ADDED>(simd, IN, task, result);
    }
    let mut transposed = [[T::ZERO; IN]; OUT];
    product::<S, T, Sums, _, _, false>(simd, IN, task, transposed.as_flattened_mut());
    add_transposed::<S, T, IN, OUT>(simd, &transposed, result);
}

/// The gradient by `x` from `dy`, the gradient by `W x + b`. A separate function, because in an unoptimized build the
/// stack frame of a function has space for the transposed weights as soon as it is entered.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn input_gradient<S: Simd, T: Real, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    weight: &[[T; OUT]; IN],
    dy: &[[T; OUT]; B],
    dx: &mut [[T; IN]; B],
) {
    if SCALAR {
        return scalar::transposed_product(weight, dy, pass.len(), dx);
    }
    if const { Planned::<S, T, IN, OUT, B>::PLAN.called } {
        return input_gradient_called(pass.len(), weight, dy, dx);
    }
    input_gradient_here(pass, weight, dy, dx);
}

/// [`input_gradient`] for these sizes, like [`forward_called`].
#[inline(never)]
fn input_gradient_called<T: Real, const IN: usize, const OUT: usize, const B: usize>(
    len: usize,
    weight: &[[T; OUT]; IN],
    dy: &[[T; OUT]; B],
    dx: &mut [[T; IN]; B],
) {
    dispatch!(level(), simd => input_gradient_here(Pass::new(simd, len), weight, dy, dx));
}

/// [`input_gradient`] where it is not called.
#[cfg_attr(not(debug_assertions), inline(always))]
fn input_gradient_here<S: Simd, T: Real, const IN: usize, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    weight: &[[T; OUT]; IN],
    dy: &[[T; OUT]; B],
    dx: &mut [[T; IN]; B],
) {
    if const { Planned::<S, T, IN, OUT, B>::PLAN.compiled } {
        let mut transposed = [[T::ZERO; IN]; OUT];
        let (level, size) = (level_in(pass.simd()), size::<S, IN, OUT, B>(pass, false));
        let (weight, dy, dx) = (weight.as_flattened(), dy.as_flattened(), dx.as_flattened_mut());
        return compiled::input_gradient(level, size, weight, dy, dx, transposed.as_flattened_mut());
    }
    call(
        pass.simd(),
        const { Planned::<S, T, IN, OUT, B>::PLAN.apart },
        #[inline(always)]
        || {
            let mut transposed = [[T::ZERO; IN]; OUT];
            let weight = Matrix { values: weight.as_flattened(), rows: Const::<OUT> };
            transpose(pass.simd(), weight, Const::<IN>, transposed.as_flattened_mut());
            let left = Matrix { values: transposed.as_flattened(), rows: Const::<IN> };
            let dy = Matrix { values: dy.as_flattened(), rows: Const::<OUT> };
            let right = Columns { matrix: dy, capacity: Const::<B> };
            let task = Product { left, right, depth: OUT, columns: pass.len(), start: None, activated: false };
            product::<S, T, Sums, _, _, false>(pass.simd(), IN, task, dx.as_flattened_mut());
        },
    );
}

/// A step of plain gradient descent for a single sample, the first column; see [`scalar::sgd_step`].
#[inline(always)]
pub(crate) fn sgd_step<T: Real, const IN: usize, const OUT: usize, const B: usize>(
    (weight, bias): (&mut [[T; OUT]; IN], &mut [T; OUT]),
    x: &[[T; IN]; B],
    dy: &[[T; OUT]; B],
    learning_rate: T,
    dx: Option<&mut [[T; IN]; B]>,
) {
    let ([dy, ..], [x, ..]) = (dy.as_slice(), x.as_slice()) else { return };
    let dx = dx.and_then(
        #[inline(always)]
        |dx| dx.first_mut(),
    );
    scalar::sgd_step(weight, bias, x, dy, learning_rate, dx);
}

/// Compares the loops for CPUs without vector registers with those for vector registers.
#[cfg(all(test, feature = "std", feature = "reproducible"))]
mod tests {
    use super::*;
    use crate::num::dispatch::tests::levels;
    use crate::prelude::seeded;
    use fearless_simd::Level;
    use rand::Rng;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    /// Forward and backward through a layer with random weights, some of them zero, in a micro-batch of which `len`
    /// columns are in use.
    #[inline(always)]
    fn compare<S: Simd, const IN: usize, const OUT: usize, const B: usize>(simd: S, len: usize) {
        let mut rng = seeded((IN * 10_000 + OUT * 100 + B) as u64);
        let mut random = || {
            let bits = rng.next_u64();
            if bits.is_multiple_of(7) { 0.0 } else { f32::from_random_bits(bits) - 0.5 }
        };
        let (mut weight, mut bias) = ([[0.0f32; OUT]; IN], [0.0f32; OUT]);
        weight.as_flattened_mut().iter_mut().chain(&mut bias).for_each(|value| *value = random());
        let (mut x, mut dy) = ([[0.0f32; IN]; B], [[0.0f32; OUT]; B]);
        x.as_flattened_mut().fill_with(&mut random);
        // The trainer promises that columns without a sample are zero.
        dy[..len].as_flattened_mut().fill_with(&mut random);
        let pass = Pass::<S, B>::new(simd, len);
        let weights = Weights { weight: &weight, bias: &bias };
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());

        let (mut lanes, mut expected) = ([[0.0f32; OUT]; B], [[0.0f32; OUT]; B]);
        forward_lanes::<S, f32, Sums, IN, OUT, B>(pass, weights, &x, false, &mut lanes);
        forward_scalar::<S, f32, Sums, IN, OUT, B>(pass, weights, &x, false, &mut expected);
        assert!(same(lanes[..len].as_flattened(), expected[..len].as_flattened()), "{IN} to {OUT}, {len} of {B}");

        let (mut weight_lanes, mut bias_lanes, mut dx) = (weight, bias, [[0.0f32; IN]; B]);
        add_gradient::<S, f32, IN, OUT, B>(pass, &x, &dy, &mut weight_lanes, &mut bias_lanes);
        input_gradient::<S, f32, IN, OUT, B>(pass, &weight, &dy, &mut dx);
        let size = LayerSize { inputs: IN, outputs: OUT, capacity: B, columns: len, relu: false };
        for level in levels() {
            let [y, dx_of_all, weight_of_all, bias_of_all] =
                run(level, size, [weight.as_flattened(), x.as_flattened(), dy.as_flattened()], &bias);
            assert!(same(&y, expected[..len].as_flattened()), "{IN} to {OUT}, {len} of {B}: compiled");
            assert!(same(&dx_of_all, dx[..len].as_flattened()), "{IN} to {OUT}, {len} of {B}: inputs, compiled");
            assert!(
                same(&weight_of_all, weight_lanes.as_flattened()),
                "{IN} to {OUT}, {len} of {B}: weights, compiled"
            );
            assert!(same(&bias_of_all, &bias_lanes), "{IN} to {OUT}, {len} of {B}: biases, compiled");
        }
        let mut expected = [[0.0f32; IN]; B];
        scalar::transposed_product(&weight, &dy, len, &mut expected);
        scalar::add_outer(&dy, &x, len, false, &mut weight);
        scalar::add_columns(&dy, len, false, &mut bias);
        assert!(same(weight_lanes.as_flattened(), weight.as_flattened()), "{IN} to {OUT}, {len} of {B}: weights");
        assert!(same(&bias_lanes, &bias), "{IN} to {OUT}, {len} of {B}: biases");
        assert!(same(dx[..len].as_flattened(), expected[..len].as_flattened()), "{IN} to {OUT}, {len} of {B}: inputs");
    }

    /// Outputs, gradient by the inputs, and the sums of parameters and their gradients, by what is compiled in this crate.
    fn run(level: Level, size: LayerSize, [weight, x, dy]: [&[f32]; 3], bias: &[f32]) -> [Vec<f32>; 4] {
        let LayerSize { inputs, outputs, capacity, columns, .. } = size;
        let (mut y, mut dx) = (vec![0.0; outputs * capacity], vec![0.0; inputs * capacity]);
        let mut scratch = vec![0.0; inputs * outputs.max(4)];
        compiled::forward(level, size, weight, bias, x, &mut y, &mut scratch);
        compiled::input_gradient(level, size, weight, dy, &mut dx, &mut scratch);
        let (mut weight, mut bias) = (weight.to_vec(), bias.to_vec());
        compiled::add_gradient(level, size, x, dy, &mut weight, &mut bias);
        y.truncate(outputs * columns);
        dx.truncate(inputs * columns);
        [y, dx, weight, bias]
    }

    /// What is compiled for all sizes has the same bits on every instruction set.
    #[test]
    fn all_sizes_up_to_40_on_every_level() {
        let mut rng = seeded(0);
        let mut values = || f32::from_random_bits(rng.next_u64()) - 0.5;
        let mut random = |count| (0..count).map(|_| values()).collect::<Vec<_>>();
        for (inputs, outputs) in (1..=40).flat_map(|inputs| (1..=40).map(move |outputs| (inputs, outputs))) {
            let (weight, bias) = (random(inputs * outputs), random(outputs));
            for (capacity, columns) in [(1, 1), (4, 3), (9, 9), (32, 29)] {
                let (x, dy) = (random(inputs * capacity), random(outputs * capacity));
                let size = LayerSize { inputs, outputs, capacity, columns, relu: capacity == 9 };
                let bits = |level| {
                    run(level, size, [&weight, &x, &dy], &bias)
                        .map(|values| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
                };
                let expected = bits(Level::baseline());
                for level in levels() {
                    assert!(bits(level) == expected, "{size:?} on {level:?}");
                }
            }
        }
    }

    #[test]
    fn scalar_loops_add_up_as_lanes_do() {
        macro_rules! sizes {
            ($($in:literal $out:literal),+) => {$(
                dispatch!(level(), simd => {
                    compare::<_, $in, $out, 1>(simd, 1);
                    compare::<_, $in, $out, 3>(simd, 3);
                    compare::<_, $in, $out, 9>(simd, 7);
                });
            )+};
        }
        sizes!(1 1, 2 1, 7 1, 8 1, 17 1, 40 1, 5 2, 13 2, 14 2, 33 3, 16 3, 3 4, 25 4, 2 8, 3 8, 4 8, 5 8, 4 16, 16 16);
        sizes!(9 5, 12 7, 32 10, 64 32, 2 33, 7 33, 9 40, 3 64, 1 65, 5 65, 12 70, 24 9, 35 17, 30 20);
    }
}
