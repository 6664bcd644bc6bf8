"""Trains a network on an endless source of batches, and reports as it goes."""

import copy
import math
import sys
import time

import torch
from torch import distributed
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
        own, new = ([v for v in n.state_dict().values() if v.is_floating_point()] for n in (self.net, net))
        torch._foreach_lerp_(own, new, 1 - d)


@torch.no_grad()
def settle(net, batches, count):
    """Takes batch normalization's statistics anew, of count batches: those of averaged weights are not the average of theirs."""
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.reset_running_stats()
            m.momentum = None  # the mean of all
    net.train()
    for _ in range(count):
        net(pixels(next(batches)[0]).contiguous(memory_format=torch.channels_last))
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.momentum = 0.1
    net.eval()


def groups(net, decay):
    """Weight decay is for weights: not for biases, and not for batch normalization's factors."""
    yes = [p for p in net.parameters() if p.ndim > 1]
    no = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": yes, "weight_decay": decay}, {"params": no, "weight_decay": 0.0}]


def agree(parameters):
    """Gives each process the mean of all processes' gradients."""
    flat = torch.cat([p.grad.flatten() for p in parameters])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for p, g in zip(parameters, flat.split([p.numel() for p in parameters])):
        p.grad.copy_(g.view_as(p))


def fit(net, batches, steps, first, last=0.0, decay=0.02, smoothing=0.02, places=None):
    """Trains for a number of steps on batches of (N x size x size x 3 bytes, N labels), by AdamW, from one learning rate to another along half a
    cosine. Gives the averaged network. Processes of one group take a step together, each with a batch of its own.

    Batches with a third part, the label of each 16 x 16 pixels, also train places, a 1x1 convolution on what the last blocks of stride 16 see,
    which is of no use afterwards: told where to look, a network learns sooner what to look for."""
    net.train().to(memory_format=torch.channels_last)
    average = Average(net)
    optimizer = torch.optim.AdamW(groups(net, decay) + (groups(places, decay) if places else []), lr=first, betas=(0.9, 0.99), fused=True)
    parameters = [p for g in optimizer.param_groups for p in g["params"]]
    together = distributed.is_initialized()
    warm = max(1, min(100, steps // 10))
    start, right, seen, losses = time.monotonic(), 0, 0, 0.0
    for step in range(steps):
        for g in optimizer.param_groups:
            g["lr"] = min(first * (step + 1) / warm, last + (first - last) * 0.5 * (1 + math.cos(math.pi * step / steps)))
        x, y, *labels = next(batches)
        seen16 = net.to_stride_16(pixels(x).contiguous(memory_format=torch.channels_last))
        logits = net.from_stride_16(seen16)
        loss = functional.cross_entropy(logits, y, label_smoothing=smoothing)
        if places:
            loss = loss + 0.5 * functional.cross_entropy(places(seen16), labels[0])
        optimizer.zero_grad()
        loss.backward()
        if together:
            agree(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 5.0, foreach=True)
        optimizer.step()
        average.update(net)
        right += int((logits.argmax(1) == y).sum())
        seen += len(y)
        losses += float(loss.detach()) * len(y)
        if ((step + 1) % 50 == 0 or step + 1 == steps) and not (together and distributed.get_rank()):
            spent = time.monotonic() - start
            print(f"step {step + 1} of {steps}: loss {losses / seen:.3f}, {100 * right / seen:.1f} % right, {(step + 1) / spent:.2f} steps/s", file=sys.stderr, flush=True)
            right, seen, losses = 0, 0, 0.0
    settle(average.net, batches, min(steps, 50))
    return average.net
