//! Quantization: networks in integers of 8 bits, for microcontrollers without a floating point unit and for flash that is too
//! small for `f32`.
//!
//! A network is trained in `f32` and then [quantized](Quantization::quantize): some samples show the range of the values between
//! its layers, and weights and values become integers of 8 bits. The type of the result is a function of the network's:
//! [`QuantizedNetwork`]. It predicts like any other network, can be a `static`, and needs neither a heap nor the standard
//! library.
//!
//! ```
//! use tuplenet::metrics::accuracy;
//! use tuplenet::prelude::*;
//! use tuplenet::quantization::QuantizedNetwork;
//!
//! type Net = (Dense<2, 8, Tanh>, Dense<8, 2, Softmax>);
//! let inputs: Vec<[f32; 2]> = (0..200).map(|i| [(i % 20) as f32 / 10.0 - 1.0, (i / 20) as f32 / 5.0 - 1.0]).collect();
//! let classes: Vec<bool> = inputs.iter().map(|[x, y]| x * y > 0.0).collect();
//! let mut trainer = Trainer::new(Net::new(seeded(0)), CrossEntropy, Adam::new(0.05), seeded(1));
//! trainer.fit(&inputs, &classes, &FitOptions { epochs: 60, ..FitOptions::default() }, ())?;
//!
//! let quantized: QuantizedNetwork<Net> = trainer.network.quantize(&inputs)?;
//! let (float, integer) = (accuracy(&trainer.network, &inputs, &classes)?, accuracy(&quantized, &inputs, &classes)?);
//! assert!((float - integer).abs() < 0.02);
//! # Ok::<(), tuplenet::Error>(())
//! ```
//!
//! # What is computed
//!
//! An integer stands for `scale * (integer - zero)`, with a scale and a zero point for the values between two layers
//! ([`Scale`]), and a scale for the weights of each output. The sums of products are integers of 32 bits, and a product with
//! 16 bits and a shift brings them to the scale of the output. ReLU is what the range of the output clips; other activations
//! are a table of 256 values. Softmax is computed in `f32` from the logits; the [class](Quantized::class) needs none of it.
//! This is the scheme of TensorFlow Lite (LiteRT): see B. Jacob et al., 2018.
//!
//! **No sum overflows**: the largest that the number of inputs allows is compared with 32 bits when the program is compiled. **All
//! machines compute the same integers**, since there is nothing to round differently.
//!
//! # What accuracy it costs
//!
//! [`QuantizationReport`] says for each layer the range, how many values are clipped, the error, and the accuracy if this layer
//! alone is in integers. [`F32`] keeps a layer in `f32`.
//!
//! ```
//! use tuplenet::prelude::*;
//! use tuplenet::quantization::QuantizationReport;
//!
//! let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(seeded(0));
//! let (inputs, classes) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [false, true, true, false]);
//! let quantized = network.quantize(&inputs)?;
//! let report = QuantizationReport::of_classes(&network, &quantized, &inputs, &classes)?;
//! println!("{report}");
//! // An error that names the layer, if accuracy has fallen by more than 0.5 points.
//! report.require(0.5)?;
//! # Ok::<(), tuplenet::Error>(())
//! ```

mod activate;
#[cfg(feature = "alloc")]
mod calibrate;
mod chain;
mod channels;
mod conv;
mod dense;
mod float;
mod graph;
mod kernel;
mod layer;
mod network;
mod norm;
mod pool;
#[cfg(feature = "alloc")]
mod quantize;
#[cfg(feature = "alloc")]
mod report;
mod rescale;
mod residual;
mod scale;

pub use activate::{ActivationTable, Clamp, Lookup, QuantizedActivate, QuantizedActivation, QuantizedSoftmax};
#[cfg(feature = "alloc")]
pub use calibrate::Calibration;
pub use conv::QuantizedConv2d;
pub use dense::QuantizedDense;
pub use float::{F32, QuantizedF32};
pub use graph::{QuantizedOp, QuantizedSums};
pub use layer::{Precision, Quantize, QuantizedLayer, Range, Trial};
pub use network::{Quantized, QuantizedNetwork};
pub use norm::QuantizedBatchNorm;
pub use pool::{
    QuantizedAveragePool, QuantizedGlobalAveragePool, QuantizedIdentity, QuantizedMaxPool, QuantizedReshape,
    QuantizedUpsample,
};
#[cfg(feature = "alloc")]
pub use quantize::{Quantization, QuantizationOptions};
#[cfg(feature = "alloc")]
pub use report::{LayerReport, QuantizationReport};
pub use residual::{QuantizedResidual, QuantizedSum};
pub use scale::{Integers, QuantizedShape, Scale};
