//! Networks that the compiler reads from a file: [`include_weights!`](crate::include_weights).
//!
//! A function that the compiler runs can't call methods of a trait, but the constants of a trait may depend on types.
//! So each layer at a [`Place`] has its weights as a constant, [`Embedded::VALUE`], and its position in the network is
//! a type too: in a tuple `(A, B)` at `P`, the first layer is at `First<P>` and the second at `Next<First<P>, A>`.
//!
//! A layer of your own can be read by the compiler like this:
//!
//! ```
//! use tuplenet::io::safetensors::embedded::{At, Embedded, Place, numbers};
//! use tuplenet::model::{Kind, Parameter};
//! use tuplenet::prelude::*;
//!
//! tuplenet::parameters! {
//!     /// Multiplies each feature by a factor.
//!     struct Scale<const N: usize; T> {
//!         factor: SVector<T, N> = Bias,
//!     }
//! }
//!
//! impl<P: Place, const N: usize> Embedded<P> for Scale<N> {
//!     const VALUE: Self = Scale { factor: numbers::<f32, At<P, Self, 0>, N, 1>() };
//!     const TENSORS: &'static [Parameter] =
//!         &[Parameter { name: "factor", kind: Kind::Bias, rows: N, columns: 1 }];
//! }
//! ```

mod images;
mod sequences;

use super::format::{Safetensors, count, load_error_at};
use super::header::{self, Header};
use super::load_error::{LoadError, Name, Sizes};
use super::names::{Names, Path};
use super::norm;
use super::precision::{Precision, read};
use crate::activation::Activation;
use crate::activation::elementwise_activations;
use crate::error::Text;
use crate::layers::{BatchNorm, Dense, Dropout, Dropout2d, Input, LayerNorm, Residual, mixed};
use crate::model::{Kind, Parameter, Params, Zeroed};
use crate::num::Real;
use core::marker::PhantomData;
use nalgebra::{ArrayStorage, SMatrix};

/// Raw values one after the other and nothing else: of each layer in turn its tensors, row by row, in the order of
/// PyTorch's `state_dict`, without the counts of batches. In Python:
///
/// ```python
/// for name, tensor in network.state_dict().items():
///     if not name.endswith("num_batches_tracked"):
///         file.write(tensor.numpy().astype("<f4").tobytes())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw(pub Precision);

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format<'a> {
    /// A safetensors file, with names and sizes.
    Safetensors(Safetensors<'a>),
    /// Raw values, without names and sizes.
    Raw(Raw),
}

impl Raw {
    /// This format as a [`Format`].
    #[must_use]
    pub const fn format(self) -> Format<'static> {
        Format::Raw(self)
    }
}

impl<'a> Safetensors<'a> {
    /// This format as a [`Format`].
    #[must_use]
    pub const fn format(self) -> Format<'a> {
        Format::Safetensors(self)
    }
}

/// A file that is part of the program while it is compiled.
pub trait File {
    /// Its contents.
    const BYTES: &'static [u8];
    /// Its format.
    const FORMAT: Format<'static>;
}

/// Stops the compilation with the message of a load error, if it is one.
macro_rules! insist {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(load_error) => {
                let words = load_error.words();
                panic!("{}", words.as_str())
            }
        }
    };
}

/// The header of a file, read once.
struct Opened<F>(PhantomData<F>);

impl<F: File> Opened<F> {
    // Also of a file that has none, because the compiler computes every constant in a function.
    const PARTS: (&'static [u8], &'static [u8]) = match F::FORMAT {
        Format::Safetensors(_) => insist!(header::open(F::BYTES)),
        Format::Raw(_) => (b"{}", &[]),
    };
    const BASE: Path = match F::FORMAT {
        Format::Safetensors(format) => Names::base(format.inside),
        Format::Raw(_) => Path::new(),
    };
    const HEADER: Header<'static> =
        insist!(Header::new(Self::PARTS.0, Self::BASE.as_str(), Some(Self::PARTS.1.len() as u64)));
}

/// The position of a layer in a network, and the file from which it is read.
pub trait Place {
    /// The file.
    type File: File;
    /// What the names of the tuple around it begin with.
    const AROUND: Text<256>;
    /// Which module of that tuple it is in PyTorch.
    const MODULE: usize;
    /// What the names of its own tensors begin with, if modules are called by numbers.
    const PATH: Text<256> = below(&Self::AROUND, Self::MODULE);
    /// How many layers with tensors come before it.
    const LAYERS: usize;
    /// How many values they have.
    const NUMBERS: usize;
}

