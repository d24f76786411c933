//! [`Summary`]: the layers of a network with their costs, as a table.

pub(crate) use crate::error::Short;
use crate::model::layer::Internal;
use crate::model::{Layer, Shape, Trainable};
use crate::num::Real;
use core::any::type_name;
use core::fmt::{self, Write};
use core::marker::PhantomData;

/// The position of a layer in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of chains and layers around it.
    pub depth: usize,
    /// Its index in the chain that holds it.
    pub index: usize,
}

impl Position {
    /// The position of element `index` inside the layer at this position.
    #[must_use]
    pub const fn inside(self, index: usize) -> Self {
        Position { depth: self.depth + 1, index }
    }
}

/// The description of a layer, without the layers inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its position.
    pub position: Position,
    /// Its type, with full module paths.
    pub name: &'static str,
    /// The type of its output's shape.
    pub output: &'static str,
    /// Its cost; `None` for a layer that only holds other layers.
    pub cost: Option<Cost>,
}

/// The cost of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The number of parameters.
    pub parameters: usize,
    /// The memory in bytes, including buffers and padding.
    pub bytes: usize,
    /// MACs for the prediction of one sample, without activations; `None` for a layer that does not report them.
    pub macs: Option<usize>,
}

impl Description {
    /// Describes a layer `L` for the input shape `In`.
    #[must_use]
    pub fn of<In: Shape, T: Real, L: Layer<In, T>>(position: Position) -> Self {
        let cost = Cost { parameters: L::PARAMETERS, bytes: size_of::<L>(), macs: L::MACS };
        Description { position, name: type_name::<L>(), output: type_name::<L::Out>(), cost: Some(cost) }
    }

    /// Describes a layer named `name` for the input shape `In` that only holds other layers.
    #[must_use]
    pub fn around<In: Shape, T: Real, L: Layer<In, T>>(position: Position, name: &'static str) -> Self {
        Description { position, name, output: type_name::<L::Out>(), cost: None }
    }
}

/// The layers of a network `N`, with output shape, parameters, bytes and MACs of each and of all. Like Keras's
/// `model.summary()`, but of a type, so that it needs no weights. Returned by
/// [`Network::summary`](crate::model::Network::summary).
///
/// # Examples
///
/// ```
/// use tuplenet::layers::{Dropout, LayerNorm, Residual};
/// use tuplenet::prelude::*;
///
/// type Block = Residual<(LayerNorm<64>, Dense<64, 64, Relu>)>;
/// type Net = (Dense<784, 64, Relu>, Dropout<20>, Block, Dense<64, 10, Softmax>);
/// println!("{}", Net::summary());
/// assert_eq!(Net::summary().macs(), Some(784 * 64 + 2 * 64 + 64 * 64 + 64 * 10));
/// ```
///
/// prints, on a CPU on which layers are aligned to 64 bytes,
///
/// ```text
/// layer                         output        parameters   bytes           MACs
/// 0  Dense<784, 64, Relu>       Features<64>       50240  200960          50176
/// 1  Dropout<20>                Features<64>           0       8              0
/// 2  Residual                   Features<64>
///    0  chain                   Features<64>
///       0  LayerNorm<64>        Features<64>         128     512            128
///       1  Dense<64, 64, Relu>  Features<64>        4160   16640           4096
/// 3  Dense<64, 10, Softmax>     Features<10>         650    2624            640
/// all                                              55178  220800          55040
/// ```
///
/// The indices before the names are the layer's path in the value: here the `LayerNorm` is `network.2.0.0`. The
/// bytes of all are the size of the network's type.
#[doc(alias("torchinfo", "model.summary"))]
pub struct Summary<N>(PhantomData<N>);

impl<N> Clone for Summary<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Summary<N> {}

/// The totals alone; the layers are what it displays.
impl<N: Trainable> fmt::Debug for Summary<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("parameters", &self.parameters())
            .field("bytes", &self.bytes())
            .field("macs", &self.macs())
            .finish()
    }
}

