"""Runs int8 models in LiteRT.

    run_litert.py PICTURES MODEL...

PICTURES has 224 x 224 x 3 bytes for each picture. For each MODEL.tflite, MODEL.tflite.outputs gets the int8 numbers that it gives for them.
"""

import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

pictures = np.fromfile(sys.argv[1], np.uint8).reshape(-1, 1, 224, 224, 3)
for model in sys.argv[2:]:
    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    outputs = []
    for picture in pictures:
        # A byte is a byte.
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], (picture.astype(np.int16) - 128).astype(np.int8))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    outputs = np.array(outputs)
    assert outputs.dtype == np.int8, outputs.dtype
    pathlib.Path(model + ".outputs").write_bytes(outputs.tobytes())
