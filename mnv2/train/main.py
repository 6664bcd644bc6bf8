"""From pictures to a float32 network: see ./train, which calls this and then `tarsier quantize`."""

import argparse
import os
import random
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

import degrade
import export
import fit
import folder
import health
from network import MobileNetV2, pixels


def same_every_time(seed, threads):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)


def accuracy(net, batches):
    right, count = 0, 0
    with torch.no_grad():
        for x, y in batches:
            right += int((net(pixels(x)).argmax(1) == y).sum())
            count += len(y)
    return right / max(count, 1), count


def train_folder(a):
    data = folder.Folder(a.pictures)
    net = MobileNetV2(a.width_mult, len(data.labels), a.rounding, dropout=0.2)
    if a.start:
        export.start(net, a.start)
    steps = a.steps or max(300, 30 * len(data.train) // a.batch)
    print(f"{len(data.train)} pictures of {len(data.labels)} labels, {steps} steps of {a.batch}", file=sys.stderr)
    net = fit.fit(net, folder.batches(data, a.batch, a.size, a.seed, a.workers), steps, 0.001 if a.start else 0.003, smoothing=0.1)
    share, count = accuracy(net, folder.held_out(data, a.size))
    print(f"{100 * share:.1f} % of {count} held-out pictures are right", file=sys.stderr)
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / "labels.txt").write_text("".join(label + "\n" for label in data.labels))
    return net


def train_health(a):
    a.cache.mkdir(parents=True, exist_ok=True)
    sources = health.Sources(a.cache, a.seed)
    net = MobileNetV2(a.width_mult, len(degrade.CLASSES), a.rounding, health.LAST)
    for size, batch, steps, rate in health.SCHEDULE:
        print(f"{steps} steps of {batch} pictures of {size}x{size}", file=sys.stderr)
        net = fit.fit(net, health.batches(sources, batch, size, a.seed, a.workers), steps, rate)
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / "labels.txt").write_text("".join(label + "\n" for label in degrade.CLASSES))
    calibration = a.cache / "calibration"
    calibration.mkdir(exist_ok=True)
    rng = np.random.default_rng([a.seed, 2])
    for i in range(140):
        picture = degrade.make(rng, lambda: sources.pick(rng), degrade.CLASSES[i % len(degrade.CLASSES)], a.size)
        cv2.imwrite(str(calibration / f"{i:03}.png"), picture[..., ::-1])
    return net


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("pictures", nargs="?", help="folder of pictures: PICTURES/LABEL/*.jpg")
    p.add_argument("--camera-health", action="store_true", help="train the model that tarsier has built in, on pictures that are generated")
    p.add_argument("--out", type=Path, required=True, help="where labels.txt and the network go, as .safetensors and .onnx")
    p.add_argument("--name", default="model", help="what the network's files are called")
    p.add_argument("--width-mult", type=float, default=0.5)
    p.add_argument("--rounding", choices=["eight", "truncate"], default="eight", help="how channels are rounded")
    p.add_argument("--size", type=int, default=224, help="height and width of the input")
    p.add_argument("--start", help=".safetensors of a network of this width to start from")
    p.add_argument("--steps", type=int, help="default: 30 times all pictures")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--workers", type=int, default=1, help="processes that make pictures")
    p.add_argument("--cache", type=Path, default=Path("."), help="where what is generated is kept")
    a = p.parse_args()
    if bool(a.pictures) == a.camera_health:
        p.error("give a folder of pictures, or --camera-health")
    same_every_time(a.seed, a.threads)
    net = train_health(a) if a.camera_health else train_folder(a)
    export.save(net, str(a.out / f"{a.name}_{a.width_mult}.safetensors"), a.size)
    export.save_onnx(net, str(a.out / f"{a.name}_{a.width_mult}.onnx"), a.size)


if __name__ == "__main__":
    main()
