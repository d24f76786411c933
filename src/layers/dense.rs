//! [`Dense`]: every output depends on every input.

use crate::activation::{Activation, Identity, Link, SlopeFrom, assert_varies};
use crate::init::Init;
use crate::kernel::{
    self, Columns, FEW, Rows, add_columns, add_transposed, dots, map, map_first, packed, product, product_with_column,
    registers, scalar, transpose,
};
use crate::model::{
    Description, Entrance, Features, Kind, Layer, Network, Parameter, Params, Part, Place, Tile, Visitor, VisitorMut,
    Zeroed,
};
use crate::num::dispatch::call;
use crate::num::{Lanes, Real, SCALAR};
use core::marker::PhantomData;
use fearless_simd::{Simd, SimdBase};
use nalgebra::{ArrayStorage, SMatrix, SVector};
use rand::Rng;

/// `y = A(W x + b)`: `IN` inputs, `OUT` outputs, the activation `A`, numbers of type `T`.
///
/// ```
/// use tuplenet::prelude::*;
///
/// // A network that a program's flash can hold: weights row by row, as on paper and in PyTorch.
/// static NAND: Dense<2, 1, Sigmoid> = Dense::from_rows([[-20.0, -20.0]], [30.0]);
/// assert!(NAND.predict_one(&[1.0, 1.0])[0] < 0.01);
/// assert!(NAND.predict_one(&[1.0, 0.0])[0] > 0.99);
/// ```
///
/// On x86-64 it begins at a multiple of 64 bytes, as vector registers do, and its size is one too.
#[cfg_attr(target_arch = "x86_64", repr(align(64)))]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
pub struct Dense<const IN: usize, const OUT: usize, A, T = f32> {
    /// `W`, `OUT` by `IN`.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::rows"))]
    pub weight: SMatrix<T, OUT, IN>,
    /// `b`, `OUT` numbers.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub bias: SVector<T, OUT>,
    #[cfg_attr(feature = "serde", serde(skip))]
    activation: PhantomData<A>,
}

impl<const IN: usize, const OUT: usize, A, T: Real> Dense<IN, OUT, A, T> {
    /// From the rows of `W`, one for each output, and from `b`.
    pub const fn from_rows(weight: [[T; IN]; OUT], bias: [T; OUT]) -> Self
    where
        A: Activation,
    {
        const { Self::assert_sizes() };
        let mut columns = [[T::ZERO; OUT]; IN];
        let mut row = 0;
        while row < OUT {
            let mut column = 0;
            while column < IN {
                columns[column][row] = weight[row][column];
                column += 1;
            }
            row += 1;
        }
        Dense {
            weight: SMatrix::from_array_storage(ArrayStorage(columns)),
            bias: SMatrix::from_array_storage(ArrayStorage([bias])),
            activation: PhantomData,
        }
    }

    /// From the columns of `W`, one for each input, and from `b`: the order in which they lie in memory, so that the compiler
    /// has nothing to compute for a `static`.
    pub const fn from_columns(weight: [[T; OUT]; IN], bias: [T; OUT]) -> Self
    where
        A: Activation,
    {
        Self::from_matrix(
            SMatrix::from_array_storage(ArrayStorage(weight)),
            SMatrix::from_array_storage(ArrayStorage([bias])),
        )
    }

    /// From `W` and `b`.
    pub const fn from_matrix(weight: SMatrix<T, OUT, IN>, bias: SVector<T, OUT>) -> Self
    where
        A: Activation,
    {
        const { Self::assert_sizes() };
        Dense { weight, bias, activation: PhantomData }
    }

    const fn assert_sizes()
    where
        A: Activation,
    {
        assert!(IN > 0 && OUT > 0, "a Dense layer needs at least one input and one output");
        assert_varies::<A>(OUT);
    }

    pub(crate) const WEIGHT: Parameter = Parameter { name: "weight", kind: Kind::Weight, rows: OUT, columns: IN };
    pub(crate) const BIAS: Parameter = Parameter { name: "bias", kind: Kind::Bias, rows: OUT, columns: 1 };

