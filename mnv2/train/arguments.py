"""The command line of ./train, which needs no PyTorch to say what is wrong with it."""

import argparse
import os
from pathlib import Path


def arguments():
    p = argparse.ArgumentParser(prog="train", description="From a folder of labelled pictures to a float32 network, which `tarsier quantize` makes int8.")
    p.add_argument("pictures", nargs="?", type=Path, help="folder of pictures: PICTURES/LABEL/*.jpg, .png, .webp or .bmp")
    p.add_argument("--camera-health", action="store_true", help="train the model that tarsier has built in, at --width-mult, on pictures that are generated; its schedule is fixed")
    p.add_argument("--out", type=Path, required=True, help="where labels.txt and the network go, as .safetensors and .onnx")
    p.add_argument("--name", default="model", help="what the network's files are called (default: %(default)s)")
    p.add_argument("--width-mult", type=float, default=0.5, help="(default: %(default)s)")
    p.add_argument("--rounding", choices=["eight", "truncate"], default="eight", help="how channels are rounded (default: %(default)s)")
    p.add_argument("--size", type=int, default=224, help="height and width of the input (default: %(default)s)")
    p.add_argument("--start", type=Path, help=".safetensors of a network to start from, as wide or narrower")
    p.add_argument("--steps", type=int, help="(default: until each picture was seen 30 times, 300 at least)")
    p.add_argument("--batch", type=int, default=32, help="pictures a step (default: %(default)s)")
    p.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="(default: %(default)s)")
    p.add_argument("--workers", type=int, default=1, help="processes that read pictures (default: %(default)s)")
    p.add_argument("--cache", type=Path, default=Path("."), help="where what is generated is kept")
    a = p.parse_args()
    if bool(a.pictures) == a.camera_health:
        p.error("give a folder of pictures, or --camera-health")
    if a.pictures and not a.pictures.is_dir():
        p.error(f"{a.pictures} is no folder; it must have a sub-folder of pictures for each label")
    if a.start and not a.start.is_file():
        p.error(f"--start {a.start}: there is no such file")
    return a


if __name__ == "__main__":
    arguments()
