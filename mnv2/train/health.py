"""Camera health: what the model that tarsier has built in is trained on, and how."""

import os

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

import degrade
import photographs
import scenes

# Size of the pictures, how many make a batch, steps, learning rate: what small parts teach is cheap, and most of it.
SCHEDULE = [(64, 64, 2000, 0.003), (112, 48, 1500, 0.0025), (160, 32, 1300, 0.0015), (224, 24, 800, 0.0008)]

# Width of the last convolution: 1280 are for a thousand classes, and would be half of the file.
LAST = 320

# How often each class is drawn: clear ones are most of what a camera sees, and an alarm that is false costs most.
SHARES = {"clear": 0.28, "dark": 0.1, "overexposed": 0.1, "blurred": 0.13, "covered": 0.13, "corrupt": 0.14, "noisy": 0.12}


class Sources:
    """What pictures are cut out of: photographs, and scenes that are generated once and kept in a file."""

    SCENES = 4000
    GENERATED = 0.3  # share of what is drawn

    def __init__(self, cache, seed):
        cv2.setNumThreads(1)
        self.photographs, self.held_out = photographs.load(cache, 224)
        path = str(cache / f"scenes-{seed}.npy")
        if not os.path.exists(path):
            noises = scenes.Noises(np.random.default_rng([seed, 0]))
            out = np.lib.format.open_memmap(path + ".part", mode="w+", dtype=np.uint8, shape=(self.SCENES, scenes.SIZE, scenes.SIZE, 3))
            for i in range(self.SCENES):
                out[i] = scenes.scene(np.random.default_rng([seed, 1, i]), noises) * 255 + 0.5
            out.flush()
            os.rename(path + ".part", path)
        self.scenes = np.load(path, mmap_mode="r")

    def pick(self, rng):
        source = self.scenes if rng.random() < self.GENERATED else self.photographs
        return source[rng.integers(len(source))]


class Pictures(IterableDataset):
    """Endless batches of N x size x size x 3 bytes and N classes. Batch k is the same, whatever the number of processes that make them."""

    def __init__(self, sources, batch, size, seed):
        self.sources, self.batch, self.size, self.seed = sources, batch, size, seed

    def __iter__(self):
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        k, step = (worker.id, worker.num_workers) if worker else (0, 1)
        names, shares = list(SHARES), list(SHARES.values())
        while True:
            rng = np.random.Generator(np.random.SFC64([self.seed, self.size, k]))
            y = rng.choice(len(names), self.batch, p=shares)
            x = np.stack([degrade.make(rng, lambda: self.sources.pick(rng), names[i], self.size) for i in y])
            yield torch.from_numpy(x), torch.from_numpy(y)
            k += step


def batches(sources, batch, size, seed, workers):
    return iter(DataLoader(Pictures(sources, batch, size, seed), batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None))
