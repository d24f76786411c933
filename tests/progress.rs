//! The progress bar, on a terminal that takes notes.

#![cfg(feature = "progress")]

use indicatif::{ProgressBar, ProgressDrawTarget, TermLike};
use std::io;
use std::sync::{Arc, Mutex};
use tuplenet::Error;
use tuplenet::prelude::*;
use tuplenet::train::callbacks::{EarlyStopping, Progress};

#[derive(Clone, Debug, Default)]
struct Terminal(Arc<Mutex<String>>);

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        120
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r")
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Terminal {
    /// What was written since the last time.
    fn written(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

type Line = Dense<1, 1, Identity>;
type Learner = Trainer<Line, MeanSquaredError, Sgd<f32>, rand::rngs::Xoshiro256PlusPlus>;

fn trainer() -> Learner {
    Trainer::new(Line::from_rows([[0.0]], [0.0]), MeanSquaredError, Sgd::new(0.1), seeded(1))
}

const INPUTS: [[f32; 1]; 2] = [[1.0], [2.0]];
const TARGETS: [[f32; 1]; 2] = [[2.0], [4.0]];

#[test]
fn the_bar_says_how_far_it_is() {
    let terminal = Terminal::default();
    let mut progress = Progress::new(40);
    progress.bar().set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
    let (mut trainer, fit) = (trainer(), FitOptions { epochs: 40, ..FitOptions::default() });

    let outcome = trainer.fit(&INPUTS, &TARGETS, &fit, &mut progress).unwrap();
    let written = terminal.written();
    assert!(written.contains("epoch 1/40  loss 10.00000  "), "the loss of nothing learnt: {written}");
    let last = written.rsplit('\r').next().unwrap();
    let loss = if outcome.loss < 1e-3 { format!("{:.3e}", outcome.loss) } else { format!("{:.5}", outcome.loss) };
    assert!(last.contains(&format!("{} epoch 40/40  loss {loss}  ", "█".repeat(24))), "{last}");
    let rate = last.split("/s  ").next().and_then(|start| start.split_whitespace().last());
    assert!(rate.is_some_and(|rate| rate.parse::<f64>().is_ok()), "{last}");
    assert!(last.contains("/s  ") && last.trim_end().ends_with(" left"), "{last}");
    assert!(!written.contains("validation"));

    // Another training begins anew, and one that stops early stays where it is.
    let mut stopping = EarlyStopping::new(2).watching(|_: &EpochReport<Line>| 0.0);
    let validation = (&INPUTS, &TARGETS);
    trainer.fit_validated(&INPUTS, &TARGETS, validation, &fit, (&mut progress, &mut stopping)).unwrap();
    let written = terminal.written();
    let last = written.rsplit('\r').next().unwrap();
    assert!(last.contains("epoch 3/40  loss ") && last.contains("  validation "), "{written}");
    assert!(progress.bar().is_finished());
}

#[test]
fn a_training_that_diverges_leaves_the_bar_behind() {
    let terminal = Terminal::default();
    let mut progress = Progress::new(1000);
    progress.bar().set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
    let mut trainer = trainer();
    trainer.optimizer.set_learning_rate(1e3);
    let error = trainer
        .fit(&INPUTS, &TARGETS, &FitOptions { epochs: 1000, ..FitOptions::default() }, &mut progress)
        .unwrap_err();
    let (Error::LossNotFinite { epoch, .. } | Error::StepNotFinite { epoch, .. }) = error else { panic!("{error}") };
    let written = terminal.written();
    let last = written.rsplit('\r').next().unwrap();
    assert!(last.contains(&format!("epoch {epoch}/1000  loss ")), "{epoch}: {written}");
    assert!(progress.bar().is_finished());
}

#[test]
fn a_hidden_bar_changes_nothing() {
    let (mut shown, mut alone) = (trainer(), trainer());
    let fit = FitOptions { epochs: 100, ..FitOptions::default() };
    let mut progress = Progress::with_bar(ProgressBar::hidden());
    let outcome = shown.fit(&INPUTS, &TARGETS, &fit, &mut progress).unwrap();
    assert_eq!(alone.fit(&INPUTS, &TARGETS, &fit, ()), Ok(outcome));
    assert!(shown.network == alone.network);
    assert_eq!(progress.bar().position(), 100);
}
