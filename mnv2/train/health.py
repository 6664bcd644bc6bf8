"""Camera health: what the model that tarsier has built in is trained on, and how."""

import hashlib
import itertools
import multiprocessing
import os
from pathlib import Path

import numpy as np
import torch

import degrade
import photographs
import scenes

# How many processes train together. Each makes a batch of its own for each step, so another number would give another network.
PROCESSES = 2

# Size of the pictures, how many make a batch of a process, steps, learning rate at the first and at the last: what small parts teach is cheap, and
# most of it.
NARROW = [(64, 32, 3600, 0.003, 0.0022), (112, 24, 2400, 0.0022, 0.0013), (160, 16, 1250, 0.0013, 0.0007), (224, 12, 850, 0.0007, 0.00001)]

# The wide network starts as the narrow one, and goes on from there.
WIDE = [(112, 24, 400, 0.0013, 0.001), (160, 16, 350, 0.001, 0.0007), (224, 12, 380, 0.0007, 0.00001)]

# Width of the last convolution: 1280 are for a thousand classes, and would be half of the file.
LAST = 320

# How often each class is drawn: clear ones are most of what a camera sees, and an alarm that is false costs most.
SHARES = {"clear": 0.34, "dark": 0.08, "overexposed": 0.09, "blurred": 0.13, "covered": 0.14, "corrupt": 0.14, "noisy": 0.08}


class Sources:
    """What pictures are cut out of: photographs, and scenes that are generated once and kept in a file."""

    SCENES = 2000
    GENERATED = 0.2  # share of what is drawn

    def __init__(self, cache, seed):
        self.photographs, self.held_out = photographs.load(cache, 224)
        made_by = hashlib.sha256(Path(scenes.__file__).read_bytes()).hexdigest()[:8]
        path = str(cache / f"scenes-{made_by}-{self.SCENES}-{seed}.npy")
        if not os.path.exists(path):
            out = np.lib.format.open_memmap(path + ".part", mode="w+", dtype=np.uint8, shape=(self.SCENES, scenes.SIZE, scenes.SIZE, 3))
            with multiprocessing.Pool(initializer=scenes.start, initargs=(seed,)) as pool:
                for i, scene in enumerate(pool.imap(scenes.numbered, range(self.SCENES), 16)):
                    out[i] = scene
            out.flush()
            os.rename(path + ".part", path)
        self.scenes = np.load(path, mmap_mode="r")

    def pick(self, rng):
        source = self.scenes if rng.random() < self.GENERATED else self.photographs
        return source[rng.integers(len(source))]


def batches(sources, batch, size, seed, rank):
    """Endless batches of N x size x size x 3 bytes, N classes, and N x size/16 x size/16 classes of cells: those of one of the processes."""
    names, shares = list(SHARES), list(SHARES.values())
    for k in itertools.count(rank, PROCESSES):
        rng = np.random.Generator(np.random.SFC64([seed, size, k]))
        y = rng.choice(len(names), batch, p=shares)
        x, cells = zip(*(degrade.make(rng, lambda: sources.pick(rng), names[i], size) for i in y))
        yield torch.from_numpy(np.stack(x)), torch.from_numpy(y), torch.from_numpy(np.stack(cells))


def held_out(sources, seed, batches):
    """Batches of pictures and classes, all classes alike, made of photographs that are not trained on."""
    for k in range(batches):
        rng = np.random.default_rng([seed, 3, k])
        y = np.tile(np.arange(len(degrade.CLASSES)), 4)
        x = [degrade.make(rng, lambda: sources.held_out[rng.integers(len(sources.held_out))], degrade.CLASSES[i], 224)[0] for i in y]
        yield torch.from_numpy(np.stack(x)), torch.from_numpy(y)
