//! Every decision that sizes make. Those about a fully connected layer are one constant for each layer, micro-batch and
//! instruction set, [`Plan`], which the tests print as a table. Those about images, softmax and whole networks follow.
//!
//! What changes the order of a sum depends on sizes only: [`Forward`]. The rest is for speed and for the size of a program.

use crate::num::dispatch::{COMPILED, is_glue};
use crate::num::{Lanes, Real, SCALAR};
use core::fmt;
use fearless_simd::{Simd, SimdBase};

use super::MAX_LANES;
use super::geometry::Geometry;

/// Up to so many products are summed in less time than the CPU needs until it can load what it has just stored,
/// unless it is loaded in the same pieces. Beyond, the arithmetic dominates.
pub(crate) const SMALL_SIZE: usize = 8;

/// From so many products on, a layer calls what is compiled in this crate for all sizes, where it computes up to [`SMALL_SIZE`] columns. With
/// fewer, and with more columns, its loops are compiled in the program that uses it, for its sizes: calls of the others take 20 to 50 % longer in
/// networks like W3, W4 and W6 of `benches/peers`.
const LARGE: usize = 1 << 17;

/// From so many products on, a layer that computes more than [`SMALL_SIZE`] columns is compiled for its sizes where code is calls. The sizes of one
/// with fewer are arguments: it is the last of such a network, or of one so small that only CPUs with SSE2 alone call it.
const SPECIALIZED: usize = 1 << 10;

/// From so many products on, a network that computes more than [`SMALL_SIZE`] columns at a time is calls: a few dozen for a step, which cost a
/// tenth of its time near this limit, and less above it.
const CALLS_PAY: usize = 1 << 13;

/// Whether a network of so many parameters is compiled as calls, for a micro-batch of so many columns, and not inlined whole.
pub(crate) const fn is_called(parameters: usize, columns: usize) -> bool {
    COMPILED && parameters * columns >= if columns > SMALL_SIZE { CALLS_PAY } else { LARGE }
}

/// The vector registers of an instruction set, for a scalar type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vectors {
    /// The lanes of a register.
    pub lanes: usize,
    /// The lanes of half a register, where many CPUs compute twice as many of these at once; otherwise `lanes`.
    pub half: usize,
}

impl Vectors {
    /// Those of `S` for `T`.
    pub const fn of<S: Simd, T: Real>() -> Self {
        let (lanes, half) = (Lanes::<S, T>::LEN, T::Half::<S>::LEN);
        Vectors { lanes, half: if half < lanes { half } else { lanes } }
    }

    /// Whether there are half registers.
    pub const fn has_half(self) -> bool {
        self.half < self.lanes
    }

    /// How many of so many rows are left for half a register, where a whole one would be half idle.
    #[inline(always)]
    pub const fn in_half(self, rows: usize) -> usize {
        let rest = rows % self.lanes;
        if self.has_half() && rest <= self.half { rest } else { 0 }
    }

    /// How many registers so many rows fill, in halves.
    pub const fn registers(self, rows: usize) -> usize {
        2 * rows.div_ceil(self.lanes) - (self.in_half(rows) > 0) as usize
    }
}

/// How the sums of a forward pass are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    /// Lanes across the inputs, one output at a time, because there are so few outputs: 16 sums.
    DotProducts,
    /// Lanes across the outputs of a single sample, and as many sums for each.
    Column {
        /// See [`chains_of`].
        chains: usize,
    },
    /// Lanes across the outputs of several samples, one sum for each; see [`row_split`].
    Columns {
        /// So many outputs have registers of their own.
        whole: usize,
        /// The others share some: 1, 2 or 4; or there are no others.
        group: usize,
    },
}

/// How a layer with so many inputs and outputs is computed for a micro-batch of so many columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub inputs: usize,
    pub outputs: usize,
    pub columns: usize,
    pub vectors: Vectors,
    /// The forward pass.
    pub forward: Forward,
    /// Whether the few rows of such a product are read as they are stored, so that nothing is transposed.
    pub reads_few_rows: bool,
    /// Without vector registers: whether outputs are computed one by one, because there is so little work.
    pub one_by_one: bool,
    /// Whether every activation is applied to the sums before they are stored.
    pub fuses_all: bool,
    /// Whether an activation of a few instructions is. For a long one with many rows that would be a lot of code; it is a
    /// pass of its own then.
    pub fuses_short: bool,
    /// Whether products are compiled in this crate.
    pub compiled: bool,
    /// Whether products that code which is calls needs are compiled for these sizes, each once for all such code.
    pub called: bool,
    /// Whether products are functions of their own. All of a network's products in one function make one so large
    /// that the compiler takes minutes for it; those of a single sample or of a small layer take less time than a
    /// call.
    pub apart: bool,
    /// Whether the gradient by the weights has its lanes across the inputs, because fewer are idle then. Every
    /// sum is the same.
    pub across_inputs: bool,
    /// Whether that gradient is computed in a buffer, and transposed: with one output it is the same in memory.
    pub transposes_gradient: bool,
    /// Whether derivatives are computed column by column, in the pieces in which the columns were stored.
    pub by_column: bool,
}

