"""Trains a network on an endless source of batches, and reports as it goes."""

import copy
import math
import sys
import time

import torch
from torch.nn import functional

from network import pixels


class Average:
    """The weights' moving average, which is what is kept: it is a better network than the last step's (Polyak and Juditsky, 1992)."""

    def __init__(self, net, decay=0.998):
        self.net = copy.deepcopy(net).eval()
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def update(self, net):
        self.steps += 1
        d = min(self.decay, self.steps / (self.steps + 10))
        for a, b in zip(self.net.state_dict().values(), net.state_dict().values()):
            if a.is_floating_point():
                a.lerp_(b, 1 - d)
            else:
                a.copy_(b)


def groups(net, decay):
    """Weight decay is for weights: not for biases, and not for batch normalization's factors."""
    yes = [p for p in net.parameters() if p.ndim > 1]
    no = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": yes, "weight_decay": decay}, {"params": no, "weight_decay": 0.0}]


def fit(net, batches, steps, rate, decay=0.02, smoothing=0.02):
    """Trains for a number of steps on batches of (N x size x size x 3 bytes, N labels), by AdamW and half a cosine. Gives the averaged network."""
    net.train().to(memory_format=torch.channels_last)
    average = Average(net)
    optimizer = torch.optim.AdamW(groups(net, decay), lr=rate, betas=(0.9, 0.99))
    warm = max(1, min(100, steps // 10))
    start, right, seen, losses = time.monotonic(), 0, 0, 0.0
    for step in range(steps):
        for g in optimizer.param_groups:
            g["lr"] = rate * min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.005)
        x, y = next(batches)
        logits = net(pixels(x).contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits, y, label_smoothing=smoothing)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update(net)
        right += int((logits.argmax(1) == y).sum())
        seen += len(y)
        losses += float(loss.detach()) * len(y)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            spent = time.monotonic() - start
            print(f"step {step + 1} of {steps}: loss {losses / seen:.3f}, {100 * right / seen:.1f} % right, {(step + 1) / spent:.2f} steps/s", file=sys.stderr, flush=True)
            right, seen, losses = 0, 0, 0.0
    return average.net
