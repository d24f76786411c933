//! [`Conv2d`], [`GroupedConv2d`] and [`ConvTranspose2d`]: convolutions of images.

use super::window::assert_positions;
use crate::activation::init::Init;
use crate::activation::{Activation, DerivativeFrom, FusedLoss, Identity};
use crate::kernel::convolution::{bias_gradient, convolution, transposed_convolution, weight_gradient};
use crate::kernel::geometry::Geometry;
use crate::kernel::{Elementwise, map_first};
use crate::model::{
    Aligned, Batch, Grid, Image, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, Shape, Visit,
    Visitor, VisitorMut, Windows, Zeroed,
};
use crate::num::Real;
use crate::num::target::LOOPS_IN_LANES;
use core::marker::PhantomData;
use fearless_simd::Simd;
use rand::Rng;

/// What a convolution stores for its backward pass, if the derivative of its activation needs it: its sums.
pub type ConvCache<A, T, To, const B: usize> =
    Aligned<<<A as Activation>::DerivativeFrom as DerivativeFrom>::Stored<Batch<To, T, B>>>;

const fn assert_activation<A: Activation>() {
    assert!(A::ELEMENTWISE, "the activation of a convolution is computed element by element: softmax needs `Dense`");
}

/// The forward pass: `sums` computes those of the convolution, and the value of the activation if it is asked to.
#[inline(always)]
fn activated<S: Simd, T: Real, A: Activation, To: Shape, const B: usize>(
    pass: Pass<S, B>,
    y: &mut Batch<To, T, B>,
    cache: Option<&mut ConvCache<A, T, To, B>>,
    sums: impl FnOnce(bool, &mut [T]),
) {
    let cache = cache.and_then(
        #[inline(always)]
        |cache| A::DerivativeFrom::stored_mut(&mut cache.0),
    );
    // A short activation is computed while the sums are in registers, unless these are needed.
    let fused = A::INLINE && cache.is_none() && !pass.stops_at_logits();
    sums(fused, To::as_mut_slice(y));
    if let Some(cache) = cache {
        cache.clone_from(y);
    }
    if !fused && !pass.stops_at_logits() {
        let simd = pass.simd();
        map_first(
            simd,
            To::prefix::<B>(pass.len()),
            [To::as_mut_slice(y)],
            [],
            #[inline(always)]
            |[y], []| [<A as Activation>::value::<S, T>(simd, y)],
        );
    }
}

/// Turns the gradient by `y` into the gradient by the sums.
#[inline(always)]
fn activation_gradient<S: Simd, T: Real, A: Activation, To: Shape, const B: usize>(
    pass: Pass<S, B>,
    y: &Batch<To, T, B>,
    cache: &ConvCache<A, T, To, B>,
    dy: &mut Batch<To, T, B>,
) {
    if pass.stops_at_logits() {
        return;
    }
    let simd = pass.simd();
    let sums = A::DerivativeFrom::stored(&cache.0).unwrap_or(y);
    map_first(
        simd,
        To::prefix::<B>(pass.len()),
        [To::as_mut_slice(dy)],
        [To::as_slice(sums), To::as_slice(y)],
        #[inline(always)]
        |[dy], [x, y]| {
            if LOOPS_IN_LANES {
                // By a factor: of a choice between `dy` and zero the compiler makes a masked store, which AVX2 takes long for.
                return [dy * <A as Activation>::derivative::<S, T>(simd, x, y)];
            }
            [<A as Activation>::backward::<S, T>(simd, dy, x, y)]
        },
    );
}

