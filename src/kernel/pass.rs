//! [`Pass`]: the context of a pass over a network, passed from layer to layer.

use fearless_simd::Simd;

/// The context of a pass over a micro-batch: a capacity of `B` samples, of which the first [`len`](Self::len) are
/// in use.
///
/// `B` is fixed at compile time and independent of the optimizer's batch size: the gradients of a batch add up over
/// as many micro-batches as it needs.
#[derive(Clone, Copy, Debug)]
pub struct Pass<S, const B: usize> {
    simd: S,
    len: usize,
    offset: usize,
    steps: usize,
    logits: bool,
    zero: bool,
    again: bool,
    continues: bool,
    evaluation: bool,
    inputs_alone: bool,
}

impl<S: Simd, const B: usize> Pass<S, B> {
    /// Creates a pass whose first `len` columns are in use, or all of them if `len` is more than `B`.
    #[inline(always)]
    pub fn new(simd: S, len: usize) -> Self {
        let len = if len < B { len } else { B };
        Pass {
            simd,
            len,
            offset: 0,
            steps: usize::MAX,
            logits: false,
            zero: false,
            again: false,
            continues: false,
            evaluation: false,
            inputs_alone: false,
        }
    }

    /// The same pass, whose first column has the index `offset` in the batch.
    #[inline(always)]
    #[must_use]
    pub fn with_offset(self, offset: usize) -> Self {
        Pass { offset, ..self }
    }

    /// The same pass, which stops before the network's last activation, because it is fused with the loss.
    #[inline(always)]
    #[must_use]
    pub fn stop_at_logits(self) -> Self {
        Pass { logits: true, ..self }
    }

    /// The same pass, whose gradient is still zero.
    #[inline(always)]
    #[must_use]
    pub fn with_zero_gradient(self) -> Self {
        Pass { zero: true, ..self }
    }

    /// The same pass, for a layer that is not the last one.
    #[inline(always)]
    #[must_use]
    pub fn hidden(self) -> Self {
        Pass { logits: false, ..self }
    }

    /// The same pass with the first `len` columns alone.
    #[inline(always)]
    #[must_use]
    pub(crate) fn with_len(self, len: usize) -> Self {
        Pass { len: if len < B { len } else { B }, ..self }
    }

    /// The same pass over sequences of which only the first `steps` are there; the others are padding.
    #[inline(always)]
    #[must_use]
    pub fn with_steps(self, steps: usize) -> Self {
        Pass { steps, ..self }
    }

    /// The same pass, over windows that continue those of the pass before: a recurrent layer begins with the state in its
    /// cache, and leaves there the state after the last step.
    #[inline(always)]
    #[must_use]
    pub(crate) fn continuing(self) -> Self {
        Pass { continues: true, ..self }
    }

    /// The same pass in evaluation: `forward` computes what prediction does, and `backward` its gradient.
    #[inline(always)]
    #[must_use]
    pub fn in_evaluation(self) -> Self {
        Pass { evaluation: true, ..self }
    }

    /// The same pass, of whose backward pass the gradient by the inputs alone is used.
    #[inline(always)]
    #[must_use]
    pub(crate) fn to_inputs_alone(self) -> Self {
        Pass { inputs_alone: true, ..self }
    }

    /// The same pass with another instruction set of the CPU.
    #[inline(always)]
    #[must_use]
    pub(crate) fn with_simd<R: Simd>(self, simd: R) -> Pass<R, B> {
        let Pass { len, offset, steps, logits, zero, again, continues, evaluation, inputs_alone, .. } = self;
        Pass { simd, len, offset, steps, logits, zero, again, continues, evaluation, inputs_alone }
    }

    /// The same pass, for a layer that has computed other inputs of the same samples before.
    #[inline(always)]
    #[must_use]
    pub(crate) fn once_more(self) -> Self {
        Pass { again: true, ..self }
    }

    /// Whether a backward pass is the first of the batch for its layer, whose buffers begin again from zero then,
    /// whatever a failed batch has left.
    #[inline(always)]
    pub(crate) fn begins_batch(self) -> bool {
        self.offset == 0 && !self.again
    }

    /// The proof that the CPU has the instruction set `S`.
    #[inline(always)]
    pub fn simd(self) -> S {
        self.simd
    }

    /// The number of columns in use, at most `B`. The others hold zeros or old samples. What a layer computes from
    /// them is ignored, and the gradients that arrive there are zero, also in the inner layers of a network.
    #[inline(always)]
    #[allow(clippy::len_without_is_empty, reason = "a pass has at least one sample")]
    pub fn len(self) -> usize {
        self.len
    }

    /// The index in the batch of the sample in the first column: zero in a batch's first micro-batch. A layer that
    /// draws random numbers for each sample derives them from this index, so that they do not depend on the size of
    /// the micro-batch.
    #[inline(always)]
    pub fn offset(self) -> usize {
        self.offset
    }

    /// How many steps of a sequence of at most `longest` are there, the first ones. What is computed of the others is ignored;
    /// the gradients that arrive there are zero, and so are those that a layer passes on.
    #[inline(always)]
    pub fn steps(self, longest: usize) -> usize {
        if self.steps < longest { self.steps } else { longest }
    }

    /// Whether the windows continue those of the pass before.
    #[inline(always)]
    pub(crate) fn continues(self) -> bool {
        self.continues
    }

    /// Whether the gradient is known to be zero, so that `backward` may set it instead of adding to it.
    #[inline(always)]
    pub fn gradient_is_zero(self) -> bool {
        self.zero
    }

    /// Whether the pass trains; otherwise it is one in evaluation, for a Jacobian or an optimizer of full batches. Only a layer
    /// whose forward pass in training computes something else than prediction, such as dropout, needs to ask: in evaluation
    /// its `forward` computes what [`infer`](crate::model::Model::infer) does, and its `backward` the gradient of that.
    #[inline(always)]
    pub fn is_training(self) -> bool {
        !self.evaluation
    }

    /// Whether the gradient by the parameters is not used, so that a layer may leave it out.
    #[inline(always)]
    pub(crate) fn needs_inputs_alone(self) -> bool {
        self.inputs_alone
    }

    /// Whether the pass skips the layer's [`LastActivation`](crate::model::Layer::LastActivation). If so, `forward`
    /// outputs the activation's input, and `backward` receives the gradient by that input.
    #[inline(always)]
    pub fn stops_at_logits(self) -> bool {
        self.logits
    }
}
