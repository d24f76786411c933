//! [`Agreeing`]: a callback on all ranks.

use super::{Communicator, all_gather};
use crate::error::Error;
use crate::model::Trainable;
use crate::train::FitReport;
use crate::train::callbacks::{EpochReport, TrainerCallback};
use core::ops::ControlFlow;

/// Callback that all ranks call together: if one of them stops or fails, all do.
pub(super) struct Agreeing<'c, W> {
    pub communicator: &'c dyn Communicator,
    pub callback: W,
}

impl<W> Agreeing<'_, W> {
    fn agree(&self, flow: Result<ControlFlow<()>, Error>) -> Result<ControlFlow<()>, Error> {
        if self.communicator.size() == 1 {
            return flow;
        }
        let state = match &flow {
            Ok(ControlFlow::Continue(())) => 0,
            Ok(ControlFlow::Break(())) => 1,
            Err(_) => 2,
        };
        let states = all_gather(self.communicator, &[state]);
        let _ = flow?;
        let is = |state: u8| states.iter().position(|found| found[..] == [state]);
        match (is(2), is(1)) {
            (Some(rank), _) => Err(Error::RankFailed { rank }),
            (None, Some(_)) => Ok(ControlFlow::Break(())),
            (None, None) => Ok(ControlFlow::Continue(())),
        }
    }
}

impl<N: Trainable, T, V, W: TrainerCallback<N, T, V>> TrainerCallback<N, T, (V, Self)> for Agreeing<'_, W> {
    fn may_be_complete(&self) -> bool {
        self.callback.may_be_complete()
    }

    fn begin(&mut self, trainer: &T) -> Result<ControlFlow<()>, Error> {
        let flow = self.callback.begin(trainer);
        self.agree(flow)
    }

    fn epoch(&mut self, epoch: &EpochReport<N>, trainer: &T) -> Result<ControlFlow<()>, Error> {
        let flow = self.callback.epoch(epoch, trainer);
        self.agree(flow)
    }

    fn end(
        &mut self,
        trainer: &mut T,
        result: Result<FitReport<N::Scalar>, Error>,
    ) -> Result<FitReport<N::Scalar>, Error> {
        let result = self.callback.end(trainer, result);
        let flow = self.agree(result.map(|_| ControlFlow::Continue(())));
        result.and_then(|report| flow.map(|_| report))
    }
}
