"""Makes image.json: layers and networks of images and volumes by torch in float64.

Inputs, weights and the loss are functions of a name (`numbers`), so that the file holds results
only: of each array a few projections on such numbers, which a wrong entry would change.
"""

import zlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import golden

torch.set_default_dtype(torch.float64)


def numbers(name, n):
    """`n` numbers in [-1, 1) that depend on the name."""
    h = np.arange(n, dtype=np.uint64) * 2654435761 + zlib.crc32(name.encode())
    h &= 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h ^= h >> shift
        h = (h * factor) & 0xFFFFFFFF
    return h.astype(np.float64) / 2**31 - 1


def tensor(name, *shape):
    return torch.tensor(numbers(name, int(np.prod(shape))).reshape(shape))


def parameter(name, shape):
    """Matrices of variance 1 / fan in; weights of norms and variances near 1; else small."""
    u = tensor(name, *shape)
    if len(shape) > 1:
        return u * (3 / np.prod(shape[1:])) ** 0.5
    if name.endswith("weight") or name.endswith("running_var"):
        return 1 + 0.3 * u
    return 0.3 * u


def projections(t):
    """Σ v and Σ v u for the numbers u of "first" and "second"."""
    v = t.detach().numpy().reshape(-1)
    return golden.finite([float(v.sum())] + [float(v @ numbers(n, v.size)) for n in ("first", "second")])


def record(y, inputs, parameters):
    """Results of y and the gradients of Σ y ∘ numbers("seed")."""
    (y * tensor("seed", *y.shape)).sum().backward()
    return {
        "shape": list(y.shape),
        "y": projections(y),
        "dx": [projections(x.grad) for x in inputs],
        "parameters": [
            {"name": n, "shape": list(p.shape), "gradient": projections(p.grad)}
            for n, p in parameters
        ],
    }


def layer(name, x_shape, apply, **shapes):
    x = tensor("x", *x_shape).requires_grad_()
    weights = {n: parameter(n, s).requires_grad_() for n, s in shapes.items()}
    return {"name": name, "x": list(x_shape), **record(apply(x, **weights), [x], weights.items())}


def layers():
    image, volume = (2, 4, 6, 5), (2, 3, 4, 5, 4)
    conv = dict(weight=(6, 4, 3, 3), bias=(6,))
    yield layer("conv2d", image, lambda x, weight, bias: F.conv2d(x, weight, bias, padding=1), **conv)
    yield layer("conv2d stride 2", image,
                lambda x, weight, bias: F.conv2d(x, weight, bias, stride=2, padding=1), **conv)
    yield layer("conv2d dilation 2", image,
                lambda x, weight, bias: F.conv2d(x, weight, bias, dilation=2, padding=2), **conv)
    yield layer("conv2d groups 2", image,
                lambda x, weight, bias: F.conv2d(x, weight, bias, groups=2, padding=1),
                weight=(6, 2, 3, 3), bias=(6,))
    yield layer("conv2d leaky", image,
                lambda x, weight, bias: F.leaky_relu(F.conv2d(x, weight, bias, padding=1), 0.2), **conv)
    yield layer("conv3d", volume, lambda x, weight, bias: F.conv3d(x, weight, bias, padding=1),
                weight=(5, 3, 3, 3, 3), bias=(5,))
    yield layer("conv3d stride 2", volume,
                lambda x, weight, bias: F.conv3d(x, weight, bias, stride=2, padding=1),
                weight=(5, 3, 3, 3, 3), bias=(5,))
    yield layer("transposed conv2d", image,
                lambda x, weight, bias: F.conv_transpose2d(x, weight, bias, stride=2, padding=1),
                weight=(4, 6, 4, 4), bias=(6,))
    yield layer("transposed conv3d", volume,
                lambda x, weight, bias: F.conv_transpose3d(x, weight, bias, stride=2),
                weight=(3, 2, 2, 2, 2), bias=(2,))
    yield layer("linear", image, lambda x, weight, bias: F.linear(x.flatten(1), weight, bias),
                weight=(3, 120), bias=(3,))
    yield layer("max pool", (2, 4, 6, 6), lambda x: F.max_pool2d(x, 2))
    yield layer("max pool 3 2 1", image, lambda x: F.max_pool2d(x, 3, 2, 1))
    yield layer("max pool 3d", (2, 3, 4, 4, 4), lambda x: F.max_pool3d(x, 2))
    yield layer("average pool 3 2 1", image, lambda x: F.avg_pool2d(x, 3, 2, 1))
    yield layer("average pool inside", image,
                lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False))
    yield layer("average pool 3d", volume, lambda x: F.avg_pool3d(x, 3, 2, 1))
    yield layer("nearest", image, lambda x: F.interpolate(x, scale_factor=2))
    yield layer("bilinear corners", image,
                lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))
    yield layer("bilinear edges", image,
                lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
    yield layer("bilinear to 9 7", image,
                lambda x: F.interpolate(x, size=(9, 7), mode="bilinear", align_corners=False))
    yield layer("trilinear corners", volume,
                lambda x: F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=True))
    yield layer("trilinear edges", volume,
                lambda x: F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False))
    affine = dict(weight=(4,), bias=(4,))
    yield layer("batch norm", image,
                lambda x, weight, bias: F.relu(F.batch_norm(x, None, None, weight, bias, True)), **affine)
    yield layer("group norm", image,
                lambda x, weight, bias: F.silu(F.group_norm(x, 2, weight, bias)), **affine)
    yield layer("instance norm", image, lambda x: F.instance_norm(x))
    yield layer("layer norm", image, lambda x: F.layer_norm(x, x.shape[1:]))
    yield layer("layer norm over channels", image,
                lambda x, weight, bias: F.layer_norm(x.movedim(1, -1), (4,), weight, bias).movedim(-1, 1),
                **affine)
    yield layer("layer norm with affine", image,
                lambda x, weight, bias: F.layer_norm(x, (4, 6, 5), weight, bias),
                weight=(4, 6, 5), bias=(4, 6, 5))
    yield layer("gelu", image, F.gelu)
    yield layer("attention", (2, 12, 3, 2), attention)
    yield layer("linear attention", (2, 12, 3, 2), linear_attention)
    yield layer("transpose", image, lambda x: x.flatten(2).transpose(1, 2))
    yield layer("sinusoidal", (3, 1), sinusoidal)
    yield layer("edm", (3, 1), edm)