    /// Whether, in the slope by the weights, lanes run across the inputs instead of the outputs, because fewer of them are idle
    /// then. Every number is the same sum.
    const fn is_across_inputs<S: Simd>(columns: usize) -> bool {
        if OUT <= 4 && IN >= 2 * OUT {
            return true;
        }
        // The transpose takes the time of some samples, and room on the stack.
        let across_inputs = OUT * registers::<S, T>(IN) * (columns + 2 * FEW) / columns;
        columns > FEW && IN * OUT <= 8192 && across_inputs < IN * registers::<S, T>(OUT)
    }

    /// Whether, in the forward pass, the lanes run across the inputs of one output at a time, because there are so few.
    const DOTS: bool = OUT <= 4 && IN > 6 * OUT;
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Dense<IN, OUT, A, T> {
    /// Whether the activation is applied to the sums before they are written. Where it is long and there are many, that
    /// would be a lot of code; then it is a pass of its own.
    const fn is_fused(columns: usize) -> bool {
        if SCALAR {
            return Self::is_brief(columns) || (A::BRIEF && columns == 1);
        }
        (A::BRIEF || columns == 1) && !Self::is_dots(columns)
    }

    /// How many rows of the forward pass go in registers of their own, and how many are the group behind them.
    const fn shares(columns: usize) -> (usize, usize) {
        if columns > FEW { kernel::shares(OUT, IN) } else { (OUT, 0) }
    }

    /// Whether [`DOTS`](Self::DOTS) goes for so many columns.
    const fn is_dots(columns: usize) -> bool {
        Self::DOTS && columns <= FEW
    }

    /// Whether the products are functions of their own. Together a network's are one so large that the compiler takes minutes
    /// for it; a single sample's or a small layer's take less time than a call.
    const fn is_apart(columns: usize) -> bool {
        columns > FEW && IN * OUT >= 64
    }

    /// `W x + b` for the columns in use, or `A(W x + b)`.
    #[inline(always)]
    fn affine<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<T, IN, B>,
        activated: bool,
        y: &mut SMatrix<T, OUT, B>,
    ) {
        if SCALAR {
            return self.affine_of_numbers(tile, x, activated, y);
        }
        let (simd, weight, bias) = (tile.simd(), self.weight.as_slice(), self.bias.as_slice());
        let (right, result) = (x.as_slice(), y.as_mut_slice());
        let columns = tile.used();
        call(
            simd,
            Self::is_apart(B),
            #[inline(always)]
            || {
                // A closure that is a function of its own does not know what its captured numbers are.
                let activated = activated && Self::is_fused(B);
                if const { Self::is_dots(B) } {
                    let mut rows = [[T::ZERO; IN]; OUT];
                    transpose::<S, T, OUT, IN>(simd, weight, rows.as_flattened_mut());
                    return dots::<S, T, OUT, IN, B>(simd, columns, &rows, right, bias, result);
                }
                if const { B == 1 } {
                    return product_with_column::<S, T, A, OUT>(simd, weight, right, bias, activated, result);
                }
                if const { Self::shares(B).0 > 0 } {
                    let right = Columns::<T, IN, B>(right);
                    product::<S, T, A, _, OUT, false>(
                        simd,
                        const { Self::shares(B).0 },
                        IN,
                        columns,
                        weight,
                        right,
                        Some(bias),
                        activated,
                        result,
                    );
                }
                // Conditions on sizes stand in blocks of constants, so that the compiler does not look at what does not occur.
                macro_rules! group {
                    ($($size:literal)+) => {$(
                        if const { Self::shares(B).1 == $size } {
                            packed::<S, T, A, OUT, IN, B, $size>(simd, columns, weight, right, bias, activated, result);
                        }
                    )+};
                }
                group!(1 2 4);
            },
        );
    }

