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
/// | `Dropout<20>`, `Dropout2d<20>` | [`Dropout`](crate::layers::Dropout), [`Dropout2d`](crate::layers::Dropout2d) |
/// | any other type in scope: `Relu`, `Residual<..>` | itself; it keeps the shape |
///
/// A size may be a constant's name, or an expression in braces. The kernel of `Conv2d`, `MaxPool` and `AveragePool` may be a
/// pair of rows and columns, and then `STRIDE`, `PADDING` and `DILATION` too:
/// [`RectangularConv2d`](crate::layers::RectangularConv2d) and the like. More than eight layers are nested. The network's
/// scalar type is `f32`, or what stands after a colon: `type Net: f64 = ..`.
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
///
/// tuplenet::network! {
///     /// A signal of 40 values is an image of one row.
///     type Signal: f64 = Image<1, 1, 40> =>
///         Conv2d<8, (1, 5), Relu, (1, 2), (0, 2)>, MaxPool<(1, 2)>, Flatten, Dense<3, Softmax>
/// }
///
/// assert_eq!(Signal::new(&mut seeded(0)).predict_one(&[[[0.5f64; 40]]]).len(), 3);
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
    ($(#[$meta:meta])* $visible:vis type $name:ident $(: $t:ty)? = Image<$c:tt, $h:tt, $w:tt> => $($layers:tt)+) => {
        $(#[$meta])*
        #[allow(unused_braces, reason = "an expression in braces may be a size")]
        $visible type $name = $crate::network!(@scalar [$($t)?] Image[{$c}, {$h}, {$w}] $($layers)+);
    };
    ($(#[$meta:meta])* $visible:vis type $name:ident $(: $t:ty)? = Features<$n:tt> => $($layers:tt)+) => {
        $(#[$meta])*
        #[allow(unused_braces, reason = "an expression in braces may be a size")]
        $visible type $name = $crate::network!(@scalar [$($t)?] Features[{$n}] $($layers)+);
    };
    (@scalar [] $($rest:tt)+) => { $crate::network!(@ [f32;] $($rest)+) };
    (@scalar [$t:ty] $($rest:tt)+) => { $crate::network!(@ [$t;] $($rest)+) };

    // One layer after the other: the layers done, the shape that arrives, and the layers that are left.
    // A pair is of rows and columns.
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr]
        Conv2d<$d:tt, ($kh:tt, $kw:tt), $a:ty $(, $s:tt $(, $p:tt $(, $di:tt)?)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @rectangular $done RectangularConv2d[$c, $h, $w] [{$d}] [{$kh}, {$kw}] [$a,]
            [{$crate::network!(@rows 1 $($s)?)}, {$crate::network!(@columns 1 $($s)?)}]
            [{$crate::network!(@rows 0 $($($p)?)?)}, {$crate::network!(@columns 0 $($($p)?)?)}]
            [{$crate::network!(@rows 1 $($($($di)?)?)?)}, {$crate::network!(@columns 1 $($($($di)?)?)?)}]
            [{$crate::network!(@rows 1 $($($($di)?)?)?)}, {$crate::network!(@columns 1 $($($($di)?)?)?)},]
            $($($more)*)?
        )
    };
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr]
        MaxPool<($kh:tt, $kw:tt) $(, $s:tt $(, $p:tt)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @rectangular $done RectangularMaxPool[$c, $h, $w] [{$c}] [{$kh}, {$kw}] []
            [{$crate::network!(@rows $kh $($s)?)}, {$crate::network!(@columns $kw $($s)?)}]
            [{$crate::network!(@rows 0 $($($p)?)?)}, {$crate::network!(@columns 0 $($($p)?)?)}] [1, 1] []
            $($($more)*)?
        )
    };
    (
        @ $done:tt Image[$c:expr, $h:expr, $w:expr]
        AveragePool<($kh:tt, $kw:tt) $(, $s:tt $(, $p:tt)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @rectangular $done RectangularAveragePool[$c, $h, $w] [{$c}] [{$kh}, {$kw}] []
            [{$crate::network!(@rows $kh $($s)?)}, {$crate::network!(@columns $kw $($s)?)}]
            [{$crate::network!(@rows 0 $($($p)?)?)}, {$crate::network!(@columns 0 $($($p)?)?)}] [1, 1] []
            $($($more)*)?
        )
    };
    (
        @rectangular [$t:ty; $($done:ty,)*] $layer:ident[$c:expr, $h:expr, $w:expr] [$d:expr] [$kh:expr, $kw:expr]
        [$($a:ty,)?] [$sh:expr, $sw:expr] [$ph:expr, $pw:expr] [$dh:expr, $dw:expr] [$($last:tt)*] $($more:tt)*
    ) => {
        $crate::network!(
            @ [
                $t; $($done,)*
                $crate::layers::$layer<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$d}, {$crate::layers::positions($h, $kh, $sh, $ph, $dh)},
                        {$crate::layers::positions($w, $kw, $sw, $pw, $dw)}
                    >,
                    {$kh}, {$kw}, $($a,)? {$sh}, {$sw}, {$ph}, {$pw}, $($last)* $t
                >,
            ]
            Image[
                {$d}, {$crate::layers::positions($h, $kh, $sh, $ph, $dh)},
                {$crate::layers::positions($w, $kw, $sw, $pw, $dw)}
            ]
            $($more)*
        )
    };
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
        @convolution [$t:ty; $($done:ty,)*] $layer:ident[$c:expr, $h:expr, $w:expr] [$d:expr] [$k:expr] [$($extra:tt)*] [$a:ty]
        [$s:expr, $p:expr, $di:expr] $($more:tt)*
    ) => {
        $crate::network!(
            @ [
                $t; $($done,)*
                $crate::layers::$layer<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$d}, {$crate::layers::positions($h, $k, $s, $p, $di)},
                        {$crate::layers::positions($w, $k, $s, $p, $di)}
                    >,
                    {$k}, $($extra)* $a, {$s}, {$p}, {$di}, $t
                >,
            ]
            Image[
                {$d}, {$crate::layers::positions($h, $k, $s, $p, $di)}, {$crate::layers::positions($w, $k, $s, $p, $di)}
            ]
            $($more)*
        )
    };
    (
        @ [$t:ty; $($done:ty,)*] Image[$c:expr, $h:expr, $w:expr]
        ConvTranspose2d<$d:tt, $k:tt, $a:ty $(, $s:tt $(, $p:tt)?)?> $(, $($more:tt)*)?
    ) => {
        $crate::network!(
            @transposed [$t; $($done,)*] [$c, $h, $w] [{$d}] [{$k}] [$a]
            [{$crate::network!(@or 1 $($s)?)}, {$crate::network!(@or 0 $($($p)?)?)}]
            $($($more)*)?
        )
    };
    (
        @transposed [$t:ty; $($done:ty,)*] [$c:expr, $h:expr, $w:expr] [$d:expr] [$k:expr] [$a:ty] [$s:expr, $p:expr]
        $($more:tt)*
    ) => {
        $crate::network!(
            @ [
                $t; $($done,)*
                $crate::layers::ConvTranspose2d<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$d}, {$crate::layers::spread($h, $k, $s, $p)}, {$crate::layers::spread($w, $k, $s, $p)}
                    >,
                    {$k}, $a, {$s}, {$p}, 1, $t
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
        @pool [$t:ty; $($done:ty,)*] $layer:ident[$c:expr, $h:expr, $w:expr] [$k:expr, $s:expr, $p:expr] $($more:tt)*
    ) => {
        $crate::network!(
            @ [
                $t; $($done,)*
                $crate::layers::$layer<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$c}, {$crate::layers::positions($h, $k, $s, $p, 1)},
                        {$crate::layers::positions($w, $k, $s, $p, 1)}
                    >,
                    {$k}, {$s}, {$p}, $t
                >,
            ]
            Image[
                {$c}, {$crate::layers::positions($h, $k, $s, $p, 1)}, {$crate::layers::positions($w, $k, $s, $p, 1)}
            ]
            $($more)*
        )
    };
    (@ [$t:ty; $($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] Upsample<$k:tt> $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [
                $t; $($done,)*
                $crate::layers::Upsample<
                    $crate::model::Image<{$c}, {$h}, {$w}>,
                    $crate::model::Image<
                        {$c}, {$crate::layers::volume(1, $h, $k)}, {$crate::layers::volume(1, $w, $k)}
                    >,
                    $k, $t
                >,
            ]
            Image[{$c}, {$crate::layers::volume(1, $h, $k)}, {$crate::layers::volume(1, $w, $k)}] $($($more)*)?
        )
    };
    (@ [$t:ty; $($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] GlobalAveragePool $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [$t; $($done,)* $crate::layers::GlobalAveragePool<$crate::model::Image<{$c}, {$h}, {$w}>, $t>,]
            Features[{$c}] $($($more)*)?
        )
    };
    (@ [$t:ty; $($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] Flatten $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [
                $t; $($done,)*
                $crate::layers::Flatten<
                    $crate::model::Image<{$c}, {$h}, {$w}>, {$crate::layers::volume($c, $h, $w)}, $t
                >,
            ]
            Features[{$crate::layers::volume($c, $h, $w)}] $($($more)*)?
        )
    };
    (@ [$t:ty; $($done:ty,)*] Image[$c:expr, $h:expr, $w:expr] BatchNorm $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [$t; $($done,)* $crate::layers::BatchNorm<{$c}, $t>,] Image[{$c}, {$h}, {$w}] $($($more)*)?
        )
    };
    (@ [$t:ty; $($done:ty,)*] Features[$n:expr] Unflatten<$c:tt, $h:tt, $w:tt> $(, $($more:tt)*)?) => {
        $crate::network!(
            @ [$t; $($done,)* $crate::layers::Unflatten<{$n}, $crate::model::Image<$c, $h, $w>, $t>,]
            Image[{$c}, {$h}, {$w}] $($($more)*)?
        )
    };
    (@ [$t:ty; $($done:ty,)*] Features[$n:expr] Dense<$o:tt, $a:ty> $(, $($more:tt)*)?) => {
        $crate::network!(@ [$t; $($done,)* $crate::layers::Dense<{$n}, $o, $a, $t>,] Features[{$o}] $($($more)*)?)
    };
    (@ [$t:ty; $($done:ty,)*] Features[$n:expr] BatchNorm $(, $($more:tt)*)?) => {
        $crate::network!(@ [$t; $($done,)* $crate::layers::BatchNorm<{$n}, $t>,] Features[{$n}] $($($more)*)?)
    };
    (@ [$t:ty; $($done:ty,)*] Features[$n:expr] LayerNorm $(, $($more:tt)*)?) => {
        $crate::network!(@ [$t; $($done,)* $crate::layers::LayerNorm<{$n}, $t>,] Features[{$n}] $($($more)*)?)
    };

    (@ [$t:ty; $($done:ty,)*] Image[$($sizes:tt)*] Dropout2d<$p:tt> $(, $($more:tt)*)?) => {
        $crate::network!(@ [$t; $($done,)* $crate::layers::Dropout2d<$p>,] Image[$($sizes)*] $($($more)*)?)
    };
    (@ [$t:ty; $($done:ty,)*] $shape:ident[$($sizes:tt)*] Dropout<$p:tt> $(, $($more:tt)*)?) => {
        $crate::network!(@ [$t; $($done,)* $crate::layers::Dropout<$p>,] $shape[$($sizes)*] $($($more)*)?)
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
    (@ $done:tt Features[$($sizes:tt)*] Dropout2d $($more:tt)*) => { $crate::network!(@features Dropout2d) };
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
        @ [$t:ty; $A:ty, $B:ty, $C:ty, $D:ty, $E:ty, $F:ty, $G:ty, $H:ty, $($more:ty,)+] $shape:ident[$($sizes:tt)*]
    ) => {
        ($A, $B, $C, $D, $E, $F, $G, $crate::network!(@ [$t; $H, $($more,)+] $shape[$($sizes)*]))
    };
    (@ [$t:ty; $only:ty,] $shape:ident[$($sizes:tt)*]) => { $only };
    (@ [$t:ty; $($done:ty,)*] $shape:ident[$($sizes:tt)*]) => { ($($done,)*) };

    // A layer that keeps the shape.
    (@ [$t:ty; $($done:ty,)*] $shape:ident[$($sizes:tt)*] $layer:ty $(, $($more:tt)*)?) => {
        $crate::network!(@ [$t; $($done,)* $layer,] $shape[$($sizes)*] $($($more)*)?)
    };

    (@or $default:tt) => { $default };
    (@or $default:tt $given:tt) => { $given };

    (@rows $default:tt) => { $default };
    (@rows $default:tt ($rows:tt, $columns:tt)) => { $rows };
    (@rows $default:tt $both:tt) => { $both };
    (@columns $default:tt) => { $default };
    (@columns $default:tt ($rows:tt, $columns:tt)) => { $columns };
    (@columns $default:tt $both:tt) => { $both };
}
