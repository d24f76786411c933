//! Large work, compiled once, in this crate: functions whose sizes are arguments, for each scalar type and instruction set. A
//! program that uses the library compiles calls of them. The sums have the order of the kernels whose sizes the compiler knows.

use super::general::{self, Left, Task};
use super::plan::{is_dot_products, row_split};
use super::size::Matrix;
use super::{Columns, Elementwise, MAX_LANES, Product, SMALL_SIZE, packed_product};
use crate::num::math::maximum;
use crate::num::{Lanes, Real};
use bytemuck::Pod;
use fearless_simd::{Simd, SimdBase};

/// The same value, where the scalar type is known to be `U`.
pub(crate) trait Recast<U> {
    type To;

    /// `None` if it is another type.
    fn recast(self) -> Option<Self::To>;
}

impl<'a, T: Pod, U: Pod> Recast<U> for &'a [T] {
    type To = &'a [U];

    #[inline(always)]
    fn recast(self) -> Option<&'a [U]> {
        bytemuck::try_cast_slice(self).ok()
    }
}

impl<'a, T: Pod, U: Pod> Recast<U> for &'a mut [T] {
    type To = &'a mut [U];

    #[inline(always)]
    fn recast(self) -> Option<&'a mut [U]> {
        bytemuck::try_cast_slice_mut(self).ok()
    }
}

impl<T: Pod, U: Pod, const N: usize> Recast<U> for [T; N] {
    type To = [U; N];

    #[inline(always)]
    fn recast(self) -> Option<[U; N]> {
        bytemuck::try_cast(self).ok()
    }
}

macro_rules! recast_to_itself {
    ($($type:ty)+) => {$(
        impl<U> Recast<U> for $type {
            type To = Self;

            #[inline(always)]
            fn recast(self) -> Option<Self> {
                Some(self)
            }
        }
    )+};
}
recast_to_itself!(usize bool LayerSize);

/// `compiled! { name(argument: type, ..) = body; }` makes a function `name(level, argument, ..)` of the scalar type `T` from
/// `body(simd, argument, ..)`, which is compiled for every instruction set: for `f32` in this crate, unless it has the feature `specialized`, and for `f64` in a
/// program that calls it, once for all its networks. With `= body of A` the body has the type `A` as its first.
macro_rules! compiled {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:ident $(of $of:ident)?;)+) => {$(
        mod $name {
            use super::*;

            #[inline(never)]
            pub(super) fn each<T: Real>(level: fearless_simd::Level, $($argument: $type),*) $(-> $result)? {
                $crate::num::dispatch::dispatch!(level, simd => $body::<$($of,)? _, T>(simd, $($argument),*))
            }

            type T = f32;

            #[cfg_attr(all(target_arch = "x86_64", not(feature = "specialized"), not(tuplenet_scalar)), inline(never))]
            #[cfg_attr(not(all(target_arch = "x86_64", not(feature = "specialized"), not(tuplenet_scalar))), inline)]
            pub(super) fn single(level: fearless_simd::Level, $($argument: $type),*) $(-> $result)? {
                each::<f32>(level, $($argument),*)
            }
        }

        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name<T: Real>(level: fearless_simd::Level, $($argument: $type),*) $(-> $result)? {
            use $crate::kernel::compiled::Recast;
            if const { size_of::<T>() != size_of::<f32>() } {
                $name::each::<T>(level, $($argument),*)
            } else if let ($(Some($argument),)*) = ($(Recast::<f32>::recast($argument),)*) {
                $name::single(level, $($argument),*)
            } else {
                Default::default()
            }
        }
    )+};
}
pub(crate) use compiled;

/// The sizes of a layer and of its micro-batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerSize {
    pub inputs: usize,
    pub outputs: usize,
    /// The columns of the micro-batch.
    pub capacity: usize,
    /// How many of these are in use.
    pub columns: usize,
    /// Whether the forward pass sets negative sums to zero.
    pub relu: bool,
}

compiled! {
    /// Sets `y` to `W x + b`, or to the positive part of that. `scratch` has space for four rows of the weights.
    forward(size: LayerSize, weight: &[T], bias: &[T], x: &[T], y: &mut [T], scratch: &mut [T]) = forward_of;
    /// Adds the gradients by the weights and the biases to `weight` and `bias`.
    add_gradient(size: LayerSize, x: &[T], dy: &[T], weight: &mut [T], bias: &mut [T]) = add_gradient_of;
    /// Sets `dx` to the gradient by the inputs. `scratch` has space for the transposed weights.
    input_gradient(size: LayerSize, weight: &[T], dy: &[T], dx: &mut [T], scratch: &mut [T]) = input_gradient_of;
}

