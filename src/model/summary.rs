//! [`Summary`]: the layers of a network with what they take, as a table.

use crate::model::{InputShape, Layer, Shape};
use core::any::type_name;
use core::fmt::{self, Write};
use core::marker::PhantomData;

/// Where a layer stands in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many chains and layers are around it.
    pub depth: usize,
    /// Which one it is in the chain that holds it, counted from zero.
    pub index: usize,
}

impl Place {
    /// The place of element `index` inside what stands here.
    pub const fn inside(self, index: usize) -> Self {
        Place { depth: self.depth + 1, index }
    }
}

/// What a layer says of itself. What layers inside it say for themselves is not counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Where it stands.
    pub place: Place,
    /// Its type, with the paths of all modules.
    pub name: &'static str,
    /// The type of its output's shape.
    pub output: &'static str,
    /// What it takes; none for what only holds other layers.
    pub cost: Option<Cost>,
}

/// What a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How many numbers are learnt.
    pub parameters: usize,
    /// How much memory, with what is not learnt and what lies between.
    pub bytes: usize,
    /// Multiplications with an addition for the prediction of one sample, activations not counted; unknown for a layer
    /// that does not tell.
    pub macs: Option<usize>,
}

impl Description {
    /// Of a layer `L` that takes in `In`.
    pub fn of<In: Shape, L: Layer<In>>(place: Place, macs: Option<usize>) -> Self {
        let cost = Cost { parameters: L::PARAMETERS, bytes: size_of::<L>(), macs };
        Description { place, name: type_name::<L>(), output: type_name::<L::Out>(), cost: Some(cost) }
    }

    /// Of what has the name `name`, takes in `In`, and only holds other layers.
    pub fn around<In: Shape, L: Layer<In>>(place: Place, name: &'static str) -> Self {
        Description { place, name, output: type_name::<L::Out>(), cost: None }
    }
}

/// The layers of a network `N`, with output, parameters, bytes and MACs of each and of all: Keras's
/// `model.summary()`, of a type, so that it needs no weights. Made by [`Network::summary`](crate::model::Network::summary).
///
/// ```
/// use tuplenet::layers::{Dropout, LayerNorm, Residual};
/// use tuplenet::prelude::*;
///
/// type Block = Residual<(LayerNorm<64>, Dense<64, 64, Relu>)>;
/// type Net = (Dense<784, 64, Relu>, Dropout<64, 200>, Block, Dense<64, 10, Softmax>);
/// println!("{}", Net::summary());
/// assert_eq!(Net::summary().macs(), Some(784 * 64 + 2 * 64 + 64 * 64 + 64 * 10));
/// ```
///
/// prints, on a CPU on which layers begin at multiples of 64 bytes,
///
/// ```text
/// layer                         output        parameters   bytes           MACs
/// 0  Dense<784, 64, Relu>       Features<64>       50240  200960          50176
/// 1  Dropout<64, 200>           Features<64>           0       8              0
/// 2  Residual                   Features<64>
///    0  chain                   Features<64>
///       0  LayerNorm<64>        Features<64>         128     512            128
///       1  Dense<64, 64, Relu>  Features<64>        4160   16640           4096
/// 3  Dense<64, 10, Softmax>     Features<10>         650    2624            640
/// all                                              55178  220800          55040
/// ```
///
/// The numbers before the names lead to the layer in the value: here the `LayerNorm` is `network.2.0.0`. The bytes of all
/// are the size of the network's type.
#[doc(alias("torchinfo", "model.summary"))]
pub struct Summary<N>(PhantomData<N>);

impl<N> Clone for Summary<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Summary<N> {}

/// The totals alone; the layers are what it displays.
impl<N: InputShape + Layer<<N as InputShape>::In>> fmt::Debug for Summary<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("parameters", &self.parameters())
            .field("bytes", &self.bytes())
            .field("macs", &self.macs())
            .finish()
    }
}

impl<N: InputShape + Layer<<N as InputShape>::In>> Summary<N> {
    pub(crate) const fn new() -> Self {
        Summary(PhantomData)
    }

    /// How many numbers the network learns.
    pub const fn parameters(&self) -> usize {
        N::PARAMETERS
    }

    /// How much memory the network takes.
    pub const fn bytes(&self) -> usize {
        size_of::<N>()
    }

    /// How many multiplications with an addition the prediction of one sample takes, activations not counted; unknown if
    /// a layer does not tell.
    pub fn macs(&self) -> Option<usize> {
        let mut sum = Some(0);
        self.each(&mut |layer| {
            if let Some(cost) = layer.cost {
                sum = sum.zip(cost.macs).map(|(sum, more)| sum + more);
            }
        });
        sum
    }

    /// Tells `tell` of each layer in turn.
    pub fn each(&self, tell: &mut dyn FnMut(Description)) {
        N::describe(Place { depth: 0, index: 0 }, &mut |description| match description.place {
            // The network itself, if it only holds layers.
            Place { depth: 0, .. } if description.cost.is_none() && description.name == CHAIN => {}
            _ => tell(description),
        });
    }
}

/// The name of a tuple of layers.
pub(crate) const CHAIN: &str = "chain";

/// A type's name without the paths of modules.
pub(crate) struct Short(pub &'static str);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while !rest.is_empty() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
            f.write_str(word.rsplit(':').next().unwrap_or(word))?;
            let (between, next) = after.split_at(after.find(is_word).unwrap_or(after.len()));
            f.write_str(between)?;
            rest = next;
        }
        Ok(())
    }
}

/// How many characters something takes.
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

impl<N: InputShape + Layer<<N as InputShape>::In>> fmt::Display for Summary<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A chain as the whole network has no line of its own, and its layers begin at the left.
        let mut outermost = usize::MAX;
        self.each(&mut |layer| outermost = outermost.min(layer.place.depth));
        let indent = |layer: &Description| 3 * (layer.place.depth - outermost);
        let (mut names, mut outputs) = ("layer".len(), "output".len());
        self.each(&mut |layer| {
            names = names.max(indent(&layer) + width(layer.place.index) + 2 + width(Short(layer.name)));
            outputs = outputs.max(width(Short(layer.output)));
        });
        let all = Cost { parameters: N::PARAMETERS, bytes: size_of::<N>(), macs: self.macs() };
        let parameters = "parameters".len().max(width(all.parameters));
        let bytes = "bytes".len().max(width(all.bytes));
        let numbers = |f: &mut fmt::Formatter<'_>, cost: Cost| {
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
                let name = format_args!("{:1$}{2}  {3}", "", indent(&layer), layer.place.index, Short(layer.name));
                f.write_char('\n')?;
                pad(f, name, names + 2)?;
                match layer.cost {
                    Some(cost) => {
                        pad(f, Short(layer.output), outputs)?;
                        numbers(f, cost)
                    }
                    None => write!(f, "{}", Short(layer.output)),
                }
            });
        });
        result?;
        f.write_char('\n')?;
        pad(f, "all", names + 2 + outputs)?;
        numbers(f, all)
    }
}