macro_rules! convolution_layer {
    (
        $(#[$about:meta])*
        $name:ident, $text:literal, kernel [$($kernel:ident)+], [$($extra:ident)*],
        window [$($window:ident = $default:literal),+], $weight:ty, $weights:ty, transposed $transposed:literal,
        depth $depth:expr, size $size:expr, stride $stride:expr, padding $padding:expr, dilation $dilation:expr,
        check $check:expr
    ) => {
        $(#[$about])*
        #[cfg_attr(target_arch = "x86_64", repr(align(64)))]
        pub struct $name<
            From: Grid,
            To: Grid,
            $(const $kernel: usize,)+
            $(const $extra: usize,)*
            A,
            $(const $window: usize = $default,)+
            T: Real = f32,
        > {
            /// The weights: by row and column of the kernel, channel of the input, and channel of the output.
            pub weight: $weight,
            /// The bias of each channel of the output.
            pub bias: To::PerChannel<T>,
            types: PhantomData<(From, To, A)>,
        }

        impl<
            From: Grid,
            To: Grid,
            $(const $kernel: usize,)+
            $(const $extra: usize,)*
            A,
            $(const $window: usize,)+
            T: Real,
        > Clone for $name<From, To, $($kernel,)+ $($extra,)* A, $($window,)+ T>
        {
            fn clone(&self) -> Self {
                $name { weight: self.weight, bias: self.bias, types: PhantomData }
            }
        }

        impl<
            From: Grid,
            To: Grid,
            $(const $kernel: usize,)+
            $(const $extra: usize,)*
            A,
            $(const $window: usize,)+
            T: Real,
        > InputShape for $name<From, To, $($kernel,)+ $($extra,)* A, $($window,)+ T>
        {
            type In = From;
            type Scalar = T;
        }

        impl<
            From: Grid,
            To: Grid,
            $(const $kernel: usize,)+
            $(const $extra: usize,)*
            A,
            $(const $window: usize,)+
            T: Real,
        > Network for $name<From, To, $($kernel,)+ $($extra,)* A, $($window,)+ T>
        {
        }

        convolution_layer! {
            @impls $name, $text, $weights, transposed $transposed, depth $depth, size $size, stride $stride,
            padding $padding, dilation $dilation, check $check,
            [
                const C: usize, const H: usize, const W: usize, const D: usize, const OH: usize, const OW: usize,
                $(const $kernel: usize,)+ $(const $extra: usize,)* A: Activation, $(const $window: usize,)+ T: Real,
            ],
            $name<Image<C, H, W>, Image<D, OH, OW>, $($kernel,)+ $($extra,)* A, $($window,)+ T>
        }
    };
    (
        @impls $name:ident, $text:literal, $weights:ty, transposed $transposed:literal, depth $depth:expr,
        size $size:expr, stride $stride:expr, padding $padding:expr, dilation $dilation:expr, check $check:expr,
        [$($generics:tt)*], $layer:ty
    ) => {
        impl<$($generics)*> $layer {
            const FITS: () = {
                assert_activation::<A>();
                let window = [Self::SIZE, $stride, $padding, $dilation];
                if $transposed {
                    assert_positions($text, [OH, OW], [H, W], window);
                } else {
                    assert_positions($text, [H, W], [OH, OW], window);
                }
                $check
            };

            /// The kernel's rows and columns.
            const SIZE: [usize; 2] = $size;

            const TAPS: usize = Self::SIZE[0] * Self::SIZE[1];

            /// Creates the layer from its weights and biases.
            #[must_use]
            pub const fn from_arrays(weight: $weights, bias: [T; D]) -> Self {
                const { Self::FITS };
                $name { weight, bias, types: PhantomData }
            }

            const GROUPS: usize = if $transposed { 1 } else { C / $depth };

            pub(crate) const WEIGHT: Parameter = Parameter {
                name: "weight",
                kind: Kind::Kernel { rows: Self::SIZE[0], columns: Self::SIZE[1] },
                rows: if $transposed { C } else { D },
                columns: Self::TAPS * if $transposed { D } else { $depth },
            };
            pub(crate) const BIAS: Parameter = Parameter { name: "bias", kind: Kind::Bias, rows: D, columns: 1 };

            #[inline(always)]
            const fn geometry(batch: usize) -> Geometry {
                let (input, output) = (([H, W], C), ([OH, OW], D));
                let (from, to) = if $transposed { (output, input) } else { (input, output) };
                Geometry {
                    batch,
                    channels: from.1,
                    outputs: to.1,
                    size: from.0,
                    output_size: to.0,
                    kernel: Self::SIZE,
                    stride: $stride,
                    padding: $padding,
                    dilation: $dilation,
                    groups: Self::GROUPS,
                }
            }

            #[inline(always)]
            pub(crate) fn weights(&self) -> &[T] {
                self.weight.as_flattened().as_flattened().as_flattened()
            }

            #[inline(always)]
            pub(crate) fn weights_mut(&mut self) -> &mut [T] {
                self.weight.as_flattened_mut().as_flattened_mut().as_flattened_mut()
            }

            /// From the size of the layer's input to that of its output.
            #[inline(always)]
            fn sums<S: Simd, F: Elementwise, const B: usize>(
                &self,
                pass: Pass<S, B>,
                x: &[T],
                activated: bool,
                y: &mut [T],
            ) {
                let (simd, len, geometry) = (pass.simd(), pass.len(), const { &Self::geometry(B) });
                if $transposed {
                    let mut reordered;
                    let reordered = if !LOOPS_IN_LANES {
                        &mut [][..]
                    } else {
                        reordered = <$weights>::ZEROED;
                        reordered.as_flattened_mut().as_flattened_mut().as_flattened_mut()
                    };
                    let factors = [x, self.weights(), &self.bias];
                    transposed_convolution::<S, T, F>(simd, geometry, len, factors, reordered, activated, y);
                } else {
                    convolution::<S, T, F>(simd, geometry, len, [x, self.weights(), &self.bias], activated, y);
                }
            }

            /// The gradient by the inputs.
            #[inline(always)]
            fn input_gradient<S: Simd, F: Elementwise, const B: usize>(
                &self,
                pass: Pass<S, B>,
                dy: &[T],
                dx: &mut [T],
            ) {
                let (simd, len, geometry) = (pass.simd(), pass.len(), const { &Self::geometry(B) });
                if $transposed {
                    return convolution::<S, T, F>(simd, geometry, len, [dy, self.weights(), &[]], false, dx);
                }
                let mut reordered;
                let reordered = if !LOOPS_IN_LANES {
                    &mut [][..]
                } else {
                    reordered = <$weights>::ZEROED;
                    reordered.as_flattened_mut().as_flattened_mut().as_flattened_mut()
                };
                transposed_convolution::<S, T, F>(
                    simd, geometry, len, [dy, self.weights(), &[]], reordered, false, dx,
                );
            }
        }

        impl<$($generics)*> PartialEq for $layer {
            fn eq(&self, other: &Self) -> bool {
                self.weight == other.weight && self.bias == other.bias
            }
        }

        impl<$($generics)*> core::fmt::Debug for $layer {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name)).field("weight", &self.weight).field("bias", &self.bias).finish()
            }
        }

        impl<$($generics)*> Zeroed for $layer {
            const ZEROED: Self = {
                let () = Self::FITS;
                $name { weight: Zeroed::ZEROED, bias: [T::ZERO; D], types: PhantomData }
            };
        }

        impl<$($generics)*> Params for $layer {
            const PARAMETERS: usize = size_of::<$weights>() / size_of::<T>() + D;
            const MODULES: usize = if matches!(A::FUSED_LOSS, FusedLoss::Either) { 1 } else { 2 };

            fn initialize<R: Rng>(&mut self, rng: &mut R) {
                let fan_out = Self::TAPS * D / Self::GROUPS;
                A::Init::default().fill(rng, Self::TAPS * $depth, fan_out, self.weights_mut());
                self.bias.fill(T::ZERO);
            }
        }

        impl<$($generics)*> Visit<T> for $layer {
            #[inline(always)]
            fn visit(&self, visitor: &mut impl Visitor<T>) {
                visitor.slice(Self::WEIGHT, self.weights());
                visitor.slice(Self::BIAS, &self.bias);
            }

            #[inline(always)]
            fn visit_mut<const OTHERS: usize>(
                &mut self,
                mut others: [&mut Self; OTHERS],
                visitor: &mut impl VisitorMut<T, OTHERS>,
            ) {
                let weights = others.each_mut().map(
                    #[inline(always)]
                    |other| other.weights_mut(),
                );
                visitor.slice(Self::WEIGHT, self.weights_mut(), weights);
                let biases = others.map(
                    #[inline(always)]
                    |other| other.bias.as_mut_slice(),
                );
                visitor.slice(Self::BIAS, &mut self.bias, biases);
            }
        }

        impl<$($generics)*> Model<Image<C, H, W>, T> for $layer {
            type Out = Image<D, OH, OW>;
            const MACS: Option<usize> =
                Some(Self::TAPS * $depth * D * if $transposed { H * W } else { OH * OW });

            #[inline(always)]
            fn infer<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                x: &Batch<Image<C, H, W>, T, B>,
                y: &mut Batch<Image<D, OH, OW>, T, B>,
            ) {
                activated::<S, T, A, Image<D, OH, OW>, B>(
                    pass,
                    y,
                    None,
                    #[inline(always)]
                    |fused, y| {
                        let x = <Image<C, H, W>>::as_slice(x);
                        if A::INLINE {
                            self.sums::<S, A, B>(pass, x, fused, y);
                        } else {
                            self.sums::<S, Identity, B>(pass, x, false, y);
                        }
                    },
                );
            }
        }

        impl<$($generics)*> Layer<Image<C, H, W>, T> for $layer {
            type Cache<const B: usize> = ConvCache<A, T, Image<D, OH, OW>, B>;
            type LastActivation = A;

            #[inline(always)]
            fn forward<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                x: &Batch<Image<C, H, W>, T, B>,
                y: &mut Batch<Image<D, OH, OW>, T, B>,
                cache: &mut Self::Cache<B>,
            ) {
                activated::<S, T, A, Image<D, OH, OW>, B>(
                    pass,
                    y,
                    Some(cache),
                    #[inline(always)]
                    |fused, y| {
                        let x = <Image<C, H, W>>::as_slice(x);
                        if A::INLINE {
                            self.sums::<S, A, B>(pass, x, fused, y);
                        } else {
                            self.sums::<S, Identity, B>(pass, x, false, y);
                        }
                    },
                );
            }

            #[inline(always)]
            fn backward<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                (x, y): (&Batch<Image<C, H, W>, T, B>, &Batch<Image<D, OH, OW>, T, B>),
                cache: &mut Self::Cache<B>,
                dy: &mut Batch<Image<D, OH, OW>, T, B>,
                gradient: &mut Self,
                dx: Option<&mut Batch<Image<C, H, W>, T, B>>,
            ) {
                activation_gradient::<S, T, A, Image<D, OH, OW>, B>(pass, y, cache, dy);
                let (x, dy) = (<Image<C, H, W>>::as_slice(x), <Image<D, OH, OW>>::as_slice(dy));
                let (simd, len, geometry) = (pass.simd(), pass.len(), const { &Self::geometry(B) });
                let weight = gradient.weight.as_flattened_mut().as_flattened_mut().as_flattened_mut();
                if $transposed {
                    // The roles of inputs and outputs are exchanged, except for the bias.
                    weight_gradient(simd, geometry, len, [dy, x], weight);
                } else {
                    weight_gradient(simd, geometry, len, [x, dy], weight);
                }
                bias_gradient(simd, OH * OW, B, len, dy, &mut gradient.bias);
                if let Some(dx) = dx {
                    let dx = <Image<C, H, W>>::as_mut_slice(dx);
                    if A::INLINE {
                        self.input_gradient::<S, A, B>(pass, dy, dx);
                    } else {
                        self.input_gradient::<S, Identity, B>(pass, dy, dx);
                    }
                }
            }

            fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
                let (input, output) = ([C, H, W], [D, OH, OW]);
                let (from, to) = if $transposed { (output, input) } else { (input, output) };
                emit(match A::KIND {
                    Some(function) => Op::Convolution {
                        windows: Windows {
                            from, to, kernel: Self::SIZE, stride: $stride, padding: $padding, dilation: $dilation,
                        },
                        depth: if $transposed { D } else { $depth },
                        transposed: $transposed,
                        weight: self.weights(),
                        bias: &self.bias,
                        function,
                    },
                    None => Op::Unknown { name: core::any::type_name::<A>() },
                });
            }
        }
    };
}

