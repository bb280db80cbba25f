//! Running a program on the host: forward, and backward over what was kept.

use super::super::dense::add;
use super::super::{Real, Scratch};
use super::border::{add_first, channels_first, channels_last};
use super::program::{Extent, Step};

/// What a layer leaves for its backward pass besides its inputs and output.
pub(crate) type Stash<E> = Vec<Scratch<E>>;

/// What the backward pass of a layer reads.
#[derive(Clone, Copy, Default)]
pub(crate) struct Keeps {
    pub(crate) inputs: bool,
    pub(crate) output: bool,
}

/// What a layer sees of a forward pass.
pub(crate) struct Forward<'a, E: Real> {
    pub(crate) samples: usize,
    pub(crate) inputs: &'a [&'a [E]],
    pub(crate) parameters: &'a [Scratch<E>],
    /// Whether the parameters of this layer are being learned.
    pub(crate) learning: bool,
    /// Whether a backward pass will follow.
    pub(crate) recorded: bool,
    /// Whether images lie channel by channel, because the layer is [`planar`](Layer::planar).
    pub(crate) planar: bool,
}

/// What it sees of a backward pass; inputs and output that it does not keep are empty.
pub(crate) struct Backward<'a, E: Real> {
    pub(crate) samples: usize,
    pub(crate) inputs: &'a [&'a [E]],
    pub(crate) output: &'a [E],
    pub(crate) parameters: &'a [Scratch<E>],
    pub(crate) stash: Stash<E>,
    pub(crate) learning: bool,
    pub(crate) planar: bool,
}

/// A step of a program, on slices.
pub(crate) trait Layer<E: Real>: Send + Sync {
    /// Writes the output, whose former contents are arbitrary.
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E>;
    /// Turns the gradient of the output into those of the inputs and parameters.
    fn backward(&self, work: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>);
    /// What it wants kept, whether its parameters are being learned or not.
    fn keeps(&self, learning: bool) -> Keeps;
    /// Whether it works faster on images that lie channel by channel, as they do outside: a program of this
    /// layer alone then changes no layout.
    fn planar(&self) -> bool {
        false
    }
}

/// Adds to the gradient of a parameter: its number, and what to do with the buffer.
pub(crate) type Sink<'a, E> = dyn FnMut(usize, &mut dyn FnMut(&mut [E])) + 'a;

/// Where a layer puts gradients.
pub(crate) struct Slopes<'a, E: Real> {
    values: &'a mut [Option<Scratch<E>>],
    wanted: &'a [bool],
    lengths: &'a dyn Fn(usize) -> usize,
    inputs: &'a [usize],
    parameters: &'a [usize],
    wanted_parameters: &'a [bool],
    sink: &'a mut Sink<'a, E>,
}

impl<E: Real> Slopes<'_, E> {
    /// Whether the gradient of an input is wanted.
    pub(crate) fn wants(&self, input: usize) -> bool {
        self.wanted[self.inputs[input]]
    }

    /// Lets `write` add to the gradient of an input, if that is wanted; with `true` there is nothing
    /// yet, and the contents of the buffer are arbitrary.
    pub(crate) fn input(&mut self, input: usize, write: impl FnOnce(&mut [E], bool)) {
        let value = self.inputs[input];
        if self.wanted[value] {
            let fresh = self.values[value].is_none();
            let len = (self.lengths)(value);
            write(self.values[value].get_or_insert_with(|| Scratch::new(len)), fresh);
        }
    }

    /// Gives a gradient away.
    pub(crate) fn give(&mut self, input: usize, slopes: Scratch<E>) {
        let value = self.inputs[input];
        if self.wanted[value] {
            match &mut self.values[value] {
                Some(there) => add::<E>(there, &slopes),
                empty => *empty = Some(slopes),
            }
        }
    }

    /// Lets `write` add to the gradient of a parameter, if that is wanted.
    pub(crate) fn parameter(&mut self, parameter: usize, mut write: impl FnMut(&mut [E])) {
        let number = self.parameters[parameter];
        if self.wanted_parameters[number] {
            (self.sink)(number, &mut write);
        }
    }
}

/// A program on the host, with access to its parameters.
pub(super) struct Machine<'a, E: Real> {
    pub(super) extents: &'a [Extent],
    pub(super) inputs: usize,
    pub(super) steps: &'a [Step<E>],
    pub(super) samples: usize,
    /// Whether the gradient of a parameter is wanted.
    pub(super) wanted: &'a [bool],
    /// Whether that of the points is.
    pub(super) wants_points: bool,
}

/// What a recorded forward pass leaves.
pub(super) struct Trace<E: Real> {
    values: Vec<Option<Scratch<E>>>,
    stashes: Vec<Stash<E>>,
}

