//! [`parameters!`](crate::parameters): what follows from a list of a layer's parameters.

use crate::model::Zeroed;
use crate::num::Real;
use nalgebra::SMatrix;

/// A field of parameters of type `T`, for [`parameters!`](crate::parameters): a matrix or an array, column by column in
/// memory.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a field of parameters of type `{T}`",
    label = "expected `SMatrix<{T}, ROWS, COLUMNS>`, `SVector<{T}, N>`, `[{T}; N]` or `[[{T}; ROWS]; COLUMNS]`"
)]
pub trait Values<T>: Zeroed {
    /// The rows of the matrix; of a weight the outputs, its "fan out".
    const ROWS: usize;
    /// The columns of the matrix; of a weight the inputs, its "fan in".
    const COLUMNS: usize;
    /// All of them.
    fn values(&self) -> &[T];
    /// All of them, to be changed.
    fn values_mut(&mut self) -> &mut [T];
}

impl<T: Real, const R: usize, const C: usize> Values<T> for SMatrix<T, R, C> {
    const ROWS: usize = R;
    const COLUMNS: usize = C;

    #[inline(always)]
    fn values(&self) -> &[T] {
        self.as_slice()
    }

    #[inline(always)]
    fn values_mut(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}

impl<T: Real, const N: usize> Values<T> for [T; N] {
    const ROWS: usize = N;
    const COLUMNS: usize = 1;

    #[inline(always)]
    fn values(&self) -> &[T] {
        self
    }