const fn below(path: &Path, module: usize) -> Path {
    let mut path = *path;
    if path.push_number(module as u64) && path.push(".") { path } else { insist!(Err(LoadError::Deep)) }
}

/// The network itself.
pub struct Root<F>(PhantomData<F>);

impl<F: File> Place for Root<F> {
    type File = F;
    const AROUND: Text<256> = Opened::<F>::BASE;
    const MODULE: usize = 0;
    const PATH: Text<256> = Opened::<F>::BASE;
    const LAYERS: usize = 0;
    const NUMBERS: usize = 0;
}

/// The first element of a tuple at `P`.
pub struct First<P>(PhantomData<P>);

impl<P: Place> Place for First<P> {
    type File = P::File;
    const AROUND: Text<256> = P::PATH;
    const MODULE: usize = 0;
    const LAYERS: usize = P::LAYERS;
    const NUMBERS: usize = P::NUMBERS;
}

/// The element of a tuple after `A`, which is at `P`.
pub struct Next<P, A>(PhantomData<(P, A)>);

impl<P: Place, A: Embedded<P>> Place for Next<P, A> {
    type File = P::File;
    const AROUND: Text<256> = P::AROUND;
    const MODULE: usize = P::MODULE + A::MODULES;
    const LAYERS: usize = P::LAYERS + A::LAYERS;
    const NUMBERS: usize = P::NUMBERS + A::NUMBERS;
}

/// The layer or tuple `L` inside a layer at `P`.
pub struct Inside<P, L>(PhantomData<(P, L)>);

impl<P: Place, L: Params> Place for Inside<P, L> {
    type File = P::File;
    const AROUND: Text<256> = P::PATH;
    const MODULE: usize = 0;
    const PATH: Text<256> = if L::IS_CHAIN { P::PATH } else { below(&P::PATH, 0) };
    const LAYERS: usize = P::LAYERS;
    const NUMBERS: usize = P::NUMBERS;
}

/// What the file must have.
// It is there only while the compiler works.
#[allow(clippy::large_enum_variant)]
pub enum Listed {
    /// A layer, and its tensors.
    One(Text<256>, &'static [Parameter]),
    /// Several layers, or none.
    Several(&'static [Listed]),
}

/// A layer at position `P` that the compiler can read from a file.
#[diagnostic::on_unimplemented(
    message = "the compiler can't read `{Self}` from a file",
    label = "expected a network whose layers implement `tuplenet::io::safetensors::embedded::Embedded`",
    note = "all layers of `tuplenet::layers` and tuples of them do"
)]
pub trait Embedded<P: Place>: Params {
    /// The layer with the weights of the file.
    const VALUE: Self;
    /// Its own tensors, in the order of a [visit](crate::model::Visit::visit).
    const TENSORS: &'static [Parameter];
    /// How many layers with tensors it is, or has.
    const LAYERS: usize = if Self::TENSORS.is_empty() { 0 } else { 1 };
    /// How many values its tensors have, those of layers inside included.
    const NUMBERS: usize = numbers_of(Self::TENSORS, Self::TENSORS.len());
    /// All tensors.
    const LISTED: Listed =
        if Self::TENSORS.is_empty() { Listed::Several(&[]) } else { Listed::One(layer::<P>(), Self::TENSORS) };
}

/// How many values the first `count` tensors have, counts left out.
const fn numbers_of(tensors: &[Parameter], count: usize) -> usize {
    let (mut sum, mut i) = (0, 0);
    while i < count {
        if !matches!(tensors[i].kind, Kind::Count) {
            sum += tensors[i].rows * tensors[i].columns;
        }
        i += 1;
    }
    sum
}

/// The beginning of the names of the tensors of the layer at `P`.
const fn layer<P: Place>() -> Path {
    let names = match P::File::FORMAT {
        Format::Safetensors(format) => format.names,
        Format::Raw(_) => Names::Sequential,
    };
    insist!(names.of_layer(&P::PATH, Opened::<P::File>::BASE.as_str().len(), P::LAYERS))
}

/// Tensor `K` of the layer `L` at `P`.
pub struct At<P, L, const K: usize>(PhantomData<(P, L)>);

