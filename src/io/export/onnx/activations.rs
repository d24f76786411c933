//! Activations in ONNX.

use super::graph::{OnnxGraph, data_type};
use super::protobuf::{float, whole};
use crate::activation::{ActivationKind, Function, SELU_ALPHA, SELU_SCALE};
use crate::num::Real;
use alloc::vec;
use alloc::vec::Vec;
use core::f64::consts;

impl OnnxGraph {
    /// `scale * (exp(x) - 1)` below zero, `above * x` above, in `f64`.
    fn exponential<T: Real>(&mut self, above: f64, scale: f64) {
        let (zero, one) = (self.constant::<T>(0.0), self.constant::<T>(1.0));
        let (above, scale) = (self.constant::<T>(above), self.constant::<T>(scale));
        let x = self.now.clone();
        let positive = self.node("Max", &[&x, &zero], Vec::new());
        let positive = self.node("Mul", &[&positive, &above], Vec::new());
        self.then("Min", &[&zero], Vec::new());
        self.then("Exp", &[], Vec::new());
        self.then("Sub", &[&one], Vec::new());
        self.then("Mul", &[&scale], Vec::new());
        self.then("Add", &[&positive], Vec::new());
    }

    pub fn activate<T: Real>(&mut self, function: ActivationKind) {
        let single = data_type::<T>() == 1;
        let x = self.now.clone();
        match function.0 {
            Function::Identity => {}
            Function::Relu => self.then("Relu", &[], Vec::new()),
            Function::Sigmoid => self.then("Sigmoid", &[], Vec::new()),
            Function::Tanh => self.then("Tanh", &[], Vec::new()),
            Function::Softmax => self.then("Softmax", &[], vec![whole("axis", -1)]),
            Function::Silu => {
                self.then("Sigmoid", &[], Vec::new());
                self.then("Mul", &[&x], Vec::new());
            }
            Function::Gelu => {
                let (root, one, half) = (consts::FRAC_1_SQRT_2, self.constant::<T>(1.0), self.constant::<T>(0.5));
                let root = self.constant::<T>(root);
                self.then("Mul", &[&root], Vec::new());
                if !single {
                    self.then("Cast", &[], vec![whole("to", 1)]);
                }
                self.then("Erf", &[], Vec::new());
                if !single {
                    self.then("Cast", &[], vec![whole("to", 11)]);
                }
                self.then("Add", &[&one], Vec::new());
                self.then("Mul", &[&x], Vec::new());
                self.then("Mul", &[&half], Vec::new());
            }
            Function::LeakyRelu { percent } => {
                let factor = f64::from(percent) / 100.0;
                if single {
                    return self.then("LeakyRelu", &[], vec![float("alpha", factor)]);
                }
                let factors = self.constant::<T>(factor);
                self.then("PRelu", &[&factors], Vec::new());
            }
            Function::Elu if single => self.then("Elu", &[], Vec::new()),
            Function::Elu => self.exponential::<T>(1.0, 1.0),
            Function::Selu if single => {
                self.then("Selu", &[], vec![float("alpha", SELU_ALPHA), float("gamma", SELU_SCALE)]);
            }
            Function::Selu => self.exponential::<T>(SELU_SCALE, SELU_SCALE * SELU_ALPHA),
            Function::HardSigmoid if single => {
                self.then("HardSigmoid", &[], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]);
            }
            Function::HardSigmoid => {
                let [sixth, half, zero, one] = [1.0 / 6.0, 0.5, 0.0, 1.0].map(|value| self.constant::<T>(value));
                self.then("Mul", &[&sixth], Vec::new());
                self.then("Add", &[&half], Vec::new());
                self.then("Clip", &[&zero, &one], Vec::new());
            }
            Function::Softplus if single => self.then("Softplus", &[], Vec::new()),
            Function::Softplus => {
                let (zero, one) = (self.constant::<T>(0.0), self.constant::<T>(1.0));
                let positive = self.node("Max", &[&x, &zero], Vec::new());
                for operator in ["Abs", "Neg", "Exp"] {
                    self.then(operator, &[], Vec::new());
                }
                self.then("Add", &[&one], Vec::new());
                self.then("Log", &[], Vec::new());
                self.then("Add", &[&positive], Vec::new());
            }
            Function::Softsign if single => self.then("Softsign", &[], Vec::new()),
            Function::Softsign => {
                let one = self.constant::<T>(1.0);
                let size = self.node("Abs", &[&x], Vec::new());
                let divisor = self.node("Add", &[&size, &one], Vec::new());
                self.then("Div", &[&divisor], Vec::new());
            }
        }
    }
}
