"""MobileNetV2 (Sandler et al., arXiv 1801.04381) as one reads it in the paper."""

import torch
from torch import nn

# Table 2: expansion, channels, repeats, stride of the first.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def to_eight(channels):
    """Rounds to a multiple of 8, but never loses more than 10 %: TensorFlow, torchvision, every published model."""
    n = max(8, int(channels + 4) // 8 * 8)
    return n + 8 if n < 0.9 * channels else n


ROUNDINGS = {"eight": to_eight, "truncate": int}


def conv(channels_in, channels_out, kernel, stride=1, groups=1):
    return [nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(channels_out)]


class Block(nn.Module):
    """An inverted residual block with a linear bottleneck: expand, depthwise, project."""

    def __init__(self, channels_in, channels_out, stride, expansion):
        super().__init__()
        wide = channels_in * expansion
        self.residual = stride == 1 and channels_in == channels_out
        self.conv = nn.Sequential(*conv(channels_in, wide, 1), nn.ReLU6(), *conv(wide, wide, 3, stride, wide), nn.ReLU6(), *conv(wide, channels_out, 1))

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Takes N x 3 x size x size, normalized pixels, and gives N x classes logits; without classes, the embedding, N x 1280 numbers or last."""

    def __init__(self, width_mult=1.0, classes=1000, rounding="eight", last=None, dropout=0.0):
        super().__init__()
        channels = ROUNDINGS[rounding]
        c = channels(32 * width_mult)
        self.first_layer = nn.Sequential(*conv(3, c, 3, 2), nn.ReLU6())
        blocks = []
        for expansion, wide, repeats, stride in STAGES:
            if wide == 160:
                self.stride_16, self.channels_16 = len(blocks), c
            for i in range(repeats):
                out = channels(wide * width_mult)
                blocks.append(Block(c, out, stride if i == 0 else 1, expansion))
                c = out
        self.layers = nn.Sequential(*blocks)
        last = last or channels(1280 * max(1.0, width_mult))
        self.last_layer = nn.Sequential(*conv(c, last, 1), nn.ReLU6())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(last, classes) if classes else nn.Identity()
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.zeros_(m.bias)

    def to_stride_16(self, x):
        """What is seen before the last stride: N x channels_16 x size/16 x size/16."""
        return self.layers[:self.stride_16](self.first_layer(x))

    def from_stride_16(self, x):
        x = self.last_layer(self.layers[self.stride_16:](x))
        return self.classifier(self.dropout(x.mean((2, 3))))

    def forward(self, x):
        return self.from_stride_16(self.to_stride_16(x))


def pixels(bytes_):
    """Bytes, N x size x size x 3, to what the network takes: -1..1, so that quantizing changes no pixel."""
    return (bytes_.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 127.5