#[inline(always)]
fn forward_of<S: Simd, T: Real>(
    simd: S,
    size: LayerSize,
    weight: &[T],
    bias: &[T],
    x: &[T],
    y: &mut [T],
    scratch: &mut [T],
) {
    let LayerSize { inputs, outputs, capacity, columns, relu } = size;
    let y = &mut y[..capacity * outputs];
    if capacity <= SMALL_SIZE && is_dot_products(inputs, outputs) {
        general::transpose(simd, weight, outputs, inputs, scratch);
        let left = &scratch[..inputs * outputs];
        let (x, y) = (&x[..columns * inputs], &mut y[..columns * outputs]);
        return general::dot_products(simd, (left, inputs), x, (bias, relu), y);
    }
    let mut tail = [T::ZERO; 2 * MAX_LANES];
    let left = Left::new(simd, weight, outputs, inputs, &mut tail);
    if capacity == 1 {
        return general::product_with_column(simd, left, &x[..inputs], (bias, relu), y);
    }
    let (whole, group) = if capacity > SMALL_SIZE { row_split(outputs, inputs) } else { (outputs, 0) };
    let task = Task { left, right: x, stride: inputs, depth: inputs, columns, capacity, start: bias, relu };
    general::product::<S, T, false>(simd, whole, task, y);
    let left = Matrix { values: weight, rows: outputs };
    let right = Columns { matrix: Matrix { values: x, rows: inputs }, capacity };
    let task = Product { left, right, depth: inputs, columns, start: Some(bias), activated: relu };
    match group {
        1 => packed_product::<S, T, Positive, _, _, _, 1>(simd, &task, scratch, y),
        2 => packed_product::<S, T, Positive, _, _, _, 2>(simd, &task, scratch, y),
        4 => packed_product::<S, T, Positive, _, _, _, 4>(simd, &task, scratch, y),
        _ => {}
    }
}

/// The positive part: what ReLU computes.
struct Positive;

impl Elementwise for Positive {
    const SHORT: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        maximum(x, Lanes::<S, T>::splat(simd, T::ZERO))
    }

    #[inline(always)]
    fn backward<S: Simd, T: Real>(_: S, dy: Lanes<S, T>, _: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
        dy
    }
}

#[inline(always)]
fn add_gradient_of<S: Simd, T: Real>(simd: S, size: LayerSize, x: &[T], dy: &[T], weight: &mut [T], bias: &mut [T]) {
    let LayerSize { inputs, outputs, columns: depth, .. } = size;
    let mut tails = [[T::ZERO; 2 * MAX_LANES]; 2];
    let [tail_of_x, tail_of_dy] = &mut tails;
    let rows_of_dy = Left::new(simd, dy, outputs, depth, tail_of_dy);
    general::add_columns(simd, rows_of_dy, depth, &mut bias[..outputs]);
    // The weights of a single output are one row: lanes across the inputs.
    let (height, columns, left, right) = if outputs == 1 {
        (inputs, 1, Left::new(simd, x, inputs, depth, tail_of_x), dy)
    } else {
        (outputs, inputs, rows_of_dy, x)
    };
    let task = Task { left, right, stride: columns, depth, columns, capacity: columns, start: &[], relu: false };
    general::product::<S, T, true>(simd, height, task, weight);
}

#[inline(always)]
fn input_gradient_of<S: Simd, T: Real>(
    simd: S,
    size: LayerSize,
    weight: &[T],
    dy: &[T],
    dx: &mut [T],
    scratch: &mut [T],
) {
    let LayerSize { inputs, outputs, capacity, columns, .. } = size;
    general::transpose(simd, weight, outputs, inputs, scratch);
    let mut tail = [T::ZERO; 2 * MAX_LANES];
    let left = Left::new(simd, &scratch[..inputs * outputs], inputs, outputs, &mut tail);
    let task = Task { left, right: dy, stride: outputs, depth: outputs, columns, capacity, start: &[], relu: false };
    general::product::<S, T, false>(simd, inputs, task, &mut dx[..capacity * inputs]);
}