    /// [`affine`](Self::affine) without vector registers.
    #[inline(always)]
    fn affine_of_numbers<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<T, IN, B>,
        activated: bool,
        y: &mut SMatrix<T, OUT, B>,
    ) {
        let (simd, weight, bias) = (tile.simd(), &self.weight.data.0, &self.bias.data.0[0]);
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(tile.used()) {
            if Self::is_dots(B) || Self::is_brief(B) {
                let how = (Self::is_dots(B), activated);
                // Not an iterator: the compiler drops the checks of this index at all levels of optimization.
                #[allow(clippy::needless_range_loop)]
                for row in 0..OUT {
                    y[row] = scalar::brief_row::<S, T, A, OUT, IN>(simd, weight, x, bias, how, row);
                }
            } else if B == 1 {
                let activated = activated && A::BRIEF;
                scalar::product_with_column::<S, T, A, OUT, IN>(simd, weight, x, bias, activated, y);
            } else {
                scalar::product_in_order(weight, x, bias, y);
                if const { Self::shares(B).1 > 0 } {
                    let (whole, group) = Self::shares(B);
                    for (row, y) in y.iter_mut().enumerate().skip(whole) {
                        *y = scalar::row_in_parts(weight, x, bias, row, kernel::WIDEST / group);
                    }
                }
            }
        }
    }

    /// Whether, without vector registers, the rows are computed one by one.
    const fn is_brief(columns: usize) -> bool {
        columns == 1 && scalar::is_brief(Self::DOTS, OUT, IN)
    }

    /// `A(y)` in place of `y`.
    #[inline(always)]
    fn activate<S: Simd, const B: usize>(tile: Tile<S, B>, fused: bool, y: &mut SMatrix<T, OUT, B>) {
        if SCALAR && !fused {
            for y in y.data.0.iter_mut().take(tile.used()) {
                scalar::activate::<S, T, A>(tile.simd(), y);
            }
        } else if !fused {
            let (simd, count) = (tile.simd(), tile.used() * OUT);
            map_first(
                simd,
                count,
                [y.as_mut_slice()],
                [],
                #[inline(always)]
                |[x], []| [A::value::<S, T>(simd, x)],
            );
        }
        A::couple(tile, &mut y.data.0);
    }

    /// The slope by `x` from the slope by `W x + b`. A function of its own, because an unoptimized build reserves the room for
    /// the transposed weights as soon as the function that has it is entered.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn slope_by_input<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        slope: &SMatrix<T, OUT, B>,
        input_slope: &mut SMatrix<T, IN, B>,
    ) {
        if SCALAR {
            return scalar::transposed_product(
                &self.weight.data.0,
                &slope.data.0,
                tile.used(),
                &mut input_slope.data.0,
            );
        }
        call(
            tile.simd(),
            Self::is_apart(B),
            #[inline(always)]
            || {
                let mut transposed = [[T::ZERO; IN]; OUT];
                transpose::<S, T, OUT, IN>(tile.simd(), self.weight.as_slice(), transposed.as_flattened_mut());
                product::<S, T, Identity, _, IN, false>(
                    tile.simd(),
                    IN,
                    OUT,
                    tile.used(),
                    transposed.as_flattened(),
                    Columns::<T, OUT, B>(slope.as_slice()),
                    None,
                    false,
                    input_slope.as_mut_slice(),
                );
            },
        );
    }

    /// Adds the slope by `W` to that of `gradient`, or sets it to that, unless it is `ADDED`.
    #[inline(always)]
    fn weight_slope<S: Simd, const B: usize, const ADDED: bool>(
        tile: Tile<S, B>,
        x: &SMatrix<T, IN, B>,
        slope: &SMatrix<T, OUT, B>,
        gradient: &mut Self,
    ) {
        let (simd, samples, weight) = (tile.simd(), tile.used(), gradient.weight.as_mut_slice());
        let (inputs, slopes) = (x.as_slice(), slope.as_slice());
        if const { !Self::is_across_inputs::<S>(B) } {
            let inputs = Rows::<T, B, IN>(inputs);
            return product::<S, T, Identity, _, OUT, ADDED>(
                simd, OUT, samples, IN, slopes, inputs, None, false, weight,
            );
        }
        let slopes = Rows::<T, B, OUT>(slopes);
        if const { OUT == 1 } {
            return product::<S, T, Identity, _, IN, ADDED>(
                simd, IN, samples, OUT, inputs, slopes, None, false, weight,
            );
        }
        let mut transposed = [[T::ZERO; IN]; OUT];
        let result = transposed.as_flattened_mut();
        product::<S, T, Identity, _, IN, false>(simd, IN, samples, OUT, inputs, slopes, None, false, result);
        add_transposed::<S, T, IN, OUT>(simd, &transposed, weight);
    }

    /// Turns the slope by `y` into the slope by `W x + b`.
    #[inline(always)]
    fn deactivate<S: Simd, const B: usize>(
        tile: Tile<S, B>,
        trace: &DenseTrace<A, T, OUT, B>,
        slope: &mut SMatrix<T, OUT, B>,
    ) {
        let simd = tile.simd();
        A::couple_slope(tile, &trace.output.data.0, &mut slope.data.0);
        // Where the slope follows from the output, the sums are not looked at.
        let sums = A::Slope::room(&trace.sums).unwrap_or(&trace.output);
        let used = tile.used();
        if SCALAR || B > FEW || OUT >= Lanes::<S, T>::LEN || used == 1 {
            map_first(
                simd,
                OUT * used,
                [slope.as_mut_slice()],
                [sums.as_slice(), trace.output.as_slice()],
                #[inline(always)]
                |[slope], [sum, y]| [A::backward::<S, T>(simd, slope, sum, y)],
            );
            return;
        }
        // In the pieces in which the columns were written.
        for ((slope, sums), y) in slope.data.0.iter_mut().zip(&sums.data.0).zip(&trace.output.data.0).take(used) {
            map(
                simd,
                [slope],
                [sums, y],
                #[inline(always)]
                |[slope], [sum, y]| [A::backward::<S, T>(simd, slope, sum, y)],
            );
        }
    }
}