/// Where the values of a tensor are stored.
#[derive(Clone, Copy)]
pub struct Stored {
    bytes: &'static [u8],
    begin: usize,
    precision: Precision,
    any_number: bool,
    tensor: Name,
    parameter: Parameter,
}

/// A tensor in a file.
pub trait Data {
    /// Where its values are stored.
    const STORED: Stored;
}

impl<P: Place, L: Embedded<P>, const K: usize> Data for At<P, L, K> {
    const STORED: Stored = {
        let (parameter, path) = (L::TENSORS[K], layer::<P>());
        let mut name = Text::<512>::new();
        name.push(path.as_str());
        name.push(parameter.name);
        let tensor = Name::end_of(name.as_str());
        match P::File::FORMAT {
            Format::Raw(Raw(precision)) => {
                let begin = (P::NUMBERS + numbers_of(L::TENSORS, K)) * precision.size();
                Stored { bytes: P::File::BYTES, begin, precision, any_number: false, tensor, parameter }
            }
            Format::Safetensors(Safetensors { any_number, .. }) => {
                let header = Opened::<P::File>::HEADER;
                let entry = insist!(header.find(path.as_str(), parameter.name, Sizes::of(&parameter)));
                let (bytes, begin) = (Opened::<P::File>::PARTS.1, entry.begin as usize);
                let precision = if matches!(parameter.kind, Kind::Count) {
                    insist!(entry.check_count());
                    Precision::F64
                } else {
                    insist!(entry.precision())
                };
                Stored { bytes, begin, precision, any_number, tensor, parameter }
            }
        }
    };
}

/// A constant that the compiler reads from a file.
pub trait Value<V> {
    /// The value.
    const VALUE: V;
}

/// Reads values of type `f32`.
pub struct Single<D>(PhantomData<D>);

/// Reads values of type `f64`.
pub struct Double<D>(PhantomData<D>);

macro_rules! value {
    ($reader:ident, $real:ty) => {
        impl<D: Data, const R: usize, const C: usize> Value<[[$real; R]; C]> for $reader<D> {
            const VALUE: [[$real; R]; C] = {
                let Stored { bytes, begin, precision, any_number, tensor, parameter } = D::STORED;
                assert!(parameter.rows == R && parameter.columns == C, "a layer asks for other sizes than it lists");
                let (mut columns, mut row, mut at, size) = ([[0.0; R]; C], 0, begin, precision.size());
                // Few calls and turns of a loop: the compiler warns of more than two millions in one constant.
                while row < R {
                    let mut column = 0;
                    while column < C {
                        let exact = read!(precision, bytes, at);
                        let value = exact as $real;
                        // Zero, unless it is infinite or NaN.
                        if value * 0.0 != 0.0 && !any_number {
                            insist!(Err(load_error_at(tensor, &parameter, row * C + column, exact)))
                        }
                        columns[column][row] = value;
                        at += size;
                        column += 1;
                    }
                    row += 1;
                }
                columns
            };
        }

        impl<D: Data, const O: usize, const I: usize, const W: usize, const H: usize> Value<[[[[$real; O]; I]; W]; H]>
            for $reader<D>
        {
            const VALUE: [[[[$real; O]; I]; W]; H] = {
                let Stored { bytes, begin, precision, any_number, tensor, parameter } = D::STORED;
                assert!(
                    parameter.rows == O && parameter.columns == I * W * H,
                    "a layer asks for other sizes than it lists"
                );
                let (mut kernels, mut index, size) = ([[[[0.0; O]; I]; W]; H], 0, precision.size());
                while index < O * I * W * H {
                    let at = begin + index * size;
                    let exact = read!(precision, bytes, at);
                    let value = exact as $real;
                    if value * 0.0 != 0.0 && !any_number {
                        insist!(Err(load_error_at(tensor, &parameter, index, exact)))
                    }
                    kernels[index / W % H][index % W][index / W / H % I][index / W / H / I] = value;
                    index += 1;
                }
                kernels
            };
        }
    };
}

