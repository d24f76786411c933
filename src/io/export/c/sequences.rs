//! Layers of sequences in C: a step of a stream, or loops over the steps of a sequence that can't be asked step by step.

use super::library::literal;
use super::program::{Around, Place, Program, Variable};
use crate::activation::Function;
use crate::model::{Op, OverTime, RecurrentCell};
use crate::num::Real;
use alloc::format;
use alloc::string::String;

impl Program<'_> {
    pub(super) fn sequences<T: Real>(&mut self, index: usize, part: &Op<T>) {
        match *part {
            Op::Recurrent { .. } => self.recurrent(index, part),
            Op::CausalConvolution { .. } => self.causal(index, part),
            Op::OverTime { size, kind, .. } if self.is_step => self.over_time_so_far(index, size, kind),
            Op::OverTime { steps, size, kind } => self.over_time::<T>([steps, size], kind),
            // A step of a stream is what the inner layer takes.
            Op::StepsBegin { .. } | Op::StepsEnd { .. } if self.is_step => {}
            Op::StepsBegin { steps, inputs } => {
                let around = self.begin([steps, inputs]);
                self.copy(&format!("kept_{}", around.kept), &self.now(), steps * inputs);
                let t = self.for_each_step(0, steps);
                self.fetch(&format!("(kept_{} + {t} * {inputs})", around.kept), inputs);
                self.around.push(around);
            }
            Op::StepsEnd { outputs } => {
                let Some(Around { steps, kept, .. }) = self.around.pop() else { return };
                self.grow(kept + 1, steps * outputs);
                let (t, all) = (self.step(), format!("kept_{}", kept + 1));
                self.copy(&format!("({all} + {t} * {outputs})"), &self.now(), outputs);
                self.end_of_step();
                self.release(2);
                let (_, to) = self.go_to(steps * outputs);
                self.copy(&to, &all, steps * outputs);
            }
            Op::DirectionsBegin { steps, inputs } => {
                let around = self.begin([steps, inputs]);
                let t = self.for_each_step(0, steps);
                let from = format!("({} + ({} - {t}) * {inputs})", self.now(), steps - 1);
                self.copy(&format!("(kept_{} + {t} * {inputs})", around.kept), &from, inputs);
                self.end_of_step();
                self.around.push(around);
            }
            Op::Reversed => {
                let Some(&Around { size, kept, .. }) = self.around.last() else { return };
                self.grow(kept + 1, self.size);
                self.copy(&format!("kept_{}", kept + 1), &self.now(), self.size);
                self.fetch(&format!("kept_{kept}"), size);
            }
            Op::DirectionsEnd { outputs } => {
                let Some(Around { steps, kept, .. }) = self.around.pop() else { return };
                let (units, (from, to)) = (outputs / 2, self.go_to(steps * outputs));
                let t = self.for_each_step(0, steps);
                let forward = format!("(kept_{} + {t} * {units})", kept + 1);
                self.copy(&format!("({to} + {t} * {outputs})"), &forward, units);
                let reverse = format!("({from} + ({} - {t}) * {units})", steps - 1);
                self.copy(&format!("({to} + {t} * {outputs} + {units})"), &reverse, units);
                self.end_of_step();
                self.release(2);
            }
            // All else is not a sequence.
            _ => {}
        }
    }

    /// Reserves memory for a layer around others.
    fn begin(&mut self, [steps, inputs]: [usize; 2]) -> Around {
        let kept = self.keep(steps * inputs);
        self.keep(0);
        Around { steps, size: steps * inputs, kept }
    }

    /// Adds a variable that is carried from step to step; returns it as an expression. In a loop over steps it begins at
    /// zero.
    fn carry(&mut self, name: String, size: Option<usize>) -> String {
        let variable = self.variable(&name);
        if !self.is_step {
            match size {
                Some(size) => self.loop_over(size, &format!("{variable}[i] = 0")),
                None => self.line(&format!("{variable} = 0;")),
            }
        }
        self.state.push(Variable { name, size });
        variable
    }

    fn recurrent<T: Real>(&mut self, index: usize, part: &Op<T>) {
        let Op::Recurrent { steps, inputs, units, cell, weight_ih, weight_hh, bias_ih, bias_hh } = *part else {
            return;
        };
        let (name, rows) = (self.name, cell.gates() * units);
        for (what, weight) in [("weight", weight_ih), ("recurrent", weight_hh)] {
            let values = (0..rows).flat_map(|row| super::super::row(weight, rows, row));
            self.table(what, index, weight.len(), values);
        }
        self.table("bias", index, rows, bias_ih.iter().copied());
        self.table("bias_r", index, rows, bias_hh.iter().copied());
        let (chunk, sums, carried) = match cell {
            RecurrentCell::Elman(_) => ("elman", units, units),
            RecurrentCell::Gated { reset_after: true } => ("gru_after", 6 * units, units),
            RecurrentCell::Gated { reset_after: false } => ("gru_before", 6 * units, units),
            RecurrentCell::LongShortTerm => ("lstm", 8 * units, 2 * units),
        };
        self.needs.insert(chunk);
        self.sums = self.sums.max(sums);
        let state = self.carry(format!("h_{index}"), Some(carried));
        let tables = ["weight", "bias", "recurrent", "bias_r"].map(|what| format!("{name}_{what}_{index}")).join(", ");
        let step = |program: &mut Self, from: &str| {
            program.line(&format!("{name}_{chunk}({tables}, {inputs}, {units}, {from}, {state}, sums);"));
            if let RecurrentCell::Elman(function) = cell
                && !matches!(function.0, Function::Identity)
            {
                let value = program.function::<T>(function).replace('$', &format!("{state}[i]"));
                program.loop_over(units, &format!("{state}[i] = {value}"));
            }
        };
        if self.is_step {
            let from = self.now();
            step(self, &from);
            (self.place, self.size) = (Place::State(index), units);
            return;
        }
        let (from, to) = self.go_to(steps * units);
        let t = self.for_each_step(0, steps);
        step(self, &format!("{from} + {t} * {inputs}"));
        self.copy(&format!("({to} + {t} * {units})"), &state, units);
        self.end_of_step();
    }

    fn causal<T: Real>(&mut self, index: usize, part: &Op<T>) {
        let Op::CausalConvolution { steps, inputs, outputs, taps, reach, weight, bias, function } = *part else {
            return;
        };
        let name = self.name;
        // By tap, output and input: in memory by input, tap and output.
        let values = (0..taps * outputs * inputs).map(|place| {
            let (rows, input) = (place / inputs, place % inputs);
            weight[(input * taps + rows / outputs) * outputs + rows % outputs]
        });
        self.table("weight", index, weight.len(), values);
        self.table("bias", index, outputs, bias.iter().copied());
        self.needs.insert("causal");
        let ring = self.carry(format!("ring_{index}"), Some((reach * inputs).max(1)));
        let first = self.carry(format!("first_{index}"), None);
        let call = |from: &str, to: &str| {
            let sizes = format!("{inputs}, {outputs}, {taps}, {reach}");
            format!(
                "{name}_causal({name}_weight_{index}, {name}_bias_{index}, {sizes}, {from}, {ring}, &{first}, {to});"
            )
        };
        if self.is_step {
            let (from, to) = self.go_to(outputs);
            self.line(&call(&from, &to));
        } else {
            let (from, to) = self.go_to(steps * outputs);
            let t = self.for_each_step(0, steps);
            self.line(&call(&format!("{from} + {t} * {inputs}"), &format!("{to} + {t} * {outputs}")));
            self.end_of_step();
        }
        self.activate::<T>(function);
    }

    /// What becomes of the steps so far.
    fn over_time_so_far(&mut self, index: usize, size: usize, kind: OverTime) {
        let chunk = match kind {
            OverTime::LastStep => None,
            OverTime::MeanOfSteps => Some("mean_so_far"),
            OverTime::LargestOfSteps => Some("largest_so_far"),
        };
        if let Some(chunk) = chunk {
            self.needs.insert(chunk);
            self.own();
            let values = self.carry(format!("values_{index}"), Some(size));
            let steps = self.carry(format!("steps_{index}"), None);
            let (name, place) = (self.name, self.now());
            self.line(&format!("{name}_{chunk}({size}, {place}, {values}, &{steps}, {place});"));
        }
        self.has_last = true;
        self.line("if (!is_last) {");
        self.line("    return;");
        self.line("}");
    }

    /// What becomes of all steps.
    fn over_time<T: Real>(&mut self, [steps, size]: [usize; 2], kind: OverTime) {
        self.own();
        let now = self.now();
        self.size = size;
        if let OverTime::LastStep = kind {
            return self.copy(&now, &format!("({now} + {})", (steps - 1) * size), size);
        }
        let t = self.for_each_step(1, steps);
        let other = format!("{now}[{t} * {size} + i]");
        match kind {
            OverTime::LargestOfSteps => {
                self.loop_over(size, &format!("{now}[i] = {now}[i] > {other} ? {now}[i] : {other}"));
            }
            _ => self.loop_over(size, &format!("{now}[i] += {other}")),
        }
        self.end_of_step();
        if let OverTime::MeanOfSteps = kind {
            self.each(|x| format!("{x} /= {}", literal(T::from_count(steps))));
        }
    }
}