impl<const IN: usize, const OUT: usize, A, T: Clone> Clone for Dense<IN, OUT, A, T> {
    fn clone(&self) -> Self {
        Dense { weight: self.weight.clone(), bias: self.bias.clone(), activation: PhantomData }
    }
}

impl<const IN: usize, const OUT: usize, A, T: PartialEq> PartialEq for Dense<IN, OUT, A, T> {
    fn eq(&self, other: &Self) -> bool {
        self.weight == other.weight && self.bias == other.bias
    }
}

impl<const IN: usize, const OUT: usize, A, T: nalgebra::Scalar> core::fmt::Debug for Dense<IN, OUT, A, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Dense").field("weight", &self.weight).field("bias", &self.bias).finish()
    }
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Zeroed for Dense<IN, OUT, A, T> {
    const ZEROED: Self = {
        assert_varies::<A>(OUT);
        Dense { weight: SMatrix::ZEROED, bias: SMatrix::ZEROED, activation: PhantomData }
    };
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Params for Dense<IN, OUT, A, T> {
    type Scalar = T;
    const COUNT: usize = OUT * IN + OUT;
    const MODULES: usize = if matches!(A::LINK, Link::Identity) { 1 } else { 2 };

    #[inline(always)]
    fn visit(&self, visitor: &mut impl Visitor<T>) {
        visitor.slice(Self::WEIGHT, self.weight.as_slice());
        visitor.slice(Self::BIAS, self.bias.as_slice());
    }

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        mut others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<T, OTHERS>,
    ) {
        let weights = others.each_mut().map(
            #[inline(always)]
            |other| other.weight.as_mut_slice(),
        );
        visitor.slice(Self::WEIGHT, self.weight.as_mut_slice(), weights);
        let biases = others.map(
            #[inline(always)]
            |other| other.bias.as_mut_slice(),
        );
        visitor.slice(Self::BIAS, self.bias.as_mut_slice(), biases);
    }

    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        A::Init::default().fill_layer::<T, R, IN, OUT>(rng, self.weight.as_mut_slice());
        self.bias.as_mut_slice().fill(T::ZERO);
    }
}

impl<const IN: usize, const OUT: usize, A, T> Entrance for Dense<IN, OUT, A, T> {
    type In = Features<IN>;
}

impl<const IN: usize, const OUT: usize, A, T> Network for Dense<IN, OUT, A, T> {}

/// What [`Dense`] keeps for its backward pass: `y`, `OUT` by `B`, and where the activation needs it `W x + b`.
#[cfg_attr(target_arch = "x86_64", repr(align(64)))]
pub struct DenseTrace<A: Activation, T: Real, const OUT: usize, const B: usize> {
    output: SMatrix<T, OUT, B>,
    sums: <A::Slope as SlopeFrom>::Room<SMatrix<T, OUT, B>>,
}