convolution_layer! {
    /// Convolution of an image with a kernel of `K` by `K` pixels, from the shape `From` to the shape `To`, both of which
    /// are written out, and the activation `A`. A size that does not follow from the others is a compile error that says
    /// which one does; [`network!`](crate::network) computes them.
    ///
    /// `STRIDE` is the distance between neighbouring positions of the kernel, `PADDING` how many zeros are added on each
    /// side, `DILATION` the distance between neighbouring taps. With stride 1 and an odd `K`, a padding of `K / 2` keeps
    /// height and width ("same" padding). A kernel of one pixel is a pointwise convolution.
    ///
    /// # Shapes
    ///
    /// `From` in, such as `Image<1, 28, 28>`; `To` out, such as `Image<6, 24, 24>`. `weight` is
    /// `[[[[T; outputs]; inputs]; K]; K]`, `bias` is `[T; outputs]`.
    ///
    /// # Formula
    ///
    /// `y[d][h][w] = A(b[d] + sum of x[c][h * STRIDE + i * DILATION - PADDING][w * STRIDE + j * DILATION - PADDING] *
    /// W[i][j][c][d])` over the channels `c` and the kernel's rows `i` and columns `j`. PyTorch equivalent:
    /// `torch.nn.Conv2d`, followed by the activation's module.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::Conv2d;
    /// use tuplenet::prelude::*;
    ///
    /// // Where it gets brighter from left to right.
    /// type Edges = Conv2d<Image<1, 4, 4>, Image<1, 3, 3>, 2, Relu>;
    /// let edges = Edges::from_arrays([[[[-1.0]], [[1.0]]], [[[-1.0]], [[1.0]]]], [0.0]);
    /// let image = [[[0.0, 0.0, 1.0, 1.0]; 4]];
    /// assert_eq!(edges.predict_one(&image), [[[0.0, 2.0, 0.0]; 3]]);
    /// ```
    ///
    /// A wrong size does not compile: "Conv2d, height: a window of 5 with stride 1, padding 0 and dilation 1 has 8
    /// positions along 12, not 9".
    ///
    /// ```compile_fail,E0080
    /// use tuplenet::layers::Conv2d;
    /// use tuplenet::model::assert_shapes;
    /// use tuplenet::prelude::*;
    ///
    /// const _: () = assert_shapes::<Conv2d<Image<6, 12, 12>, Image<16, 9, 8>, 5, Relu>>();
    /// ```
    #[doc(alias("convolution", "nn.Conv2d", "pointwise convolution"))]
    Conv2d, "Conv2d", kernel [K], [], window [STRIDE = 1, PADDING = 0, DILATION = 1],
    [[From::PerChannel<To::PerChannel<T>>; K]; K], [[[[T; D]; C]; K]; K], transposed false, depth C,
    size [K; 2], stride [STRIDE; 2], padding [PADDING; 2], dilation [DILATION; 2], check ()
}