// The gates of a recurrent layer, one after the other in a column.
macro_rules! gates {
    ($reader:ident, $real:ty) => {
        impl<D: Data, const H: usize, const G: usize, const C: usize> Value<[[[$real; H]; G]; C]> for $reader<D> {
            const VALUE: [[[$real; H]; G]; C] = {
                let Stored { bytes, begin, precision, any_number, tensor, parameter } = D::STORED;
                assert!(
                    parameter.rows == G * H && parameter.columns == C,
                    "a layer asks for other sizes than it lists"
                );
                let (mut columns, mut index, size) = ([[[0.0; H]; G]; C], 0, precision.size());
                while index < G * H * C {
                    let at = begin + index * size;
                    let exact = read!(precision, bytes, at);
                    let value = exact as $real;
                    if value * 0.0 != 0.0 && !any_number {
                        insist!(Err(load_error_at(tensor, &parameter, index, exact)))
                    }
                    columns[index % C][index / C / H][index / C % H] = value;
                    index += 1;
                }
                columns
            };
        }
    };
}

value!(Single, f32);
value!(Double, f64);
gates!(Single, f32);
gates!(Double, f64);

/// A floating-point type that the compiler can read from a file: `f32` and `f64`.
pub trait Readable: Real {
    /// How it is read.
    type Constant<D: Data, const R: usize, const C: usize>: Value<[[Self; R]; C]>;

    /// How the kernels of a convolution are read.
    type Kernels<D: Data, const O: usize, const I: usize, const W: usize, const H: usize>: Value<
        [[[[Self; O]; I]; W]; H],
    >;

    /// How the gates of a recurrent layer are read.
    type Gates<D: Data, const H: usize, const G: usize, const C: usize>: Value<[[[Self; H]; G]; C]>;
}

impl Readable for f32 {
    type Constant<D: Data, const R: usize, const C: usize> = Single<D>;
    type Kernels<D: Data, const O: usize, const I: usize, const W: usize, const H: usize> = Single<D>;
    type Gates<D: Data, const H: usize, const G: usize, const C: usize> = Single<D>;
}

impl Readable for f64 {
    type Constant<D: Data, const R: usize, const C: usize> = Double<D>;
    type Kernels<D: Data, const O: usize, const I: usize, const W: usize, const H: usize> = Double<D>;
    type Gates<D: Data, const H: usize, const G: usize, const C: usize> = Double<D>;
}

/// The values of a tensor in a file, `R` by `C`.
pub const fn numbers<T: Readable, D: Data, const R: usize, const C: usize>() -> SMatrix<T, R, C> {
    SMatrix::from_array_storage(ArrayStorage(<T::Constant<D, R, C> as Value<[[T; R]; C]>>::VALUE))
}

/// The kernels of a convolution in a file, `[outputs][inputs][rows][columns]`: by row, column, input and output.
#[must_use]
pub const fn kernels<T: Readable, D: Data, const O: usize, const I: usize, const W: usize, const H: usize>()
-> [[[[T; O]; I]; W]; H] {
    <T::Kernels<D, O, I, W, H> as Value<[[[[T; O]; I]; W]; H]>>::VALUE
}

/// The weights of the `G` gates of a recurrent layer with `H` units in a file, `G * H` by `C`: by column, gate and unit.
#[must_use]
pub const fn gates<T: Readable, D: Data, const H: usize, const G: usize, const C: usize>() -> [[[T; H]; G]; C] {
    <T::Gates<D, H, G, C> as Value<[[[T; H]; G]; C]>>::VALUE
}

/// The network `N` as it is in the file `F`.
pub struct Loaded<N, F>(PhantomData<(N, F)>);

impl<F: File, N: Embedded<Root<F>>> Loaded<N, F> {
    const CHECKED: () = insist!(check::<N, F>());

    /// The network.
    pub const VALUE: N = {
        let () = Self::CHECKED;
        N::VALUE
    };
}

/// Compares all names and sizes, in the order in which it is done at run time.
const fn check<N: Embedded<Root<F>>, F: File>() -> Result<(), LoadError> {
    let format = match F::FORMAT {
        Format::Safetensors(format) => format,
        Format::Raw(Raw(precision)) => {
            let (expected, found) = ((N::NUMBERS * precision.size()) as u64, F::BYTES.len() as u64);
            let what = "of values, one after the other";
            return if expected == found { Ok(()) } else { Err(LoadError::Length { what, expected, found }) };
        }
    };
    let header = &Opened::<F>::HEADER;
    let count = match compare(header, &N::LISTED) {
        Ok(count) => count,
        Err(mut load_error) => {
            let (mut entries, mut is_right) = (header.entries(), false);
            while let Some(entry) = header::attempt!(entries.next()) {
                if !is_listed(&entry, &N::LISTED) {
                    entry.suggest(&mut load_error, &mut is_right);
                }
            }
            return Err(load_error);
        }
    };
    if let Names::Modules(modules) = format.names
        && modules.len() != N::LAYERS
    {
        return Err(LoadError::Modules { expected: N::LAYERS, found: modules.len() });
    }
    if count < header.count {
        let mut entries = header.entries();
        while let Some(entry) = header::attempt!(entries.next()) {
            if entry.begins_with(Opened::<F>::BASE.as_str()) && !is_listed(&entry, &N::LISTED) {
                return Err(LoadError::Extra { tensor: entry.name(), found: entry.sizes });
            }
        }
    }
    if format.inside.is_empty() { header.check_order() } else { Ok(()) }
}

