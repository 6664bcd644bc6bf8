"""A folder of labelled pictures, PICTURES/LABEL/*.jpg, as batches."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class Folder:
    """The pictures of a folder and their labels, one label a sub-folder, in the order of their names. One in ten is held out."""

    def __init__(self, path):
        self.labels = sorted(d.name for d in Path(path).iterdir() if d.is_dir() and any(f.suffix.lower() in SUFFIXES for f in d.iterdir()))
        if len(self.labels) < 2:
            raise SystemExit(f"{path} has {len(self.labels)} sub-folders with pictures; there must be two at least, named like the labels")
        self.train, self.held_out = [], []
        for i, label in enumerate(self.labels):
            files = [f for f in sorted((Path(path) / label).iterdir()) if f.suffix.lower() in SUFFIXES]
            with ThreadPoolExecutor() as pool:
                usable = list(pool.map(is_picture, files))
            for f, good in zip(files, usable):
                if not good:
                    print(f"left out, since it cannot be read: {f}", file=sys.stderr)
                else:
                    part = int.from_bytes(hashlib.sha256(f"{label}/{f.name}".encode()).digest()[:4], "big") % 10
                    (self.held_out if part == 0 else self.train).append((f, i))
        without = [label for i, label in enumerate(self.labels) if not any(c == i for _, c in self.train)]
        if without:
            raise SystemExit(f"{path}/{without[0]} has too few pictures to train on")


def is_picture(path):
    return cv2.imread(str(path), cv2.IMREAD_COLOR) is not None


def read(path):
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def fit_to(picture, size):
    """The whole picture, stretched as the daemon does it."""
    smaller = picture.shape[0] >= size and picture.shape[1] >= size
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def vary(rng, picture, size):
    """A part of the picture, of any light, either way round."""
    h, w = picture.shape[:2]
    area, aspect = rng.uniform(0.35, 1), np.exp(rng.uniform(-0.3, 0.3))
    hh, ww = min(h, int(h * np.sqrt(area / aspect))), min(w, int(w * np.sqrt(area * aspect)))
    y, x = rng.integers(h - hh + 1), rng.integers(w - ww + 1)
    p = fit_to(picture[y:y + hh, x:x + ww], size).astype(np.float32)
    if rng.random() < 0.5:
        p = p[:, ::-1]
    p = (p - 128) * rng.uniform(0.7, 1.3) + 128 * rng.uniform(0.7, 1.3)
    return np.clip(p * rng.uniform(0.9, 1.1, 3), 0, 255).astype(np.uint8)


class Pictures(IterableDataset):
    """Endless batches, every label as often as any other."""

    def __init__(self, folder, batch, size, seed):
        self.folder, self.batch, self.size, self.seed = folder, batch, size, seed

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        k, step = (worker.id, worker.num_workers) if worker else (0, 1)
        of = [[f for f, c in self.folder.train if c == i] for i in range(len(self.folder.labels))]
        while True:
            rng = np.random.default_rng([self.seed, k])
            y = rng.integers(len(of), size=self.batch)
            x = np.stack([vary(rng, read(of[i][rng.integers(len(of[i]))]), self.size) for i in y])
            yield torch.from_numpy(x), torch.from_numpy(y)
            k += step


def batches(folder, batch, size, seed, workers):
    return iter(DataLoader(Pictures(folder, batch, size, seed), batch_size=None, num_workers=workers))


def held_out(folder, size, batch=32):
    for i in range(0, len(folder.held_out), batch):
        part = folder.held_out[i:i + batch]
        yield torch.from_numpy(np.stack([fit_to(read(f), size) for f, _ in part])), torch.tensor([c for _, c in part])