convolution_layer! {
    /// [`Conv2d`] with a kernel of `KH` rows and `KW` columns, and with strides, paddings and dilations of rows and columns
    /// that differ: for spectrograms, and for signals, which are images of one row. In
    /// [`network!`](crate::network) it is `Conv2d` with pairs: `Conv2d<8, (1, 5), Relu, (1, 2), (0, 2)>`.
    ///
    /// # Shapes
    ///
    /// `From` in, such as `Image<1, 1, 40>`; `To` out, such as `Image<8, 1, 20>`. `weight` is
    /// `[[[[T; outputs]; inputs]; KW]; KH]`, `bias` is `[T; outputs]`.
    ///
    /// # Formula
    ///
    /// `y[d][h][w] = A(b[d] + sum of x[c][h * SH + i * DH - PH][w * SW + j * DW - PW] * W[i][j][c][d])` over the channels `c`
    /// and the kernel's rows `i` and columns `j`. PyTorch equivalent:
    /// `torch.nn.Conv2d(.., kernel_size=(KH, KW), stride=(SH, SW), padding=(PH, PW), dilation=(DH, DW))`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::RectangularConv2d;
    /// use tuplenet::prelude::*;
    ///
    /// // The mean of two neighbours in a row.
    /// type Mean = RectangularConv2d<Image<1, 1, 4>, Image<1, 1, 3>, 1, 2, Identity>;
    /// let mean = Mean::from_arrays([[[[0.5]], [[0.5]]]], [0.0]);
    /// assert_eq!(mean.predict_one(&[[[1.0, 3.0, 5.0, 3.0]]]), [[[2.0, 4.0, 4.0]]]);
    /// ```
    #[doc(alias("Conv1d", "kernel_size"))]
    RectangularConv2d, "RectangularConv2d", kernel [KH KW], [], window [SH = 1, SW = 1, PH = 0, PW = 0, DH = 1, DW = 1],
    [[From::PerChannel<To::PerChannel<T>>; KW]; KH], [[[[T; D]; C]; KW]; KH], transposed false, depth C,
    size [KH, KW], stride [SH, SW], padding [PH, PW], dilation [DH, DW], check ()
}