impl Plan {
    /// The plan for the instruction set `S`.
    pub const fn of<S: Simd, T: Real>(inputs: usize, outputs: usize, columns: usize) -> Self {
        let plan = Self::new(inputs, outputs, columns, Vectors::of::<S, T>());
        Plan { compiled: plan.compiled || is_glue::<S>(), called: plan.called && is_glue::<S>(), ..plan }
    }

    /// The plan for these vector registers.
    pub const fn new(inputs: usize, outputs: usize, columns: usize, vectors: Vectors) -> Self {
        let dot_products = is_dot_products(inputs, outputs);
        let forward = if dot_products && columns <= SMALL_SIZE {
            Forward::DotProducts
        } else if columns == 1 {
            Forward::Column { chains: chains_of(outputs) }
        } else {
            let (whole, group) = if columns > SMALL_SIZE { row_split(outputs, inputs) } else { (outputs, 0) };
            Forward::Columns { whole, group }
        };
        let one_by_one = columns == 1 && (dot_products || inputs <= chains_of(outputs) || outputs * inputs < 300);
        let fuses = !matches!(forward, Forward::DotProducts);
        // The transpose takes the time of some samples, and a buffer on the stack.
        let across_inputs = outputs * vectors.registers(inputs) * (columns + 2 * SMALL_SIZE) / columns
            < inputs * vectors.registers(outputs)
            && columns > SMALL_SIZE
            && inputs * outputs <= 8192;
        Plan {
            inputs,
            outputs,
            columns,
            vectors,
            forward,
            reads_few_rows: dot_products && columns <= SMALL_SIZE && outputs > 1,
            one_by_one,
            fuses_all: if SCALAR { one_by_one } else { fuses && columns == 1 },
            fuses_short: if SCALAR { columns == 1 } else { fuses },
            compiled: COMPILED && columns <= SMALL_SIZE && inputs * outputs * columns >= LARGE,
            called: COMPILED && columns > SMALL_SIZE && inputs * outputs * columns >= SPECIALIZED,
            apart: columns > SMALL_SIZE && inputs * outputs >= 64,
            across_inputs: (outputs <= 4 && inputs >= 2 * outputs) || across_inputs,
            transposes_gradient: outputs > 1,
            by_column: !SCALAR && columns > 1 && columns <= SMALL_SIZE && outputs < vectors.lanes,
        }
    }

    /// Whether an activation is applied to the sums before they are stored; `short` is whether it is only a few instructions.
    pub const fn fuses(self, short: bool) -> bool {
        self.fuses_all || (self.fuses_short && short)
    }
}

/// Whether a network and its micro-batch, of so many columns and bytes, are so small that the compiler keeps in registers
/// what no other code can see, so that the memory of a step lives only during the step.
pub(crate) const fn is_in_registers(columns: usize, bytes: usize) -> bool {
    columns <= SMALL_SIZE && bytes <= 2048
}

/// Whether the columns of a matrix with so many rows and elements are mapped each by itself, in the parts in which they were
/// stored. A matrix of up to four rows was computed with lanes across its columns.
#[inline(always)]
pub(super) const fn maps_each_column(rows: usize, elements: usize, lanes: usize) -> bool {
    !SCALAR && rows > 4 && rows < lanes && elements <= SMALL_SIZE * rows
}

/// From so many columns on, softmax transposes them, so that each has a lane.
pub(super) const MIN_COLUMNS_IN_LANES: usize = 8;

/// A kernel with more taps, or more in a row or column, is computed without vector registers.
pub(super) const MAX_TAPS: usize = 256;
pub(super) const MAX_TAPS_OF_AXIS: usize = 32;

/// Whether a convolution with a kernel of so many rows and columns is computed in lanes.
#[inline(always)]
pub(super) const fn gathers_in_lanes([rows, columns]: [usize; 2]) -> bool {
    !SCALAR && rows <= MAX_TAPS_OF_AXIS && columns <= MAX_TAPS_OF_AXIS && rows * columns <= MAX_TAPS
}

/// So many taps of a convolution are listed, of several channels if need be: a loop over few taps costs more than their
/// products.
pub(super) const LISTED_TAPS: usize = 32;

/// The gradient by the weights of so many output channels, and of so many taps in a row of the kernel or of several input
/// channels, is summed at once.
pub(super) const MAX_CHANNELS: usize = 4;
pub(super) const MAX_ROW_TAPS: usize = 5;

/// Images that are padded have micro-batches of up to so many samples, or their gradients are summed without registers.
pub(super) const MAX_PADDED_SAMPLES: usize = 64;

/// So many bytes of inputs and gradients stay in the first cache while they are read once for each register of sums.
pub(super) const CACHED_BYTES: usize = 30 << 10;

