"""From pictures to a float32 network: see ./train, which calls this and then `tarsier quantize`."""

import multiprocessing
import random
import sys

import cv2
import numpy as np
import torch
from torch import distributed

import degrade
import export
import fit
import folder
import health
from arguments import arguments
from network import MobileNetV2, pixels

cv2.setNumThreads(1)  # what works side by side here is processes, and OpenCV's threads do not survive that one forks


def same_every_time(seed, threads):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # all of it is written, and filling costs a tenth of the time
    torch.set_num_threads(threads)


def right(net, batches):
    """Of each class that is in the batches of (pictures, labels, ...), how many pictures there are and how many are taken for it."""
    counts = {}
    with torch.no_grad():
        for x, y, *_ in batches:
            for label, said in zip(y.tolist(), net(pixels(x)).argmax(1).tolist()):
                n, hits = counts.get(label, (0, 0))
                counts[label] = n + 1, hits + (label == said)
    return counts


def save(net, a, labels):
    """Writes the network and its labels, and gives the path of the .safetensors file."""
    (a.out / "labels.txt").write_text("".join(label + "\n" for label in labels))
    path = a.out / f"{a.name}_{a.width_mult}.safetensors"
    export.save(net, str(path), a.size)
    export.save_onnx(net, str(path.with_suffix(".onnx")), a.size)
    return path


def train_folder(a):
    data = folder.Folder(a.pictures)
    there = a.out / "labels.txt"
    if there.exists() and there.read_text().split("\n")[:-1] != data.labels:
        raise SystemExit(f"{there} has other labels than {a.pictures} has sub-folders: name another --out")
    net = MobileNetV2(a.width_mult, len(data.labels), a.rounding, dropout=0.2)
    if a.start:
        export.start(net, a.start)
    steps = a.steps or max(300, 30 * len(data.train) // a.batch)
    print(f"{len(data.train)} pictures of {len(data.labels)} labels, {steps} steps of {a.batch}", file=sys.stderr)
    net = fit.fit(net, folder.batches(data, a.batch, a.size, a.seed, a.workers), steps, 0.001 if a.start else 0.003, smoothing=0.1)
    written = save(net, a, data.labels)
    for label, (n, hits) in sorted(right(net, folder.held_out(data, a.size)).items()):
        print(f"{data.labels[label]}: {hits} of {n} pictures that were held out are right", file=sys.stderr)
    return written


def fit_health(rank, a, sources):
    """Trains as one of the processes; all of them get the same network."""
    same_every_time(a.seed, 1)
    distributed.init_process_group("gloo", init_method=f"file://{a.cache.resolve()}/meeting", rank=rank, world_size=health.PROCESSES)
    net = MobileNetV2(a.width_mult, len(degrade.CLASSES), a.rounding, health.LAST)
    if a.start:
        export.start(net, a.start)
    places = torch.nn.Conv2d(net.channels_16, len(degrade.CLASSES), 1)
    for size, batch, steps, first, last in health.WIDE if a.start else health.NARROW:
        if rank == 0:
            print(f"{steps} steps of {health.PROCESSES * batch} pictures of {size}x{size}", file=sys.stderr)
        net = fit.fit(net, health.batches(sources, batch, size, a.seed + bool(a.start), rank), steps, first, last, places=places)
    distributed.destroy_process_group()
    return net


def train_health(a):
    a.cache.mkdir(parents=True, exist_ok=True)
    (a.cache / "meeting").unlink(missing_ok=True)
    sources = health.Sources(a.cache, a.seed)
    others = [multiprocessing.get_context("fork").Process(target=fit_health, args=(rank, a, sources)) for rank in range(1, health.PROCESSES)]
    for p in others:
        p.start()
    net = fit_health(0, a, sources)
    for p in others:
        p.join()
    written = save(net, a, degrade.CLASSES)
    for label, (n, hits) in sorted(right(net, health.held_out(sources, a.seed, 30)).items()):
        print(f"{degrade.CLASSES[label]}: {100 * hits / n:.1f} % of {n} made of photographs that were held out are right", file=sys.stderr)
    calibration = a.cache / "calibration"
    calibration.mkdir(exist_ok=True)
    rng = np.random.default_rng([a.seed, 2])
    for i in range(140):
        picture, _ = degrade.make(rng, lambda: sources.pick(rng), degrade.CLASSES[i % len(degrade.CLASSES)], a.size)
        cv2.imwrite(str(calibration / f"{i:03}.png"), picture[..., ::-1])
    return written


def main():
    a = arguments()
    same_every_time(a.seed, a.threads)
    a.out.mkdir(parents=True, exist_ok=True)
    written = (train_health if a.camera_health else train_folder)(a)
    print(written)  # for ./train: all else goes to stderr


if __name__ == "__main__":
    main()