convolution_layer! {
    /// [`Conv2d`] in groups: each output channel depends on `INPUTS` input channels alone, those of its group. With one, it
    /// is a [`DepthwiseConv2d`].
    ///
    /// # Shapes
    ///
    /// As [`Conv2d`], except that `weight` is `[[[[T; outputs]; INPUTS]; K]; K]`. There are input channels / `INPUTS`
    /// groups, which must divide the output channels too.
    ///
    /// # Formula
    ///
    /// That of [`Conv2d`] for each group. PyTorch equivalent: `torch.nn.Conv2d(.., groups=inputs / INPUTS)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::{Conv2d, DepthwiseConv2d};
    /// use tuplenet::prelude::*;
    ///
    /// // A depthwise separable convolution: 8 * 9 + 8 * 16 weights instead of 8 * 9 * 16.
    /// type Wide = Image<8, 6, 6>;
    /// type Net = (DepthwiseConv2d<Wide, Wide, 3, Relu, 1, 1>, Conv2d<Wide, Image<16, 6, 6>, 1, Relu>);
    /// assert_eq!(Net::summary().parameters(), 8 * 9 + 8 + 8 * 16 + 16);
    /// ```
    #[doc(alias("groups"))]
    GroupedConv2d, "GroupedConv2d", kernel [K], [INPUTS], window [STRIDE = 1, PADDING = 0, DILATION = 1],
    [[[To::PerChannel<T>; INPUTS]; K]; K], [[[[T; D]; INPUTS]; K]; K], transposed false, depth INPUTS,
    size [K; 2], stride [STRIDE; 2], padding [PADDING; 2], dilation [DILATION; 2],
    check {
        assert!(
            INPUTS > 0 && C.is_multiple_of(INPUTS) && D.is_multiple_of(C / INPUTS),
            "GroupedConv2d: `INPUTS` must divide the input channels, and the number of groups the output channels"
        );
    }
}