    #[inline(always)]
    fn values_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T: Real, const R: usize, const C: usize> Values<T> for [[T; R]; C] {
    const ROWS: usize = R;
    const COLUMNS: usize = C;

    #[inline(always)]
    fn values(&self) -> &[T] {
        self.as_flattened()
    }

    #[inline(always)]
    fn values_mut(&mut self) -> &mut [T] {
        self.as_flattened_mut()
    }
}

/// `Params` and `Visit<T>` of a layer without parameters, whose generic parameters come in brackets; after `@visit` the latter
/// alone.
#[doc(hidden)]
#[macro_export]
macro_rules! visits_nothing {
    (@visit [$($generics:tt)*] $layer:ty, $T:ty) => {
        impl<$($generics)*> $crate::model::Visit<$T> for $layer {
            #[inline(always)]
            fn visit(&self, _: &mut impl $crate::model::Visitor<$T>) {}

            #[inline(always)]
            fn visit_mut<const OTHERS: usize>(
                &mut self,
                _: [&mut Self; OTHERS],
                _: &mut impl $crate::model::VisitorMut<$T, OTHERS>,
            ) {
            }
        }
    };
    ([$($generics:tt)*] $layer:ty, $T:ty) => {
        impl<$($generics)*> $crate::model::Params for $layer {
            const PARAMETERS: usize = 0;
        }

        $crate::visits_nothing!(@visit [$($generics)*] $layer, $T);
    };
}

/// Defines the struct of a layer of one's own, and what follows from the list of its parameters: [`Zeroed`],
/// [`Params`](crate::model::Params) and [`Visit`](crate::model::Visit), through which initialization, optimizers, gradient
/// check, files and checkpoints go. The layer's mathematics is [`formula_layer!`](crate::formula_layer) or an
/// `impl` of [`Model`](crate::model::Model) and [`Layer`](crate::model::Layer).
///
/// After the sizes, behind a semicolon, comes the name of the scalar type, which is `f32` by default. Each field is a matrix
/// or an array; `= Weight` or `= Bias` is its [`Kind`](crate::model::Kind): weight decay and regularization apply only to
/// weights. Weights are initialized by [`GlorotUniform`](crate::activation::init::GlorotUniform), with the rows as fan out and the
/// columns as fan in, and biases are zero, unless a closure says otherwise: it is called for each value with the random
/// number generator.
///
/// # Examples
///
/// ```
/// use tuplenet::model::Params;
/// use tuplenet::prelude::*;
///
/// tuplenet::parameters! {
///     /// A factor for each feature.
///     #[derive(Clone, Debug, PartialEq)]
///     pub struct Scale<const N: usize; T> {
///         /// The factors, initially between 0 and 1.
///         pub factor: [T; N] = Bias, |rng| T::from_random_bits(rng.next_u64()),
///     }
/// }
///
/// assert_eq!(Scale::<3>::PARAMETERS, 3);
/// ```
///
/// Without fields it is a layer that learns nothing: `pub struct Square<const N: usize; T> {}`.
#[macro_export]
macro_rules! parameters {
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident<$(const $size:ident: usize),* $(,)?; $T:ident> {}
    ) => {
        $(#[$about])*
        $visible struct $name<$(const $size: usize,)* $T = f32>(::core::marker::PhantomData<$T>);

        impl<$(const $size: usize,)* $T: $crate::num::Real> $crate::model::Zeroed for $name<$($size,)* $T> {
            const ZEROED: Self = $name(::core::marker::PhantomData);
        }

        $crate::visits_nothing!([$(const $size: usize,)* $T: $crate::num::Real] $name<$($size,)* $T>, $T);
    };
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident<$(const $size:ident: usize),* $(,)?; $T:ident> {
            $(
                $(#[$about_field:meta])*
                $visible_field:vis $field:ident: $values:ty = $kind:ident $(, |$rng:ident| $initial:expr)?
            ),+ $(,)?
        }
    ) => {
        $(#[$about])*
        $visible struct $name<$(const $size: usize,)* $T = f32> {
            $($(#[$about_field])* $visible_field $field: $values,)+
        }

        impl<$(const $size: usize,)* $T: $crate::num::Real> $crate::model::Zeroed for $name<$($size,)* $T> {
            const ZEROED: Self = $name { $($field: <$values as $crate::model::Zeroed>::ZEROED,)+ };
        }

        impl<$(const $size: usize,)* $T: $crate::num::Real> $crate::model::Params for $name<$($size,)* $T> {
            const PARAMETERS: usize = 0 $(
                + <$values as $crate::model::Values<$T>>::ROWS * <$values as $crate::model::Values<$T>>::COLUMNS
            )+;

            fn initialize<R: $crate::model::Rng>(&mut self, rng: &mut R) {
                $($crate::parameters!(@initialize self rng $field $values, $T, $kind $(, $rng $initial)?);)+
            }
        }

        impl<$(const $size: usize,)* $T: $crate::num::Real> $crate::model::Visit<$T> for $name<$($size,)* $T> {
            #[inline(always)]
            fn visit(&self, visitor: &mut impl $crate::model::Visitor<$T>) {
                $(
                    let parameter = $crate::parameters!(@parameter $field $values, $T, $kind);
                    visitor.slice(parameter, $crate::model::Values::<$T>::values(&self.$field));
                )+
            }

            #[inline(always)]
            fn visit_mut<const OTHERS: usize>(
                &mut self,
                mut others: [&mut Self; OTHERS],
                visitor: &mut impl $crate::model::VisitorMut<$T, OTHERS>,
            ) {
                $(
                    let parameter = $crate::parameters!(@parameter $field $values, $T, $kind);
                    let slices = others.each_mut().map(
                        #[inline(always)]
                        |other| $crate::model::Values::<$T>::values_mut(&mut other.$field),
                    );
                    visitor.slice(parameter, $crate::model::Values::<$T>::values_mut(&mut self.$field), slices);
                )+
            }
        }
    };
    (@parameter $field:ident $values:ty, $T:ident, $kind:ident) => {
        const {
            $crate::model::Parameter {
                name: stringify!($field),
                kind: $crate::model::Kind::$kind,
                rows: <$values as $crate::model::Values<$T>>::ROWS,
                columns: <$values as $crate::model::Values<$T>>::COLUMNS,
            }
        }
    };
    (@initialize $self:ident $generator:ident $field:ident $values:ty, $T:ident, $kind:ident, $rng:ident $initial:expr) => {
        for value in $crate::model::Values::<$T>::values_mut(&mut $self.$field) {
            let $rng = &mut *$generator;
            *value = $initial;
        }
    };
    (@initialize $self:ident $generator:ident $field:ident $values:ty, $T:ident, $kind:ident) => {
        let parameter = $crate::parameters!(@parameter $field $values, $T, $kind);
        $crate::model::initialize(parameter, $crate::model::Values::<$T>::values_mut(&mut $self.$field), $generator);
    };
}
