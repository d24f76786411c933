//! [`Progress`]: a progress bar for training. Needs the feature `progress`, and with it the standard library.

extern crate std;

use super::{Callback, EpochReport};
use crate::error::Error;
use crate::model::Trainable;
use crate::num::Real;
use crate::train::FitReport;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::ops::ControlFlow;
use core::time::Duration;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::time::Instant;

/// The shortest time between two drawings of the bar.
const PAUSE: Duration = Duration::from_millis(50);

/// The shortest time between two lines where there is no terminal.
const PAUSE_OF_LINES: Duration = Duration::from_secs(10);

/// Progress bar with the epoch, the losses, epochs per second and the remaining time, in the terminal's last line. It
/// is drawn to the standard error, up to 20 times a second, and not at all if that is not a terminal.
///
/// # Examples
///
/// ```
/// use tuplenet::train::callbacks::Progress;
/// use tuplenet::prelude::*;
///
/// let mut trainer = Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
/// let fit = FitOptions { epochs: 1000, ..FitOptions::default() };
/// let mut progress = Progress::new(fit.epochs);
/// trainer.fit(&[[1.0], [2.0]], &[[2.0], [4.0]], &fit, &mut progress)?;
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// looks like this:
///
/// ```text
/// ██████████░░░░░░░░░░░░░░ epoch 421/1000  loss 0.03127  validation 0.04410  105.3/s  5s left
/// ```
#[derive(Debug)]
#[doc(alias("progress bar", "tqdm"))]
pub struct Progress {
    bar: ProgressBar,
    epochs: u64,
    losses: (f64, Option<f64>),
    drawn: Option<Instant>,
    /// Whether lines are written where there is no terminal.
    lines: bool,
}

impl Progress {
    /// Creates a progress bar for this number of epochs.
    #[must_use]
    pub fn new(epochs: usize) -> Self {
        let bar = ProgressBar::new(epochs as u64);
        const TEMPLATE: &str = "{bar:24} epoch {pos}/{len}  {msg}  {rate}  {eta} left";
        match ProgressStyle::with_template(TEMPLATE) {
            Ok(style) => {
                let rate = |state: &ProgressState, to: &mut dyn fmt::Write| {
                    // A failure to write shows on the terminal.
                    let _ = write!(to, "{:.1}/s", state.per_sec());
                };
                Self::with_bar(bar.with_style(style.with_key("rate", rate).progress_chars("█▓░")))
            }
            // The template is always the same.
            Err(_) => Self::with_bar(bar),
        }
    }

    /// Uses a bar of your own, whose length is the number of epochs. Its message is set to the losses.
    #[must_use]
    pub fn with_bar(bar: ProgressBar) -> Self {
        Progress { bar, epochs: 0, losses: (f64::NAN, None), drawn: None, lines: false }
    }

    /// The bar, to draw it elsewhere or to write above it.
    #[must_use]
    pub fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// For training over ranks: rank 0 alone shows it. Under `mpirun` and in a batch job the standard error is no terminal; there it
    /// writes a line every ten seconds instead, and one at the end. Needs the feature `cluster` too.
    #[cfg(feature = "cluster")]
    #[must_use]
    pub fn over(self, communicator: &dyn crate::train::cluster::Communicator) -> Self {
        let is_first = communicator.rank() == 0;
        if !is_first {
            self.bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        Progress { lines: is_first, ..self }
    }

    /// Whether it is time to show it again.
    fn is_due(&self) -> bool {
        let pause = match (self.bar.is_hidden(), self.lines) {
            (false, _) => PAUSE,
            (true, true) => PAUSE_OF_LINES,
            (true, false) => return false,
        };
        self.drawn.is_none_or(|drawn| drawn.elapsed() >= pause)
    }

    fn draw(&mut self) {
        let validation = self.losses.1.map_or(String::new(), |loss| format!("  validation {}", format_loss(loss)));
        let message = format!("loss {}{validation}", format_loss(self.losses.0));
        if self.bar.is_hidden() && self.lines {
            let epochs = self.bar.length().unwrap_or(self.epochs);
            std::eprintln!("epoch {}/{epochs}  {message}", self.epochs);
        }
        self.bar.set_message(message);
        self.bar.set_position(self.epochs);
        self.drawn = Some(Instant::now());
    }
}

/// Formats a loss with about four digits, also if it is small or large.
fn format_loss(loss: f64) -> String {
    if loss == 0.0 || (1e-3..1e4).contains(&loss.abs()) { format!("{loss:.5}") } else { format!("{loss:.3e}") }
}

impl<N: Trainable> Callback<N> for &mut Progress {
    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        if self.epochs == 0 && self.bar.is_finished() {
            self.bar.reset();
        }
        self.epochs += 1;
        self.losses = (epoch.loss.exact(), epoch.validation_loss.map(Real::exact));
        // An epoch may take less time than formatting a loss.
        if self.is_due() {
            self.draw();
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, _: &mut N, _: Result<FitReport<N::Scalar>, Error>) {
        if self.epochs > 0 {
            self.draw();
        }
        // The bar keeps its position, also if that is not the end.
        self.bar.abandon();
        (self.epochs, self.drawn) = (0, None);
    }
}