convolution_layer! {
    /// Transposed convolution: from the size of a [`Conv2d`]'s output to that of its input, as decoders need it. With a
    /// stride of `K` every input pixel becomes `K` by `K` pixels.
    ///
    /// # Shapes
    ///
    /// `From` in, such as `Image<8, 4, 4>`; `To` out, such as `Image<1, 8, 8>`. `weight` is
    /// `[[[[T; inputs]; outputs]; K]; K]`, `bias` is `[T; outputs]`.
    ///
    /// # Formula
    ///
    /// The gradient by the inputs of the convolution from `To` to `From`, plus the bias, and then the activation. PyTorch
    /// equivalent: `torch.nn.ConvTranspose2d`, with the `output_padding` that follows from the shapes.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::ConvTranspose2d;
    /// use tuplenet::prelude::*;
    ///
    /// type Up = ConvTranspose2d<Image<1, 1, 2>, Image<1, 2, 4>, 2, Identity, 2>;
    /// let up = Up::from_arrays([[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]], [0.0]);
    /// assert_eq!(up.predict_one(&[[[1.0, 10.0]]]), [[[1.0, 2.0, 10.0, 20.0], [3.0, 4.0, 30.0, 40.0]]]);
    /// ```
    #[doc(alias("deconvolution", "nn.ConvTranspose2d", "Conv2DTranspose"))]
    ConvTranspose2d, "ConvTranspose2d", kernel [K], [], window [STRIDE = 1, PADDING = 0, DILATION = 1],
    [[To::PerChannel<From::PerChannel<T>>; K]; K], [[[[T; C]; D]; K]; K], transposed true, depth C,
    size [K; 2], stride [STRIDE; 2], padding [PADDING; 2], dilation [DILATION; 2], check ()
}

/// [`GroupedConv2d`] with a group for each input channel: depthwise convolution, which mixes no channels.
///
/// # Shapes
///
/// As [`GroupedConv2d`]. The output has as many channels as the input, or a multiple.
pub type DepthwiseConv2d<
    From,
    To,
    const K: usize,
    A,
    const STRIDE: usize = 1,
    const PADDING: usize = 0,
    const DILATION: usize = 1,
    T = f32,
> = GroupedConv2d<From, To, K, 1, A, STRIDE, PADDING, DILATION, T>;
