//! [`network!`](crate::network): a network's type with all its sizes computed.

/// Defines a network's type from the shape of its input and its layers, and computes every other size. The result is a type
/// like any other, a tuple of layers, which errors and [`summary`](crate::model::Network::summary) show with its numbers.
///
/// Each layer is written as its type without what follows from the layer before it:
///
/// | written | is |
/// |---|---|
/// | `Dense<OUT, A>` | [`Dense`](crate::layers::Dense) |
/// | `Conv2d<OUTPUTS, K, A, STRIDE, PADDING, DILATION>` | [`Conv2d`](crate::layers::Conv2d); the last three may be left out |
/// | `GroupedConv2d<OUTPUTS, K, INPUTS, A, STRIDE, PADDING, DILATION>` | [`GroupedConv2d`](crate::layers::GroupedConv2d), likewise |
/// | `DepthwiseConv2d<K, A, STRIDE, PADDING, DILATION>` | [`DepthwiseConv2d`](crate::layers::DepthwiseConv2d), likewise |
/// | `ConvTranspose2d<OUTPUTS, K, A, STRIDE, PADDING>` | [`ConvTranspose2d`](crate::layers::ConvTranspose2d), likewise |
/// | `MaxPool<K, STRIDE, PADDING>`, `AveragePool<..>` | [`MaxPool`](crate::layers::MaxPool), [`AveragePool`](crate::layers::AveragePool), likewise |
/// | `GlobalAveragePool`, `Flatten`, `BatchNorm`, `LayerNorm` | the layers of these names; `LayerNorm` of features |
/// | `Upsample<K>` | [`Upsample`](crate::layers::Upsample) |
/// | `Unflatten<C, H, W>` | [`Unflatten`](crate::layers::Unflatten) |
/// | `Dropout<20>` | [`Dropout`](crate::layers::Dropout) |
/// | any other type in scope: `Relu`, `Residual<..>` | itself; it keeps the shape |
///
/// A size may be a constant's name, or an expression in braces. More than eight layers are nested.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// tuplenet::network! {
///     /// LeNet-5. (Y. LeCun et al., 1998.)
///     pub type LeNet = Image<1, 28, 28> =>
///         Conv2d<6, 5, Relu>, MaxPool<2>, Conv2d<16, 5, Relu>, MaxPool<2>, Flatten,
///         Dense<120, Relu>, Dense<84, Relu>, Dense<10, Softmax>
/// }
///
/// assert_eq!(LeNet::summary().parameters(), 44_426);
/// ```
///
/// A window that does not fit is an error that points at the macro: "a window of 5 does not fit into a length of 3".
///
/// ```compile_fail,E0080
/// use tuplenet::prelude::*;
///
/// tuplenet::network! { type Small = Image<1, 3, 3> => Conv2d<6, 5, Relu>, Flatten, Dense<2, Softmax> }
/// const _: () = tuplenet::model::assert_shapes::<Small>();
/// ```
#[macro_export]
macro_rules! network {
    ($(#[$meta:meta])* $visible:vis type $name:ident = Image<$c:tt, $h:tt, $w:tt> => $($layers:tt)+) => {
        $(#[$meta])*
        #[allow(unused_braces, reason = "an expression in braces may be a size")]
        $visible type $name = $crate::network!(@ [] Image[{$c}, {$h}, {$w}] $($layers)+);
    };
    ($(#[$meta:meta])* $visible:vis type $name:ident = Features<$n:tt> => $($layers:tt)+) => {
        $(#[$meta])*
        #[allow(unused_braces, reason = "an expression in braces may be a size")]
        $visible type $name = $crate::network!(@ [] Features[{$n}] $($layers)+);
    };

    // One layer after the other: the layers done, the shape that arrives, and the layers that are left.
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr]
        Conv2d<$d:tt, $k:tt, $a:ty $(, $s:tt $(, $p:tt $(, $di:tt)?)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @convolution $done Conv2d[$c, $h, $w] [{$d}] [{$k}] [] [$a]
            [
                {$crate::network!(@or 1 $($s)?)}, {$crate::network!(@or 0 $($($p)?)?)},
                {$crate::network!(@or 1 $($($($di)?)?)?)}
            ]
            $($($more)*)?
        )
    };
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr]
        GroupedConv2d<$d:tt, $k:tt, $i:tt, $a:ty $(, $s:tt $(, $p:tt $(, $di:tt)?)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @convolution $done GroupedConv2d[$c, $h, $w] [{$d}] [{$k}] [{$i},] [$a]
            [
                {$crate::network!(@or 1 $($s)?)}, {$crate::network!(@or 0 $($($p)?)?)},
                {$crate::network!(@or 1 $($($($di)?)?)?)}
            ]
            $($($more)*)?
        )
    };
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr]
        DepthwiseConv2d<$k:tt, $a:ty $(, $s:tt $(, $p:tt $(, $di:tt)?)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @convolution $done GroupedConv2d[$c, $h, $w] [{$c}] [{$k}] [1,] [$a]
            [
                {$crate::network!(@or 1 $($s)?)}, {$crate::network!(@or 0 $($($p)?)?)},
                {$crate::network!(@or 1 $($($($di)?)?)?)}
            ]
            $($($more)*)?
        )
    };
    (
        @convolution [$($done:ty,)*] $layer:ident[$c:expr, $h:expr, $w:expr] [$d:expr] [$k:expr] [$($extra:tt)*] [$a:ty]
        [$s:expr, $p:expr, $di:expr] $($more:tt)*
    ) => {
        $crate::network!(
            @ [
                $($done,)*
                $crate::layers::$layer<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$d}, {$crate::layers::positions($h, $k, $s, $p, $di)},
                        {$crate::layers::positions($w, $k, $s, $p, $di)}
                    >,
                    {$k}, $($extra)* $a, {$s}, {$p}, {$di}
                >,
            ]
            Image[
                {$d}, {$crate::layers::positions($h, $k, $s, $p, $di)}, {$crate::layers::positions($w, $k, $s, $p, $di)}
            ]
            $($more)*
        )
    };
    (
        @ [$($done:ty,)*] Image[$c:expr, $h:expr, $w:expr]
        ConvTranspose2d<$d:tt, $k:tt, $a:ty $(, $s:tt $(, $p:tt)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @transposed [$($done,)*] [$c, $h, $w] [{$d}] [{$k}] [$a]
            [{$crate::network!(@or 1 $($s)?)}, {$crate::network!(@or 0 $($($p)?)?)}]
            $($($more)*)?
        )
    };
    (
        @transposed [$($done:ty,)*] [$c:expr, $h:expr, $w:expr] [$d:expr] [$k:expr] [$a:ty] [$s:expr, $p:expr]
        $($more:tt)*
    ) => {
        $crate::network!(
            @ [
                $($done,)*
                $crate::layers::ConvTranspose2d<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$d}, {$crate::layers::spread($h, $k, $s, $p)}, {$crate::layers::spread($w, $k, $s, $p)}
                    >,
                    {$k}, $a, {$s}, {$p}
                >,
            ]
            Image[{$d}, {$crate::layers::spread($h, $k, $s, $p)}, {$crate::layers::spread($w, $k, $s, $p)}]
            $($more)*
        )
    };
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr] MaxPool<$k:tt $(, $s:tt $(, $p:tt)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @pool $done MaxPool[$c, $h, $w]
            [{$k}, {$crate::network!(@or $k $($s)?)}, {$crate::network!(@or 0 $($($p)?)?)}] $($($more)*)?
        )
    };
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr] AveragePool<$k:tt $(, $s:tt $(, $p:tt)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @pool $done AveragePool[$c, $h, $w]
            [{$k}, {$crate::network!(@or $k $($s)?)}, {$crate::network!(@or 0 $($($p)?)?)}] $($($more)*)?
        )
    };
    (
        @pool [$($done:ty,)*] $layer:ident[$c:expr, $h:expr, $w:expr] [$k:expr, $s:expr, $p:expr] $($more:tt)*
    ) => {
        $crate::network!(
            @ [
                $($done,)*
                $crate::layers::$layer<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$c}, {$crate::layers::positions($h, $k, $s, $p, 1)},
                        {$crate::layers::positions($w, $k, $s, $p, 1)}
                    >,
                    {$k}, {$s}, {$p}
                >,
            ]
            Image[
                {$c}, {$crate::layers::positions($h, $k, $s, $p, 1)}, {$crate::layers::positions($w, $k, $s, $p, 1)}
            ]
            $($more)*
        )
    };
    (@ [$($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] Upsample<$k:tt> $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [
                $($done,)*
                $crate::layers::Upsample<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$c}, {$crate::layers::volume(1, $h, $k)}, {$crate::layers::volume(1, $w, $k)}
                    >,
                    $k
                >,
            ]
            Image[{$c}, {$crate::layers::volume(1, $h, $k)}, {$crate::layers::volume(1, $w, $k)}] $($($more)*)?
        )
    };
    (@ [$($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] GlobalAveragePool $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [$($done,)* $crate::layers::GlobalAveragePool<$crate::model::Image<{$c}, {$h}, {$w}>>,]
            Features[{$c}] $($($more)*)?
        )
    };
    (@ [$($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] Flatten $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [
                $($done,)*
                $crate::layers::Flatten<
                    $crate::model::Image<{$c}, {$h}, {$w}>, {$crate::layers::volume($c, $h, $w)}
                >,
            ]
            Features[{$crate::layers::volume($c, $h, $w)}] $($($more)*)?
        )
    };
    (@ [$($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] BatchNorm $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [$($done,)* $crate::layers::BatchNorm<{$c}>,] Image[{$c}, {$h}, {$w}] $($($more)*)?
        )
    };
    (@ [$($done:ty,)*] Features[$n:expr] Unflatten<$c:tt, $h:tt, $w:tt> $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [$($done,)* $crate::layers::Unflatten<{$n}, $crate::model::Image<$c, $h, $w>>,]
            Image[{$c}, {$h}, {$w}] $($($more)*)?
        )
    };
    (@ [$($done:ty,)*] Features[$n:expr] Dense<$o:tt, $a:ty> $(, $($more:tt)*)?) => {
        $crate::network!(@ [$($done,)* $crate::layers::Dense<{$n}, $o, $a>,] Features[{$o}] $($($more)*)?)
    };
    (@ [$($done:ty,)*] Features[$n:expr] BatchNorm $(, $($more:tt)*)?) => {
        $crate::network!(@ [$($done,)* $crate::layers::BatchNorm<{$n}>,] Features[{$n}] $($($more)*)?)
    };
    (@ [$($done:ty,)*] Features[$n:expr] LayerNorm $(, $($more:tt)*)?) => {
        $crate::network!(@ [$($done,)* $crate::layers::LayerNorm<{$n}>,] Features[{$n}] $($($more)*)?)
    };

    (@ [$($done:ty,)*] $shape:ident[$($sizes:tt)*] Dropout<$p:tt> $(, $($more:tt)*)?) => {
        $crate::network!(@ [$($done,)* $crate::layers::Dropout<$p>,] $shape[$($sizes)*] $($($more)*)?)
    };

    // What does not fit.
    (@ $done:tt Image[$($sizes:tt)*] Dense $($more:tt)*) => {
        compile_error!("network!: an image arrives at `Dense`; write `Flatten` or `GlobalAveragePool` before it")
    };
    (@ $done:tt Image[$($sizes:tt)*] LayerNorm $($more:tt)*) => {
        compile_error!("network!: an image arrives at `LayerNorm`, which takes features")
    };
    (@ $done:tt Features[$($sizes:tt)*] Conv2d $($more:tt)*) => { $crate::network!(@features Conv2d) };
    (@ $done:tt Features[$($sizes:tt)*] GroupedConv2d $($more:tt)*) => { $crate::network!(@features GroupedConv2d) };
    (@ $done:tt Features[$($sizes:tt)*] DepthwiseConv2d $($more:tt)*) => { $crate::network!(@features DepthwiseConv2d) };
    (@ $done:tt Features[$($sizes:tt)*] ConvTranspose2d $($more:tt)*) => { $crate::network!(@features ConvTranspose2d) };
    (@ $done:tt Features[$($sizes:tt)*] MaxPool $($more:tt)*) => { $crate::network!(@features MaxPool) };
    (@ $done:tt Features[$($sizes:tt)*] AveragePool $($more:tt)*) => { $crate::network!(@features AveragePool) };
    (@ $done:tt Features[$($sizes:tt)*] Upsample $($more:tt)*) => { $crate::network!(@features Upsample) };
    (@ $done:tt Features[$($sizes:tt)*] Flatten $($more:tt)*) => { $crate::network!(@features Flatten) };
    (@ $done:tt Features[$($sizes:tt)*] GlobalAveragePool $($more:tt)*) => {
        $crate::network!(@features GlobalAveragePool)
    };
    (@features $layer:ident) => {
        compile_error!(concat!(
            "network!: features arrive at `", stringify!($layer),
            "`, which takes an image: begin with `Image<channels, height, width>`, or write `Unflatten<..>` before it"
        ))
    };

    // What is left of the list is nested where it is longer than a tuple may be.
    (
        @ [$A:ty, $B:ty, $C:ty, $D:ty, $E:ty, $F:ty, $G:ty, $H:ty, $($more:ty,)+] $shape:ident[$($sizes:tt)*]
    ) => {
        ($A, $B, $C, $D, $E, $F, $G, $crate::network!(@ [$H, $($more,)+] $shape[$($sizes)*]))
    };
    (@ [$only:ty,] $shape:ident[$($sizes:tt)*]) => { $only };
    (@ [$($done:ty,)*] $shape:ident[$($sizes:tt)*]) => { ($($done,)*) };

    // A layer that keeps the shape.
    (@ [$($done:ty,)*] $shape:ident[$($sizes:tt)*] $layer:ty $(, $($more:tt)*)?) => {
        $crate::network!(@ [$($done,)* $layer,] $shape[$($sizes)*] $($($more)*)?)
    };

    (@or $default:tt) => { $default };
    (@or $default:tt $given:tt) => { $given };
}
