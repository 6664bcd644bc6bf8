"""Tests of the training, small ones: ./deploy/test-models runs them."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

import degrade
import export
import main
import scenes
from network import MobileNetV2


class CameraHealth(unittest.TestCase):
    def test_every_class_is_made(self):
        rng = np.random.default_rng(1)
        noises = scenes.Noises(rng)
        shown = [(scenes.scene(rng, noises) * 255).astype(np.uint8) for _ in range(8)]
        pick = lambda: shown[rng.integers(len(shown))]
        for size in (64, 224):
            for c, name in enumerate(degrade.CLASSES):
                for _ in range(8):
                    picture, cells = degrade.make(rng, pick, name, size)
                    self.assertEqual((picture.shape, picture.dtype), ((size, size, 3), np.uint8))
                    self.assertEqual(cells.shape, (size // 16, size // 16))
                    self.assertTrue(set(cells.flat) <= {0, c}, f"{name} has cells of {set(cells.flat)}")
                    light = degrade.luma(picture.astype(np.float32) / 255).mean()
                    self.assertFalse(name == "dark" and light > 0.2 or name == "overexposed" and light < 0.6, f"{name} has the light {light}")


class Start(unittest.TestCase):
    def test_a_wider_network_gives_what_the_narrower_gave(self):
        with tempfile.TemporaryDirectory() as d:
            narrow = MobileNetV2(0.35, 5, last=64).eval()
            export.save(narrow, f"{d}/narrow.safetensors", 64)
            wide = MobileNetV2(0.5, 5, last=64).eval()
            export.start(wide, f"{d}/narrow.safetensors")
            x = torch.randn(2, 3, 64, 64)
            with torch.no_grad():
                torch.testing.assert_close(wide(x), narrow(x), atol=1e-5, rtol=1e-5)
            export.start(MobileNetV2(0.5, 3, last=64), f"{d}/narrow.safetensors")  # its classifier starts anew
            with self.assertRaisesRegex(SystemExit, "is of a wider network"):
                export.save(wide, f"{d}/wide.safetensors", 64)
                export.start(narrow, f"{d}/wide.safetensors")


class Folder(unittest.TestCase):
    def test_from_pictures_to_a_network(self):
        with tempfile.TemporaryDirectory() as d:
            pictures(Path(d) / "pictures")
            (Path(d) / "pictures" / "red" / "broken.jpg").write_text("no picture")
            train = lambda: mock.patch.object(sys, "argv", ["train", f"{d}/pictures", "--out", f"{d}/out", "--width-mult", ".35", "--size", "64", "--steps", "20"])
            with train(), mock.patch("builtins.print") as said:
                main.main()
            self.assertEqual(said.call_args_list[-1].args, (Path(d) / "out" / "model_0.35.safetensors",))
            lines = [str(c.args[0]) for c in said.call_args_list]
            self.assertTrue(any("left out" in line and "broken.jpg" in line for line in lines), lines)
            self.assertTrue((Path(d) / "out" / "model_0.35.onnx").exists())
            self.assertEqual((Path(d) / "out" / "labels.txt").read_text(), "blue\nred\n")
            (Path(d) / "out" / "labels.txt").write_text("other\n")
            with train(), self.assertRaisesRegex(SystemExit, "has other labels"):
                main.main()


def pictures(folder):
    """Writes red and blue pictures, a folder each: anything can learn these."""
    rng = np.random.default_rng(1)
    for name, colour in {"red": (60, 60, 190), "blue": (190, 60, 60)}.items():
        (folder / name).mkdir(parents=True)
        for i in range(30):
            cv2.imwrite(str(folder / name / f"{i}.png"), np.clip(rng.normal(colour, 40, (90, 120, 3)), 0, 255).astype(np.uint8))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pictures"]:
        pictures(Path(sys.argv[2]))
    else:
        unittest.main()
