"""Some 230 photographs that every Debian mirror has: those of GCompris, a collection of games for children, all under free licences.

A quarter of them is never trained on.
"""

import hashlib
import re
import subprocess
import tarfile
import urllib.request

import cv2
import numpy as np

PACKAGE = "https://deb.debian.org/debian/pool/main/g/gcompris-qt/gcompris-qt-data_3.1-2_all.deb"
SHA256 = "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f"
GAMES = ("erase", "explore_", "clickgame", "details", "categorization")  # those that show photographs
SMALLEST = 15000  # bytes; below are icons


def fetch(cache):
    path = cache / PACKAGE.rsplit("/", 1)[1]
    if not path.exists():
        with urllib.request.urlopen(PACKAGE) as r:
            path.write_bytes(r.read())
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        path.unlink()
        raise SystemExit(f"{PACKAGE} is not what it was: its SHA-256 is another")
    return path


def pictures(resources):
    """The WebP and JPEG files in a Qt resource file, uncompressed as such files keep them."""
    for m in re.finditer(rb"RIFF(....)WEBP", resources, re.DOTALL):
        yield m.start(), resources[m.start():m.start() + int.from_bytes(m[1], "little") + 8]
    for m in re.finditer(rb"\xff\xd8\xff[\xe0\xe1]", resources):
        yield m.start(), resources[m.start():resources.find(b"\xff\xd9", m.start()) + 2]


def load(cache, least):
    """The photographs, height x width x 3 bytes each, whose sides have at least so many pixels: those to train on, and those held out."""
    files = {}
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(fetch(cache))], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as package:
            for member in package:
                name = member.name.rsplit("/", 1)[-1]
                if name.endswith(".rcc") and name.startswith(GAMES):
                    for at, data in pictures(package.extractfile(member).read()):
                        if len(data) > SMALLEST:
                            files[f"{name} {at:09}"] = data
    train, held_out = [], []
    for i, name in enumerate(sorted(files)):
        picture = cv2.imdecode(np.frombuffer(files[name], np.uint8), cv2.IMREAD_COLOR)
        if picture is not None and min(picture.shape[:2]) >= least:
            (train if i % 4 else held_out).append(np.ascontiguousarray(picture[..., ::-1]))
    return train, held_out