/// Compares what is listed with a file, and counts the tensors.
const fn compare(header: &Header, listed: &Listed) -> Result<usize, LoadError> {
    let mut i = 0;
    match listed {
        Listed::Several(list) => {
            let mut count = 0;
            while i < list.len() {
                count += header::attempt!(compare(header, &list[i]));
                i += 1;
            }
            Ok(count)
        }
        Listed::One(path, tensors) => {
            while i < tensors.len() {
                let entry = header::attempt!(header.find(path.as_str(), tensors[i].name, Sizes::of(&tensors[i])));
                if matches!(tensors[i].kind, Kind::Count) {
                    header::attempt!(entry.check_count());
                } else {
                    header::attempt!(entry.precision());
                }
                i += 1;
            }
            Ok(i)
        }
    }
}

const fn is_listed(entry: &header::Entry, listed: &Listed) -> bool {
    let mut i = 0;
    match listed {
        Listed::Several(list) => {
            while i < list.len() {
                if is_listed(entry, &list[i]) {
                    return true;
                }
                i += 1;
            }
        }
        Listed::One(path, tensors) => {
            while i < tensors.len() {
                if entry.is_called(path.as_str(), tensors[i].name) {
                    return true;
                }
                i += 1;
            }
        }
    }
    false
}

impl<P: Place, const IN: usize, const OUT: usize, A: Activation, T: Readable> Embedded<P> for Dense<IN, OUT, A, T> {
    const VALUE: Self =
        Dense::from_matrix(numbers::<T, At<P, Self, 0>, OUT, IN>(), numbers::<T, At<P, Self, 1>, OUT, 1>());
    const TENSORS: &'static [Parameter] = &[Self::WEIGHT, Self::BIAS];
}

macro_rules! activations {
    ($($name:ident $(<const $parameter:ident: $kind:ty>)?),+ $(,)?) => {$(
        use crate::activation::$name;
        impl<P: Place $(, const $parameter: $kind)?> Embedded<P> for $name$(<$parameter>)? {
            const VALUE: Self = $name;
            const TENSORS: &'static [Parameter] = &[];
        }
    )+};
}
elementwise_activations!(activations);
activations!(Softmax);

impl<P: Place, In, T: Real> Embedded<P> for Input<In, T> {
    const VALUE: Self = Zeroed::ZEROED;
    const TENSORS: &'static [Parameter] = &[];
}

/// A value that differs from position to position.
const fn seed(path: &Path) -> u64 {
    let (path, mut seed, mut i) = (path.as_str().as_bytes(), 0, 0);
    while i < path.len() {
        seed = mixed(seed ^ path[i] as u64);
        i += 1;
    }
    seed
}

impl<P: Place, const PERCENT: u32> Embedded<P> for Dropout<PERCENT> {
    // Each of a network has another, as it should be for training.
    const VALUE: Self = Dropout::new(seed(&P::PATH));
    const TENSORS: &'static [Parameter] = &[];
}

impl<P: Place, const PERCENT: u32> Embedded<P> for Dropout2d<PERCENT> {
    const VALUE: Self = Dropout2d::new(seed(&P::PATH));
    const TENSORS: &'static [Parameter] = &[];
}

impl<P: Place, const N: usize, T: Readable, const EPSILON_NANOS: u64> Embedded<P> for LayerNorm<N, T, EPSILON_NANOS> {
    const VALUE: Self =
        LayerNorm { weight: numbers::<T, At<P, Self, 0>, N, 1>(), bias: numbers::<T, At<P, Self, 1>, N, 1>() };
    const TENSORS: &'static [Parameter] = &[Self::WEIGHT, Self::BIAS];
}

