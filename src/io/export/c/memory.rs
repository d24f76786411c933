//! The memory of a [`Program`], and its loops.

use super::library::numbers;
use super::program::{Place, Program};
use crate::num::Real;
use alloc::format;
use alloc::string::{String, ToString};

impl Program<'_> {
    /// Adds a statement.
    pub fn line(&mut self, statement: &str) {
        let indent = "    ".repeat(self.time + 1);
        self.body += &format!("{indent}{statement}\n");
    }

    /// Where the values are now, as an expression.
    pub fn now(&self) -> String {
        match self.place {
            Place::Input => "input".to_string(),
            Place::Output => "output".to_string(),
            Place::Buffer(0) => "a".to_string(),
            Place::Buffer(_) => "b".to_string(),
            Place::State(index) => self.variable(&format!("h_{index}")),
        }
    }

    /// A variable that is carried from step to step, as an expression.
    pub fn variable(&self, name: &str) -> String {
        if self.is_step { format!("state->{name}") } else { name.to_string() }
    }

    pub fn table<T: Real>(&mut self, what: &str, index: usize, size: usize, values: impl Iterator<Item = T>) {
        let (name, real) = (self.name, self.real);
        let values = numbers("    ", values);
        self.tables += &format!("static const {real} {name}_{what}_{index}[{size}] = {{\n{values}}};\n\n");
    }

    fn buffer(&mut self, which: usize, size: usize) -> Place {
        self.buffers[which] = self.buffers[which].max(size);
        Place::Buffer(which)
    }

    /// Where a layer reads from, and where it writes `size` values to.
    pub fn go_to(&mut self, size: usize) -> (String, String) {
        let from = self.now();
        self.moves -= 1;
        // Nothing is written to the output before all of the input has been read, since they may be the same.
        self.place = match self.place {
            Place::Input => self.buffer(0, size),
            _ if self.moves == 0 => Place::Output,
            Place::Buffer(0) => self.buffer(1, size),
            _ => self.buffer(0, size),
        };
        self.size = size;
        (from, self.now())
    }

    /// Reserves memory for what is kept while inner layers are computed; returns its index.
    pub fn keep(&mut self, size: usize) -> usize {
        let kept = self.depth;
        self.depth += 1;
        if self.kept.len() <= kept {
            self.kept.push(0);
        }
        self.grow(kept, size);
        kept
    }

    /// Makes reserved memory as large as that.
    pub fn grow(&mut self, kept: usize, size: usize) {
        self.kept[kept] = self.kept[kept].max(size);
    }

    /// The memory that was reserved last is free again.
    pub fn release(&mut self, count: usize) {
        self.depth -= count;
    }

    /// Begins a loop over steps; returns the name of its variable.
    pub fn for_each_step(&mut self, first: usize, steps: usize) -> String {
        let t = format!("t{}", self.time);
        self.line(&format!("for ({t} = {first}; {t} < {steps}; {t}++) {{"));
        self.time += 1;
        self.deepest_time = self.deepest_time.max(self.time);
        t
    }

    /// The variable of the innermost loop over steps.
    pub fn step(&self) -> String {
        format!("t{}", self.time.saturating_sub(1))
    }

    /// Ends it.
    pub fn end_of_step(&mut self) {
        self.time -= 1;
        self.line("}");
    }

    /// Copies `size` values from an expression to the first buffer, which is where they are then.
    pub fn fetch(&mut self, from: &str, size: usize) {
        self.place = self.buffer(0, size);
        self.size = size;
        self.copy("a", from, size);
    }

    /// Adds a loop over `i`.
    pub fn loop_over(&mut self, size: usize, statement: &str) {
        self.loops = true;
        self.line(&format!("for (i = 0; i < {size}; i++) {{"));
        self.line(&format!("    {statement};"));
        self.line("}");
    }

    pub fn copy(&mut self, to: &str, from: &str, size: usize) {
        self.loop_over(size, &format!("{to}[i] = {from}[i]"));
    }

    /// Copies the values, if necessary, to where they may be changed.
    pub fn own(&mut self) {
        if matches!(self.place, Place::Input | Place::State(_)) {
            let from = self.now();
            self.fetch(&from, self.size);
        }
    }

    /// Changes each value.
    pub fn each(&mut self, statement: impl Fn(&str) -> String) {
        self.own();
        let statement = statement(&format!("{}[i]", self.now()));
        self.loop_over(self.size, &statement);
    }

    /// The variables of the function.
    pub fn declarations(&self) -> String {
        let mut text = String::new();
        if self.loops {
            text += "    size_t i;\n";
        }
        for depth in 0..self.deepest_time {
            text += &format!("    size_t t{depth};\n");
        }
        for (buffer, size) in ["a", "b"].iter().zip(self.buffers).filter(|(_, size)| *size > 0) {
            text += &format!("    {} {buffer}[{size}];\n", self.real);
        }
        for (depth, size) in self.kept.iter().enumerate() {
            text += &format!("    {} kept_{depth}[{size}];\n", self.real);
        }
        if self.sums > 0 {
            text += &format!("    {} sums[{}];\n", self.real, self.sums);
        }
        if !self.is_step {
            for variable in &self.state {
                text += &format!("    {};\n", variable.declaration(self.real));
            }
        }
        text
    }
}