impl<A: Activation, T: Real, const OUT: usize, const B: usize> Zeroed for DenseTrace<A, T, OUT, B> {
    const ZEROED: Self = DenseTrace { output: SMatrix::ZEROED, sums: Zeroed::ZEROED };
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Layer<Features<IN>> for Dense<IN, OUT, A, T> {
    type Out = Features<OUT>;
    type Trace<const B: usize> = DenseTrace<A, T, OUT, B>;
    type Head = A;

    #[inline(always)]
    fn output<const B: usize>(trace: &Self::Trace<B>) -> &SMatrix<T, OUT, B> {
        &trace.output
    }

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, IN, B>, y: &mut SMatrix<T, OUT, B>) {
        let (wanted, fused) = (!tile.is_to_logits(), Self::is_fused(B));
        self.affine(tile, x, wanted && fused, y);
        if wanted {
            Self::activate(tile, fused, y);
        }
    }

    #[inline(always)]
    fn answer<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, IN, B>) -> SMatrix<T, OUT, B> {
        if SCALAR
            && Self::is_brief(B)
            && let [x] = x.data.0.as_slice()
        {
            let (simd, weight, bias) = (tile.simd(), &self.weight.data.0, &self.bias.data.0[0]);
            let how = (Self::DOTS, !tile.is_to_logits());
            let column: [T; OUT] = core::array::from_fn(
                #[inline(always)]
                |row| scalar::brief_row::<S, T, A, OUT, IN>(simd, weight, x, bias, how, row),
            );
            // Not `[column; B]`, for which some compilers call a copy of 700 bytes where a program is optimized for size.
            let mut y: [[T; OUT]; B] = core::array::from_fn(
                #[inline(always)]
                |_| column,
            );
            if !tile.is_to_logits() {
                A::couple(tile, &mut y);
            }
            return SMatrix::from_array_storage(ArrayStorage(y));
        }
        let mut y = Zeroed::ZEROED;
        self.infer(tile, x, &mut y);
        y
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, IN, B>, trace: &mut Self::Trace<B>) {
        let (wanted, mut fused) = (!tile.is_to_logits(), Self::is_fused(B));
        if let Some(sums) = A::Slope::room_mut(&mut trace.sums) {
            fused = false;
            self.affine(tile, x, false, sums);
            trace.output.clone_from(sums);
        } else {
            self.affine(tile, x, wanted && fused, &mut trace.output);
        }
        if wanted {
            Self::activate(tile, fused, &mut trace.output);
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<T, IN, B>,
        trace: &mut Self::Trace<B>,
        slope: &mut SMatrix<T, OUT, B>,
        gradient: &mut Self,
        input_slope: Option<&mut SMatrix<T, IN, B>>,
    ) {
        let simd = tile.simd();
        if !tile.is_to_logits() {
            Self::deactivate(tile, trace, slope);
        }

        if SCALAR {
            let (slopes, used) = (&slope.data.0, tile.used());
            scalar::add_outer(slopes, &x.data.0, used, tile.is_from_zero(), &mut gradient.weight.data.0);
            scalar::add_columns(slopes, used, tile.is_from_zero(), &mut gradient.bias.data.0[0]);
        } else {
            call(
                simd,
                Self::is_apart(B),
                #[inline(always)]
                || {
                    if B <= FEW && tile.is_from_zero() {
                        Self::weight_slope::<S, B, false>(tile, x, slope, gradient);
                    } else {
                        Self::weight_slope::<S, B, true>(tile, x, slope, gradient);
                    }
                    let samples = tile.used();
                    add_columns::<S, T, OUT>(simd, &slope.as_slice()[..samples * OUT], gradient.bias.as_mut_slice());
                },
            );
        }

        if let Some(input_slope) = input_slope {
            self.slope_by_input(tile, slope, input_slope);
        }
    }

    #[inline(always)]
    fn descend<S: Simd, const B: usize>(
        &mut self,
        tile: Tile<S, B>,
        x: &SMatrix<T, IN, B>,
        trace: &mut Self::Trace<B>,
        slope: &mut SMatrix<T, OUT, B>,
        rate: T,
        input_slope: Option<&mut SMatrix<T, IN, B>>,
    ) {
        if !tile.is_to_logits() {
            Self::deactivate(tile, trace, slope);
        }
        if let ([slope, ..], [x, ..]) = (slope.data.0.as_slice(), x.data.0.as_slice()) {
            let input_slope = input_slope.and_then(
                #[inline(always)]
                |input_slope| input_slope.data.0.first_mut(),
            );
            scalar::descend(&mut self.weight.data.0, &mut self.bias.data.0[0], x, slope, rate, input_slope);
        }
    }

    fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
        tell(Description::of::<Features<IN>, Self>(place, Some(IN * OUT)));
    }

    fn outline<'a>(&'a self, tell: &mut dyn FnMut(Part<'a, T>)) {
        let (weight, bias) = (self.weight.as_slice(), self.bias.as_slice());
        tell(match A::FUNCTION {
            Some(function) => Part::Dense { inputs: IN, outputs: OUT, weight, bias, function },
            None => Part::Unknown { name: core::any::type_name::<A>() },
        });
    }
}