def heads(x, n):
    """Queries, keys and values, thirds of the channels: sample, head, position, channel."""
    return (t.reshape(len(t), n, -1, x[0, 0].numel()).transpose(2, 3) for t in x.chunk(3, 1))


def attention(x):
    """Two heads over positions."""
    y = F.scaled_dot_product_attention(*heads(x, 2))
    return y.transpose(2, 3).reshape(len(x), -1, *x.shape[2:])


def linear_attention(x, n=2):
    q, k, v = heads(x, n)
    y = q @ (k.softmax(2).transpose(2, 3) @ v)
    return y.transpose(2, 3).reshape(len(x), -1, *x.shape[2:])


def sinusoidal(t, half=4):
    w = 10000 ** -(torch.arange(half) / (half - 1))
    return torch.cat([torch.sin(t * w), torch.cos(t * w)], 1)


def edm(t):
    w = 10000 ** -(torch.arange(4) / 4)
    return torch.cat([torch.cos(t * w), torch.sin(t * w)], 1)


class DoubleConv(nn.Module):
    def __init__(self, i, o, mid, d):
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if d == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.double_conv = nn.Sequential(
            conv(i, mid, 3, padding=1), norm(mid), nn.ReLU(),
            conv(mid, o, 3, padding=1), norm(o), nn.ReLU(),
        )

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, i, o, d):
        super().__init__()
        pool = nn.MaxPool2d(2) if d == 2 else nn.MaxPool3d(2)
        self.maxpool_conv = nn.Sequential(pool, DoubleConv(i, o, o, d))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, c, o, d):
        super().__init__()
        self.how = dict(mode="bilinear", align_corners=True) if d == 2 else dict(mode="nearest")
        self.conv = DoubleConv(2 * c, o, c, d)

    def forward(self, x, skip):
        return self.conv(torch.cat([skip, F.interpolate(x, scale_factor=2, **self.how)], 1))