/// Whether a convolution's gradient by the weights is summed in lanes.
#[inline(always)]
pub(super) const fn sums_weights_in_lanes(geometry: &Geometry) -> bool {
    !SCALAR && (matches!(geometry.padding, [0, 0]) || geometry.batch <= MAX_PADDED_SAMPLES)
}

/// Whether the samples of a pixel are so many that a pool's registers are not all but empty.
#[inline(always)]
pub(super) const fn pools_in_lanes(geometry: &Geometry) -> bool {
    !SCALAR && geometry.batch >= 8
}

/// Whether there are so few outputs that, for few columns, lanes run across the inputs.
pub(crate) const fn is_dot_products(inputs: usize, outputs: usize) -> bool {
    outputs <= 4 && inputs > 6 * outputs
}

/// The number of sums into which the sum of a row is split, for a single column.
#[inline(always)]
pub(crate) const fn chains_of(rows: usize) -> usize {
    match rows {
        0..=32 => 4,
        33..=64 => 2,
        _ => 1,
    }
}

/// How many rows of a product with many columns have registers of their own, and how many form the group behind
/// them: up to 4, whose sums have 4, 8 or 16 parts.
#[inline(always)]
pub(crate) const fn row_split(rows: usize, depth: usize) -> (usize, usize) {
    // The rows left over when the others fill registers, or, with few rows, half a register.
    let rest = if rows < MAX_LANES { rows % (MAX_LANES / 2) } else { rows % MAX_LANES };
    let group = match rest {
        1 | 2 => rest,
        3 | 4 if rows < MAX_LANES / 2 || rows > MAX_LANES => 4,
        _ => return (rows, 0),
    };
    // The cost for 16 columns, in instructions: products, the sums of the parts, and the stores.
    let cost = MAX_LANES * (depth * group).div_ceil(MAX_LANES) + 3 * (MAX_LANES - group) + MAX_LANES;
    // Half a register for these rows would cost half of 16 for each element of a column.
    if cost < MAX_LANES / 2 * depth { (rows - rest, group) } else { (rows, 0) }
}

/// A row of the table.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { inputs, outputs, columns, vectors: Vectors { lanes, .. }, .. } = self;
        write!(f, "{inputs:5} {outputs:5} {columns:5} {lanes:3}  ")?;
        match self.forward {
            Forward::DotProducts => write!(f, "{:22}", "dot products")?,
            Forward::Column { chains } => write!(f, "column, {chains} sums       ")?,
            Forward::Columns { whole, group: 0 } => write!(f, "{whole:3} rows              ")?,
            Forward::Columns { whole, group } => write!(f, "{whole:3} rows and {group} packed ")?,
        }
        for (said, what) in [
            (self.fuses_all, "activated"),
            (self.fuses_short, "activated if short"),
            (self.compiled, "compiled"),
            (self.apart && !self.compiled, "apart"),
            (self.across_inputs, "gradient across inputs"),
            (self.by_column, "derivatives by column"),
        ] {
            if said {
                write!(f, ", {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    extern crate std;

    /// `cargo test --lib plan -- --nocapture` prints the table of usual sizes.
    #[test]
    fn the_table_of_plans() {
        let halves = Vectors { lanes: 16, half: 8 };
        std::println!("   in   out  cols lanes forward");
        for (inputs, outputs) in [(2, 10), (10, 1), (4, 16), (16, 3), (64, 32), (32, 10), (784, 128), (128, 4)] {
            for columns in [1, 4, 32] {
                for vectors in [Vectors { lanes: 4, half: 4 }, Vectors { lanes: 8, half: 8 }, halves] {
                    std::println!("{}", Plan::new(inputs, outputs, columns, vectors));
                }
            }
        }
        if SCALAR {
            return;
        }
        let plan = |inputs, outputs, columns| std::format!("{}", Plan::new(inputs, outputs, columns, halves));
        assert!(plan(32, 10, 32).contains("8 rows and 2 packed"), "{}", plan(32, 10, 32));
        assert!(plan(32, 10, 1).contains("4 sums"), "{}", plan(32, 10, 1));
        assert!(plan(128, 4, 1).contains("dot products"), "{}", plan(128, 4, 1));
        assert!(plan(2, 10, 4).contains("derivatives by column"), "{}", plan(2, 10, 4));
    }

    #[test]
    fn rows_that_fill_half_a_register() {
        let halves = Vectors { lanes: 16, half: 8 };
        assert_eq!([0, 1, 8, 9, 16, 17, 40].map(|rows| halves.in_half(rows)), [0, 1, 8, 0, 0, 1, 8]);
        assert_eq!([1, 8, 9, 16, 17, 40].map(|rows| halves.registers(rows)), [1, 1, 2, 2, 3, 5]);
        let whole = Vectors { lanes: 8, half: 8 };
        assert_eq!([1, 8, 9].map(|rows| whole.registers(rows)), [2, 2, 4]);
    }
}