/// The loops for CPUs without vector registers, against those with them.
#[cfg(all(test, feature = "reproducible"))]
mod tests {
    use super::*;
    use crate::num::dispatch::{dispatch, level};
    use crate::prelude::seeded;

    /// Both ways through a layer with random numbers, some of them zero, in a tile of which `used` columns count.
    #[inline(always)]
    fn compare<S: Simd, const IN: usize, const OUT: usize, const B: usize>(simd: S, used: usize) {
        let mut rng = seeded((IN * 10_000 + OUT * 100 + B) as u64);
        let mut random = || {
            let bits = rng.next_u64();
            if bits.is_multiple_of(7) { 0.0 } else { f32::from_random_bits(bits) - 0.5 }
        };
        let mut layer = Dense::<IN, OUT, Identity>::ZEROED;
        layer.weight.iter_mut().chain(&mut layer.bias).for_each(|number| *number = random());
        let x = SMatrix::<f32, IN, B>::from_fn(|_, _| random());
        let mut slope = SMatrix::<f32, OUT, B>::from_fn(|_, _| random());
        // What the trainer promises of columns without a sample.
        slope.columns_range_mut(used..).fill(0.0);
        let tile = Tile::<S, B>::new(simd, used);

        let (mut lanes, mut numbers) = (SMatrix::<f32, OUT, B>::ZEROED, SMatrix::<f32, OUT, B>::ZEROED);
        layer.affine(tile, &x, false, &mut lanes);
        layer.affine_of_numbers(tile, &x, false, &mut numbers);
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        let count = used * OUT;
        assert!(same(&lanes.as_slice()[..count], &numbers.as_slice()[..count]), "{IN} to {OUT}, {used} of {B}");

        let (mut gradient, mut input_slope) = (layer.clone(), SMatrix::<f32, IN, B>::ZEROED);
        let mut trace = DenseTrace::ZEROED;
        layer.backward(tile, &x, &mut trace, &mut slope, &mut gradient, Some(&mut input_slope));
        let (mut weight, mut bias) = (layer.weight.data.0, layer.bias.data.0[0]);
        let mut numbers = SMatrix::<f32, IN, B>::ZEROED;
        scalar::add_outer(&slope.data.0, &x.data.0, used, false, &mut weight);
        scalar::add_columns(&slope.data.0, used, false, &mut bias);
        scalar::transposed_product(&layer.weight.data.0, &slope.data.0, used, &mut numbers.data.0);
        let count = used * IN;
        assert!(same(gradient.weight.as_slice(), weight.as_flattened()), "{IN} to {OUT}, {used} of {B}: weights");
        assert!(same(gradient.bias.as_slice(), &bias), "{IN} to {OUT}, {used} of {B}: biases");
        assert!(
            same(&input_slope.as_slice()[..count], &numbers.as_slice()[..count]),
            "{IN} to {OUT}, {used} of {B}: inputs"
        );
    }

    #[test]
    fn numbers_add_up_as_lanes_do() {
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
