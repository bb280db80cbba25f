//! The sizes of a convolution.

use crate::error::{Error, Result};

/// A convolution of images or volumes: `y[o] = b[o] + Σ w[o, i, k] x[i, s·p + d·k − pad]` at every
/// position p.
///
/// Axes are depth, height and width; an image has depth 1. Built by naming what differs from a kernel
/// of stride 1 without padding:
///
/// ```
/// use brenier::ops::Convolution;
/// let halving = Convolution::image(3, 64, [32, 32], [4, 4]).stride(2).padding(1);
/// assert_eq!(halving.output_size(), [1, 16, 16]);
/// halving.check()?;
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Convolution {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Channels are cut into so many groups, each of which sees its own inputs only.
    pub groups: usize,
    /// Depth, height and width of the input.
    pub size: [usize; 3],
    /// Of the kernel.
    pub kernel: [usize; 3],
    /// Steps between the positions at which the kernel is applied.
    pub stride: [usize; 3],
    /// Zeros around the input.
    pub padding: [usize; 3],
    /// Steps between the taps of the kernel.
    pub dilation: [usize; 3],
}

impl Convolution {
    /// Of images: `size` and `kernel` are height and width.
    pub fn image(inputs: usize, outputs: usize, size: [usize; 2], kernel: [usize; 2]) -> Self {
        Self::volume(inputs, outputs, [1, size[0], size[1]], [1, kernel[0], kernel[1]])
    }

    /// Of volumes.
    pub fn volume(inputs: usize, outputs: usize, size: [usize; 3], kernel: [usize; 3]) -> Self {
        let (stride, padding, dilation) = ([1; 3], [0; 3], [1; 3]);
        Self { inputs, outputs, groups: 1, size, kernel, stride, padding, dilation }
    }

    /// The same stride on every axis but the depth of an image.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = [self.on_depth(stride, 1), stride, stride];
        self
    }

    /// The same padding on every axis but the depth of an image.
    #[must_use]
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = [self.on_depth(padding, 0), padding, padding];
        self
    }

    /// The same dilation on every axis but the depth of an image.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = [self.on_depth(dilation, 1), dilation, dilation];
        self
    }

    /// In groups of channels.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    fn on_depth(&self, volume: usize, image: usize) -> usize {
        if self.size[0] == 1 && self.kernel[0] == 1 {
            image
        } else {
            volume
        }
    }

    /// Depth, height and width of the output; zero where the kernel does not fit.
    pub fn output_size(&self) -> [usize; 3] {
        std::array::from_fn(|a| {
            let reach = self.dilation[a] * self.kernel[a].saturating_sub(1) + 1;
            let padded = self.size[a] + 2 * self.padding[a];
            (padded + self.stride[a]).saturating_sub(reach) / self.stride[a].max(1)
        })
    }

    /// Numbers of an input of one sample.
    pub fn input_len(&self) -> usize {
        self.inputs * self.size.iter().product::<usize>()
    }

    /// Numbers of an output of one sample.
    pub fn output_len(&self) -> usize {
        self.outputs * self.output_size().iter().product::<usize>()
    }

    /// Shape of the weights: outputs, inputs of a group, and the kernel.
    pub fn weight_shape(&self) -> [usize; 5] {
        let [z, y, x] = self.kernel;
        [self.outputs, self.inputs / self.groups.max(1), z, y, x]
    }

    /// Numbers of the weights.
    pub fn weight_len(&self) -> usize {
        self.weight_shape().iter().product()
    }

    /// # Errors
    /// [`Error::InvalidConfig`] if a size is zero, the groups do not divide the channels, or the kernel
    /// does not fit into the padded input.
    pub fn check(&self) -> Result<()> {
        let axes = [self.size, self.kernel, self.stride, self.dilation];
        if axes.iter().flatten().any(|n| *n == 0) || self.inputs == 0 || self.outputs == 0 {
            return Err(Error::config(
                "convolution",
                format!("{self:?}"),
                "sizes, kernel, stride, dilation and channels must be at least 1",
            ));
        }
        let divided = |channels: usize| self.groups > 0 && channels.is_multiple_of(self.groups);
        if !divided(self.inputs) || !divided(self.outputs) {
            return Err(Error::config(
                "convolution.groups",
                self.groups,
                "must divide the channels of the input and of the output",
            ));
        }
        if self.output_size().contains(&0) {
            return Err(Error::config(
                "convolution.kernel",
                format!("{:?}", self.kernel),
                "must fit into the padded input",
            ));
        }
        Ok(())
    }
}