impl<E: Real> Machine<'_, E> {
    fn len(&self, value: usize) -> usize {
        self.samples * self.extents[value].len()
    }

    /// Whether parameters of a step are being learned.
    fn learns(&self, step: &Step<E>) -> bool {
        step.parameters.iter().any(|p| self.wanted[*p])
    }

    /// Whether its images lie channel by channel.
    fn planar(&self) -> bool {
        matches!(self.steps, [step] if self.inputs == 1 && step.layer.planar())
    }

    /// Whether the gradient of each value is wanted: something that it depends on is.
    fn wanted_values(&self) -> Vec<bool> {
        let mut wanted = vec![self.wants_points; self.inputs];
        for step in self.steps {
            let of = step.inputs.iter().any(|i| wanted[*i]);
            wanted.push(of || step.parameters.iter().any(|p| self.wanted[*p]));
        }
        wanted
    }

    /// The last step that uses each value; with `recorded`, values that a backward pass reads are
    /// used to the end.
    fn last_uses(&self, recorded: bool, wanted: &[bool]) -> Vec<usize> {
        let mut last = vec![0; self.extents.len()];
        last[self.extents.len() - 1] = self.steps.len();
        for (i, step) in self.steps.iter().enumerate() {
            let keeps = step.layer.keeps(self.learns(step));
            let backward = recorded && wanted[self.inputs + i];
            let until = if backward && keeps.inputs { self.steps.len() } else { i };
            step.inputs.iter().for_each(|v| last[*v] = last[*v].max(until));
            if backward && keeps.output {
                last[self.inputs + i] = self.steps.len();
            }
        }
        last
    }

    /// Runs the program on `points`, row by row as outside. `read` gives parameters.
    pub(super) fn forward(
        &self,
        points: Scratch<E>,
        recorded: bool,
        read: &dyn Fn(usize) -> Scratch<E>,
    ) -> (Vec<E>, Trace<E>) {
        let wanted = self.wanted_values();
        let last = self.last_uses(recorded, &wanted);
        let planar = self.planar();
        let mut values = if planar { vec![Some(points)] } else { self.cut(&points) };
        let mut stashes = Vec::with_capacity(self.steps.len());
        for (i, step) in self.steps.iter().enumerate() {
            let inputs: Vec<&[E]> =
                step.inputs.iter().map(|v| values[*v].as_deref().unwrap_or(&[])).collect();
            let parameters: Vec<_> = step.parameters.iter().map(|p| read(*p)).collect();
            let len = self.len(self.inputs + i);
            let mut y = if planar { Scratch::exactly(len) } else { Scratch::new(len) };
            let recorded = recorded && wanted[self.inputs + i];
            let learning = recorded && self.learns(step);
            let work = Forward {
                samples: self.samples,
                inputs: &inputs,
                parameters: &parameters,
                learning,
                recorded,
                planar,
            };
            let stash = step.layer.forward(work, &mut y);
            stashes.push(if recorded { stash } else { Vec::new() });
            values.push(Some(y));
            for v in &step.inputs {
                if last[*v] <= i {
                    values[*v] = None;
                }
            }
        }
        let output = self.extents.len() - 1;
        let kept_output = match self.steps.last() {
            Some(step) => step.layer.keeps(self.learns(step)).output,
            None => false,
        };
        let result = match &mut values[output] {
            Some(y) if planar && kept_output => y.to_vec(),
            y if planar => y.take().map_or(Vec::new(), Scratch::into_vec),
            Some(y) => channels_first(y, self.extents[output]).into_vec(),
            None => Vec::new(),
        };
        if !kept_output {
            values[output] = None;
        }
        (result, Trace { values, stashes })
    }

    /// The gradients, from that of the output. Returns those of the inputs, which
    /// [`add_to_points`](Self::add_to_points) adds up.
    pub(super) fn backward(
        &self,
        mut trace: Trace<E>,
        slopes: Scratch<E>,
        read: &dyn Fn(usize) -> Scratch<E>,
        sink: &mut Sink<E>,
    ) -> Vec<Option<Scratch<E>>> {
        let wanted = self.wanted_values();
        let mut gradients: Vec<Option<Scratch<E>>> = self.extents.iter().map(|_| None).collect();
        let output = self.extents.len() - 1;
        let planar = self.planar();
        gradients[output] = Some(match self.extents[output] {
            _ if planar => slopes,
            extent => channels_last(&slopes, extent.len(), 0, extent),
        });
        for (i, step) in self.steps.iter().enumerate().rev() {
            let value = self.inputs + i;
            let Some(slopes) = gradients[value].take().filter(|_| wanted[value]) else { continue };
            let inputs: Vec<&[E]> =
                step.inputs.iter().map(|v| trace.values[*v].as_deref().unwrap_or(&[])).collect();
            let parameters: Vec<_> = step.parameters.iter().map(|p| read(*p)).collect();
            let work = Backward {
                samples: self.samples,
                inputs: &inputs,
                output: trace.values[value].as_deref().unwrap_or(&[]),
                parameters: &parameters,
                stash: std::mem::take(&mut trace.stashes[i]),
                learning: self.learns(step),
                planar,
            };
            let mut to = Slopes {
                values: &mut gradients,
                wanted: &wanted,
                lengths: &|value| self.len(value),
                inputs: &step.inputs,
                parameters: &step.parameters,
                wanted_parameters: self.wanted,
                sink: &mut *sink,
            };
            step.layer.backward(work, slopes, &mut to);
            trace.values[value] = None;
        }
        gradients.truncate(self.inputs);
        gradients
    }

    /// The inputs out of rows of points.
    fn cut(&self, points: &[E]) -> Vec<Option<Scratch<E>>> {
        let pitch = points.len() / self.samples.max(1);
        let mut values = Vec::with_capacity(self.extents.len());
        let mut from = 0;
        for extent in &self.extents[..self.inputs] {
            values.push(Some(channels_last(points, pitch, from, *extent)));
            from += extent.len();
        }
        values
    }

    /// Adds the gradients of the inputs to that of the points.
    pub(super) fn add_to_points(&self, gradients: &[Option<Scratch<E>>], points: &mut [E]) {
        let all: usize = self.extents[..self.inputs].iter().map(Extent::len).sum();
        let mut from = 0;
        for (extent, gradient) in self.extents.iter().zip(gradients) {
            match gradient {
                Some(gradient) if self.planar() => add::<E>(points, gradient),
                Some(gradient) => add_first(gradient, *extent, points, (all, from)),
                None => {}
            }
            from += extent.len();
        }
    }
}