/// Tensor `K` of a layer, as values whose type the compiler can compute with.
const fn exact<P: Place, L: Embedded<P>, const K: usize, const N: usize>() -> [f64; N] {
    let [column] = <Double<At<P, L, K>> as Value<[[f64; N]; 1]>>::VALUE;
    column
}

/// An error unless the batch normalization at `P` has a finite scale and shift.
const fn check_norm<P: Place, T: Readable, const N: usize>() -> Result<(), LoadError> {
    if let Format::Safetensors(Safetensors { any_number: true, .. }) = P::File::FORMAT {
        return Ok(());
    }
    let (weight, bias) = (exact::<P, BatchNorm<N, T>, 0, N>(), exact::<P, BatchNorm<N, T>, 1, N>());
    let (mean, variance) = (exact::<P, BatchNorm<N, T>, 2, N>(), exact::<P, BatchNorm<N, T>, 3, N>());
    let (layer, single, mut row) = (layer::<P>(), T::MANTISSA_BITS == f32::MANTISSA_BITS, 0);
    while row < N {
        header::attempt!(norm::check([weight[row], bias[row], mean[row], variance[row]], single, &layer, row));
        row += 1;
    }
    Ok(())
}

impl<P: Place, const N: usize, T: Readable> Embedded<P> for BatchNorm<N, T> {
    const VALUE: Self = {
        let norm = BatchNorm {
            weight: numbers::<T, At<P, Self, 0>, N, 1>(),
            bias: numbers::<T, At<P, Self, 1>, N, 1>(),
            running_mean: numbers::<T, At<P, Self, 2>, N, 1>(),
            running_variance: numbers::<T, At<P, Self, 3>, N, 1>(),
            num_batches_tracked: match P::File::FORMAT {
                Format::Raw(_) => 0,
                Format::Safetensors(_) => {
                    let Stored { bytes, begin, tensor, .. } = <At<P, Self, 4> as Data>::STORED;
                    match count(bytes.split_at(begin).1) {
                        Some(count) => count as usize,
                        None => insist!(Err(LoadError::Count { tensor })),
                    }
                }
            },
        };
        insist!(check_norm::<P, T, N>());
        norm
    };
    const TENSORS: &'static [Parameter] =
        &[Self::WEIGHT, Self::BIAS, Self::MEAN, Self::VARIANCE, Self::BATCHES_TRACKED];
}

impl<P: Place, L: Embedded<Inside<P, L>>> Embedded<P> for Residual<L> {
    const VALUE: Self = Residual(L::VALUE);
    const TENSORS: &'static [Parameter] = &[];
    const LAYERS: usize = L::LAYERS;
    const NUMBERS: usize = L::NUMBERS;
    const LISTED: Listed = L::LISTED;
}

// `chain!([] First<P>; A B C)` goes along the layers with the position of each, and writes, here for three:
//
//     impl<P, A, B, C> Embedded<P> for (A, B, C)
//     where
//         A: Embedded<First<P>>,
//         B: Embedded<Next<First<P>, A>>,
//         C: Embedded<Next<Next<First<P>, A>, B>>,
macro_rules! chain {
    ([$($done:tt)*] $place:ty; $layer:ident $($rest:ident)*) => {
        chain!([$($done)* ($layer $place)] Next<$place, $layer>; $($rest)*);
    };
    ([($first:ident $start:ty) $(($layer:ident $place:ty))+] $end:ty;) => {
        impl<P: Place, $first: Embedded<$start>, $($layer: Embedded<$place>),+> Embedded<P>
            for ($first, $($layer),+)
        {
            const VALUE: Self = ($first::VALUE, $($layer::VALUE),+);
            const TENSORS: &'static [Parameter] = &[];
            const LAYERS: usize = $first::LAYERS $(+ $layer::LAYERS)+;
            const NUMBERS: usize = $first::NUMBERS $(+ $layer::NUMBERS)+;
            const LISTED: Listed = Listed::Several(&[$first::LISTED, $($layer::LISTED),+]);
        }
    };
}

chain!([] First<P>; A B);
chain!([] First<P>; A B C);
chain!([] First<P>; A B C D);
chain!([] First<P>; A B C D E);
chain!([] First<P>; A B C D E F);
chain!([] First<P>; A B C D E F G);
chain!([] First<P>; A B C D E F G H);
