//! Large work, compiled once, in this crate: functions whose sizes are arguments, for each scalar type and instruction set. A
//! program that uses the library compiles calls of them. The sums have the order of the kernels whose sizes the compiler knows.

use super::dense::Sums;
use super::plan::row_split;
use super::product::{add_columns, dot_products, product, transpose};
use super::size::Matrix;
use super::{ColumnProduct, Columns, Elementwise, Product, Rows, SMALL_SIZE, packed_product, product_with_column};
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
/// `body(simd, argument, ..)`, which is compiled for `f32` and `f64` and every instruction set, in a module of its own; without
/// the feature `compiled` only where a program calls it, which none does.
macro_rules! compiled {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:ident;)+) => {$(
        mod $name {
            use super::*;

            pub(super) mod single {
                use super::*;
                type T = f32;

                #[cfg_attr(feature = "compiled", inline(never))]
                #[cfg_attr(not(feature = "compiled"), inline)]
                pub(crate) fn call(level: fearless_simd::Level, $($argument: $type),*) $(-> $result)? {
                    $crate::num::dispatch::dispatch!(level, simd => $body::<_, f32>(simd, $($argument),*))
                }
            }

            pub(super) mod double {
                use super::*;
                type T = f64;

                #[cfg_attr(feature = "compiled", inline(never))]
                #[cfg_attr(not(feature = "compiled"), inline)]
                pub(crate) fn call(level: fearless_simd::Level, $($argument: $type),*) $(-> $result)? {
                    $crate::num::dispatch::dispatch!(level, simd => $body::<_, f64>(simd, $($argument),*))
                }
            }
        }

        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name<T: Real>(level: fearless_simd::Level, $($argument: $type),*) $(-> $result)? {
            use $crate::kernel::compiled::Recast;
            if size_of::<T>() == size_of::<f32>() {
                if let ($(Some($argument),)*) = ($(Recast::<f32>::recast($argument),)*) {
                    return $name::single::call(level, $($argument),*);
                }
            } else if let ($(Some($argument),)*) = ($(Recast::<f64>::recast($argument),)*) {
                return $name::double::call(level, $($argument),*);
            }
            Default::default()
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
    let (left, right) = (Matrix { values: weight, rows: outputs }, Matrix { values: x, rows: inputs });
    if capacity <= SMALL_SIZE && super::plan::is_dot_products(inputs, outputs) {
        transpose(simd, left, inputs, scratch);
        let rows = Matrix { values: &*scratch, rows: inputs };
        dot_products(simd, (columns, capacity), rows, x, bias, y);
        if relu {
            for y in &mut y[..columns * outputs] {
                *y = Positive::value::<S, T>(simd, Lanes::<S, T>::splat(simd, *y)).as_slice()[0];
            }
        }
        return;
    }
    if capacity == 1 {
        let product = ColumnProduct { left, right: &x[..inputs], start: bias, activated: relu };
        return product_with_column::<S, T, Positive, _>(simd, &product, y);
    }
    let right = Columns { matrix: right, capacity };
    let task = Product { left, right, depth: inputs, columns, start: Some(bias), activated: relu };
    let (whole, group) = if capacity > SMALL_SIZE { row_split(outputs, inputs) } else { (outputs, 0) };
    if whole > 0 {
        product::<S, T, Positive, _, _, false>(simd, whole, task, y);
    }
    match group {
        1 => packed_product::<S, T, Positive, _, _, _, 1>(simd, &task, scratch, y),
        2 => packed_product::<S, T, Positive, _, _, _, 2>(simd, &task, scratch, y),
        4 => packed_product::<S, T, Positive, _, _, _, 4>(simd, &task, scratch, y),
        _ => {}
    }
}

#[inline(always)]
fn add_gradient_of<S: Simd, T: Real>(simd: S, size: LayerSize, x: &[T], dy: &[T], weight: &mut [T], bias: &mut [T]) {
    let LayerSize { inputs, outputs, capacity, columns, .. } = size;
    let (left, right) = (Matrix { values: x, rows: inputs }, Matrix { values: dy, rows: outputs });
    if outputs == 1 {
        // The weights are one row: lanes across the inputs.
        let right = Rows::new(right, capacity);
        let task = Product { left, right, depth: columns, columns: 1, start: None, activated: false };
        product::<S, T, Sums, _, _, true>(simd, inputs, task, weight);
    } else {
        let rows = Rows::new(left, capacity);
        let task = Product { left: right, right: rows, depth: columns, columns: inputs, start: None, activated: false };
        product::<S, T, Sums, _, _, true>(simd, outputs, task, weight);
    }
    add_columns(simd, Matrix { values: &dy[..columns * outputs], rows: outputs }, bias);
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
    transpose(simd, Matrix { values: weight, rows: outputs }, inputs, scratch);
    let left = Matrix { values: &scratch[..inputs * outputs], rows: inputs };
    let right = Columns { matrix: Matrix { values: dy, rows: outputs }, capacity };
    let task = Product { left, right, depth: outputs, columns, start: None, activated: false };
    product::<S, T, Sums, _, _, false>(simd, inputs, task, dx);
}