class OutConv(nn.Module):
    def __init__(self, i, o, d):
        super().__init__()
        self.conv = (nn.Conv2d if d == 2 else nn.Conv3d)(i, o, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    """milesial's U-Net with upsampling by interpolation."""

    def __init__(self, i, o, widths, d=2):
        super().__init__()
        self.inc = DoubleConv(i, widths[0], widths[0], d)
        down = [*widths, widths[-1]]
        up = [*reversed(widths), widths[0]]
        self.levels = len(widths)
        for k in range(self.levels):
            setattr(self, f"down{k + 1}", Down(down[k], down[k + 1], d))
            setattr(self, f"up{k + 1}", Up(up[k], up[k + 1], d))
        self.outc = OutConv(widths[0], o, d)

    def forward(self, x):
        xs = [self.inc(x)]
        for k in range(self.levels):
            xs.append(getattr(self, f"down{k + 1}")(xs[-1]))
        x = xs.pop()
        for k in range(self.levels):
            x = getattr(self, f"up{k + 1}")(x, xs.pop())
        return self.outc(x)


class Block(nn.Module):
    def __init__(self, i, o, d):
        super().__init__()
        conv = nn.Conv2d if d == 2 else nn.Conv3d
        self.conv_0 = conv(i, i, 3, padding=1)
        self.conv_1 = conv(i, o, 3, padding=1)
        if i != o:
            self.conv_s = conv(i, o, 1, bias=False)

    def forward(self, x):
        shortcut = self.conv_s(x) if hasattr(self, "conv_s") else x
        inner = F.leaky_relu(self.conv_0(x), 0.2)
        return F.leaky_relu(shortcut + 0.1 * self.conv_1(inner), 0.2)


class ResNetD(nn.Module):
    """ResNet_D of WGAN-QC; volumes have a max pooling before the linear layer."""

    def __init__(self, i, widths, d=2):
        super().__init__()
        conv, pool = (nn.Conv2d, nn.AvgPool2d) if d == 2 else (nn.Conv3d, nn.AvgPool3d)
        blocks = [Block(widths[0], widths[0], d), Block(widths[0], widths[1], d)]
        for a, b in zip(widths[1:], widths[2:]):
            blocks += [pool(3, stride=2, padding=1), Block(a, a, d), Block(a, b, d)]
        self.conv_img = conv(i, widths[0], 3, padding=1)
        self.resnet = nn.Sequential(*blocks)
        self.d = d
        self.fc = nn.Linear(widths[-1] * (16 if d == 2 else 8), 1)

    def forward(self, x):
        x = self.resnet(F.leaky_relu(self.conv_img(x), 0.2))
        if self.d == 3:
            x = F.max_pool3d(x, 2)
        return self.fc(x.flatten(1))


class Unpooled(nn.Module):
    def __init__(self, i, o, d=2):
        super().__init__()
        self.conv = DoubleConv(i, o, i // 2, d)

    def forward(self, x):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return self.conv(x)


class AutoEncoder(nn.Module):
    """The U-Net without skips of NOT-AE."""

    def __init__(self, c, base, latent):
        super().__init__()
        w = [base, 2 * base, 4 * base, 8 * base, 8 * base, latent]
        self.inc = DoubleConv(c, base, base, 2)
        for k in range(5):
            setattr(self, f"down{k + 1}", Down(w[k], w[k + 1], 2))
        for k, (i, o) in enumerate([(latent, 16 * base), (16 * base, 4 * base), (4 * base, 2 * base),
                                    (2 * base, base), (base, base)]):
            setattr(self, f"up{k}", Unpooled(i, o))
        self.outc = OutConv(base, c, 2)

    def forward(self, x):
        x = self.inc(x)
        for k in range(5):
            x = getattr(self, f"down{k + 1}")(x)
        for k in range(5):
            x = getattr(self, f"up{k}")(x)
        return self.outc(x)


class CondNorm(nn.Module):
    def __init__(self, c, z):
        super().__init__()
        self.shift_conv = nn.Sequential(nn.Conv2d(z, c, 1), nn.ReLU())
        self.scale_conv = nn.Sequential(nn.Conv2d(z, c, 1), nn.ReLU())

    def forward(self, x, z):
        mean = x.mean((2, 3), keepdim=True)
        var = x.var((2, 3), keepdim=True)
        z = z[:, :, None, None]
        return (x - mean) * torch.rsqrt(var + 1e-5) * self.scale_conv(z) + self.shift_conv(z)


class ConditionalUNet(UNet):
    """CUNet of kernel neural optimal transport; image and noise one after the other."""

    def __init__(self, c, z, widths):
        super().__init__(c, c, widths)
        self.z = z
        for k, w in enumerate(reversed(widths)):
            setattr(self, f"adain{k + 1}", CondNorm(w, z))

    def forward(self, both):
        n = both.shape[1] - self.z
        side = round((n / self.outc.conv.out_channels) ** 0.5)
        x, z = both[:, :n].reshape(len(both), -1, side, side), both[:, n:]
        xs = [self.inc(x)]
        for k in range(self.levels):
            xs.append(getattr(self, f"down{k + 1}")(xs[-1]))
        x = xs.pop()
        for k in range(self.levels):
            x = getattr(self, f"adain{k + 1}")(x, z)
            x = getattr(self, f"up{k + 1}")(x, xs.pop())
        return self.outc(x)


def norm(c):
    """Group norm with the most groups, up to a quarter of the channels and 32, that divide them."""
    most = max(1, min(c // 4, 32))
    return nn.GroupNorm(max(g for g in range(1, most + 1) if c % g == 0), c)


class FlowBlock(nn.Module):
    def __init__(self, i, o, t):
        super().__init__()
        self.norm1, self.norm2 = norm(i), norm(o)
        self.conv1, self.conv2 = nn.Conv2d(i, o, 3, padding=1), nn.Conv2d(o, o, 3, padding=1)
        self.time = nn.Linear(t, o)
        if i != o:
            self.skip = nn.Conv2d(i, o, 1)

    def forward(self, x, t):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(t)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return (h + (self.skip(x) if hasattr(self, "skip") else x)) / 2**0.5


class FlowAttention(nn.Module):
    def __init__(self, c, n):
        super().__init__()
        self.n, self.norm = n, norm(c)
        self.qkv, self.out = nn.Conv2d(c, 3 * c, 1), nn.Conv2d(c, c, 1)

    def forward(self, x):
        return x + self.out(linear_attention(self.qkv(self.norm(x)), self.n))


class FlowDown(nn.Module):
    def __init__(self, i, o, t, r, n, attends):
        super().__init__()
        self.first = FlowBlock(i, o, t)
        self.others = nn.ModuleList(FlowBlock(o, o, t) for _ in range(r - 1))
        self.attention = nn.ModuleList(FlowAttention(o, n) for _ in range(r if attends else 0))

    def forward(self, x, t, skips):
        for k, block in enumerate([self.first, *self.others]):
            x = block(x, t)
            if self.attention:
                x = self.attention[k](x)
            skips.append(x)
        return x


class FlowUp(nn.Module):
    def __init__(self, u, o, i, t, r, n, attends):
        super().__init__()
        self.first = FlowBlock(u + o, o, t)
        self.others = nn.ModuleList(FlowBlock(2 * o, o, t) for _ in range(r - 1))
        self.last = FlowBlock(o + i, o, t)
        self.attention = nn.ModuleList(FlowAttention(o, n) for _ in range(r + 1 if attends else 0))

    def forward(self, x, t, skips):
        for k, block in enumerate([self.first, *self.others, self.last]):
            x = block(torch.cat([x, skips.pop()], 1), t)
            if self.attention:
                x = self.attention[k](x)
        return x


class TimeEmbedding(nn.Sequential):
    def __init__(self, q, t):
        super().__init__(nn.Linear(t, 4 * t), nn.SiLU(), nn.Linear(4 * t, t))
        self.t = t
        if q:
            self.condition = nn.Linear(q, t, bias=False)

    def forward(self, t, q):
        h = self[2](self[1](self[0](sinusoidal(t, self.t // 2))))
        return F.silu(h + self.condition(q) if hasattr(self, "condition") else h)


class FlowUNet(nn.Module):
    """The U-Net of flow matching; `attends` has the levels with attention."""

    def __init__(self, c, q, w0, widths, r, attends, n):
        super().__init__()
        self.time, self.conv_in = TimeEmbedding(q, w0), nn.Conv2d(c, w0, 3, padding=1)
        self.levels, entering = len(widths) - 1, [w0, *widths]
        for k, (i, o) in enumerate(zip(entering, widths)):
            shape = (w0, r, n, k in attends)
            if k < self.levels:
                below = widths[k + 1]
                setattr(self, f"down{k}", FlowDown(i, o, *shape))
                setattr(self, f"halve{k}", nn.Conv2d(o, o, 3, stride=2, padding=1))
                setattr(self, f"double{k}", nn.Conv2d(below, below, 3, padding=1))
                setattr(self, f"up{k}", FlowUp(below, o, i, *shape))
            else:
                self.low_down, self.low_up = FlowDown(i, o, *shape), FlowUp(o, o, i, *shape)
                blocks = FlowBlock(o, o, w0), FlowAttention(o, n), FlowBlock(o, o, w0)
                self.middle = nn.ModuleList(blocks)
        self.norm_out, self.conv_out = norm(widths[0]), nn.Conv2d(widths[0], c, 3, padding=1)

    def forward(self, x, t, q):
        t, x, skips = self.time(t, q), self.conv_in(x), []
        for k in range(self.levels):
            skips.append(x)
            x = getattr(self, f"down{k}")(x, t, skips)
            x = getattr(self, f"halve{k}")(x)
        skips.append(x)
        x = self.low_down(x, t, skips)
        x = self.middle[2](self.middle[1](self.middle[0](x, t)), t)
        x = self.low_up(x, t, skips)
        for k in reversed(range(self.levels)):
            x = getattr(self, f"double{k}")(F.interpolate(x, scale_factor=2))
            x = getattr(self, f"up{k}")(x, t, skips)
        return self.conv_out(F.silu(self.norm_out(x)))


class MixerBlock(nn.Module):
    def __init__(self, n, w, m, f):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm((w, n)), nn.LayerNorm((w, n))
        self.patches = nn.Sequential(nn.Linear(n, m), nn.ReLU(), nn.Linear(m, n))
        self.channels = nn.Sequential(nn.Linear(w, f), nn.ReLU(), nn.Linear(f, w))

    def forward(self, x):
        x = x + self.patches(self.norm1(x))
        return x + self.channels(self.norm2(x).transpose(1, 2)).transpose(1, 2)


class Mixer(nn.Module):
    def __init__(self, c, q, s, n, w, m, f, k):
        super().__init__()
        self.conv_in = nn.Conv2d(c, w, s, stride=s)
        self.time = nn.Linear(1, w)
        if q:
            self.condition = nn.Linear(q, w)
        self.blocks = nn.ModuleList(MixerBlock(n, w, m, f) for _ in range(k))
        self.norm = nn.LayerNorm((w, n))
        self.conv_out = nn.ConvTranspose2d(w, c, s, stride=s)

    def forward(self, x, t, q):
        y = self.conv_in(x)
        shift = self.time(t) + (self.condition(q) if hasattr(self, "condition") else 0)
        h = y.flatten(2) + shift[:, :, None]
        for block in self.blocks:
            h = block(h)
        return self.conv_out(self.norm(h).reshape(y.shape))


def network(name, net, x_shape, *told):
    """A network with parameters by name; `told` is what it is given besides points."""
    state = net.state_dict()
    for key in state:
        if not key.endswith("num_batches_tracked"):
            state[key] = parameter(key, tuple(state[key].shape))
    net.load_state_dict(state)
    x = tensor("x", *x_shape).requires_grad_()
    settled = projections(net.eval()(x, *told))
    y = net.train()(x, *told)
    result = {"name": name, "settled": settled, **record(y, [x], net.named_parameters())}
    result["running"] = [
        {"name": k, "shape": list(v.shape), "after": projections(v)}
        for k, v in net.state_dict().items() if "running" in k
    ]
    return result


def networks():
    yield network("ResNetD16", ResNetD(3, [3, 4, 6, 8]), (2, 3, 16, 16))
    yield network("VolumeResNetD16", ResNetD(2, [2, 3, 4, 4], 3), (2, 2, 16, 16, 16))
    yield network("UNet", UNet(3, 3, [3, 4, 6, 8]), (2, 3, 32, 32))
    yield network("UNetOf3", UNet(2, 2, [4, 6, 5]), (3, 2, 16, 24))
    yield network("AutoEncoder", AutoEncoder(2, 2, 4), (3, 2, 32, 64))
    yield network("ConditionalUNet", ConditionalUNet(2, 3, [2, 3, 4, 5]), (3, 2 * 32 * 32 + 3))
    yield network("VolumeUNetOf3", UNet(2, 2, [3, 4, 4], 3), (2, 2, 8, 8, 16))


def velocities():
    """At times and conditions by name."""
    def velocity(name, net, shape, q):
        return network(name, net, shape, tensor("t", shape[0], 1), tensor("q", shape[0], q))

    unet = FlowUNet(2, 3, 4, [4, 6, 8], 2, {1}, 2)
    yield velocity("FlowUNetOf2", unet, (3, 2, 8, 12), 3)
    yield velocity("FlowUNetOf2 of one block", FlowUNet(1, 0, 4, [4, 4, 4], 1, {0, 2}, 1), (2, 1, 4, 8), 0)
    yield velocity("Mixer", Mixer(2, 3, 2, 6, 5, 7, 8, 2), (3, 2, 4, 6), 3)


if __name__ == "__main__":
    content = {
        "layers": list(layers()), "networks": list(networks()), "velocities": list(velocities()),
    }
    golden.write("image", ["torch", "numpy"], content)