impl<N: Trainable> Summary<N> {
    pub(crate) const fn new() -> Self {
        Summary(PhantomData)
    }

    /// The number of parameters of the network.
    #[must_use]
    pub const fn parameters(&self) -> usize {
        N::PARAMETERS
    }

    /// The memory that the network uses, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of::<N>()
    }

    /// MACs for the prediction of one sample, without activations; `None` if a layer does not report them.
    #[must_use]
    pub fn macs(&self) -> Option<usize> {
        let mut sum = Some(0);
        self.each(&mut |layer| {
            if let Some(cost) = layer.cost {
                sum = sum.zip(cost.macs).map(|(sum, more)| sum + more);
            }
        });
        sum
    }

    /// Calls `emit` with the description of each layer in turn.
    pub fn each(&self, emit: &mut dyn FnMut(Description)) {
        let mut emit = |description: Description| match description.position {
            // Without the network itself, if it only holds layers.
            Position { depth: 0, .. } if description.cost.is_none() && description.name == CHAIN => {}
            _ => emit(description),
        };
        N::describe(Position { depth: 0, index: 0 }, &mut emit, Internal);
    }
}

/// The name of a tuple of layers.
pub(crate) const CHAIN: &str = "chain";

/// The number of characters of a text.
fn width(text: impl fmt::Display) -> usize {
    struct Count(usize);
    impl fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.chars().count();
            Ok(())
        }
    }
    let mut count = Count(0);
    match write!(count, "{text}") {
        Ok(()) => count.0,
        Err(fmt::Error) => 0,
    }
}

/// Writes `text` and spaces up to `columns`.
fn pad(f: &mut fmt::Formatter<'_>, text: impl fmt::Display, columns: usize) -> fmt::Result {
    write!(f, "{text}{:1$}", "", columns.saturating_sub(width(&text)))
}

impl<N: Trainable> fmt::Display for Summary<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // If the whole network is a chain, the chain has no line of its own, and its layers start at the left.
        let mut outermost = usize::MAX;
        self.each(&mut |layer| outermost = outermost.min(layer.position.depth));
        let indent = |layer: &Description| 3 * (layer.position.depth - outermost);
        let (mut names, mut outputs) = ("layer".len(), "output".len());
        self.each(&mut |layer| {
            names = names.max(indent(&layer) + width(layer.position.index) + 2 + width(Short(layer.name)));
            outputs = outputs.max(width(Short(layer.output)));
        });
        let all = Cost { parameters: N::PARAMETERS, bytes: size_of::<N>(), macs: self.macs() };
        let parameters = "parameters".len().max(width(all.parameters));
        let bytes = "bytes".len().max(width(all.bytes));
        let costs = |f: &mut fmt::Formatter<'_>, cost: Cost| {
            write!(f, "  {:>parameters$}  {:>bytes$}  ", cost.parameters, cost.bytes)?;
            match cost.macs {
                Some(count) => write!(f, "{count:>13}"),
                None => write!(f, "{:>13}", "unknown"),
            }
        };

        pad(f, "layer", names + 2)?;
        pad(f, "output", outputs)?;
        write!(f, "  {:>parameters$}  {:>bytes$}           MACs", "parameters", "bytes")?;
        let mut result = Ok(());
        self.each(&mut |layer| {
            result = result.and_then(|()| {
                let name = format_args!("{:1$}{2}  {3}", "", indent(&layer), layer.position.index, Short(layer.name));
                f.write_char('\n')?;
                pad(f, name, names + 2)?;
                match layer.cost {
                    Some(cost) => {
                        pad(f, Short(layer.output), outputs)?;
                        costs(f, cost)
                    }
                    None => write!(f, "{}", Short(layer.output)),
                }
            });
        });
        result?;
        f.write_char('\n')?;
        pad(f, "all", names + 2 + outputs)?;
        costs(f, all)
    }
}
