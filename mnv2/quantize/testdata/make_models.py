"""Makes small MobileNetV2 networks with the tools that people have, and writes them as those tools do.

    make_models.py FOLDER

FOLDER gets pictures.bin (N x 224 x 224 x 3 bytes), the model files, *.answers (N x outputs float32: what the tool itself computes from the
pictures) and models.json, which says what belongs together. Weights are random, and their batch normalization is that of the pictures, so
that activations live as in a trained network.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np

CLASSES = 10
IMAGENET = ([0.485 * 255, 0.456 * 255, 0.406 * 255], [0.229 * 255, 0.224 * 255, 0.225 * 255])
ODD = ([120, 110, 100.5], [60, 70, 80.25])

here = pathlib.Path(__file__).resolve().parent
models = []


def pictures(count):
    """Noise at several scales: gradients, edges and textures in every colour."""
    rng = np.random.default_rng(1)
    out = np.zeros((count, 224, 224, 3))
    for size in (2, 4, 7, 16, 32, 112):
        coarse = rng.normal(size=(count, size, size, 3))
        at = np.arange(224) * size // 224
        out += coarse[:, at][:, :, at] * rng.uniform(5, 40, size=(count, 1, 1, 1))
    return np.clip(out + rng.uniform(60, 190, size=(count, 1, 1, 3)), 0, 255).astype(np.uint8)


def record(folder, name, files, answers, kind):
    """kind: what the answers are, logits, scores, or embedding."""
    np.asarray(answers, np.float32).tofile(folder / f"{name}.answers")
    for file in files:
        models.append({"file": file, "answers": f"{name}.answers", "kind": kind})


# PyTorch: torchvision, timm, and the package beside this one.


def enliven(net, x, seed):
    """Random batch normalizations with the statistics of x."""
    import torch

    torch.manual_seed(seed)
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(m.weight, 0.5, 1.5)
            torch.nn.init.uniform_(m.bias, -0.5, 1.5)
            m.reset_running_stats()
            m.momentum = None
        elif isinstance(m, torch.nn.Dropout):
            m.p = 0.0
        elif isinstance(m, torch.nn.Linear):
            torch.nn.init.normal_(m.weight, 0, 0.1)
            torch.nn.init.normal_(m.bias, 0, 1)
    with torch.no_grad():
        net.train()(x)
    return net.eval()


def from_torch(folder, shots, name, net, normalization, says=False):
    """says: the files tell the normalization themselves, and a prefix is before the names of the weights."""
    import onnx
    import torch
    from safetensors.torch import save_file

    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in normalization)
    x = (torch.from_numpy(shots).permute(0, 3, 1, 2).float() - mean) / std
    enliven(net, x, len(models))
    with torch.no_grad():
        answers = net(x).numpy()

    # Each form with what goes into the export: with a picture whose channels are last in memory, dynamo writes another head.
    one, plain = (x[:1],), (torch.zeros(1, 3, 224, 224),)
    forms = {
        "torchscript": (one, dict(dynamo=False, opset_version=11, input_names=["input"], dynamic_axes={"input": {0: "batch"}})),
        "batchnorm": (one, dict(dynamo=False, opset_version=17, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)),
        "dynamo": (one, dict(dynamo=True)),
        "dynamo_batch": (plain, dict(dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},))),
    }
    metadata = {"tarsier.mean": ",".join(map(str, normalization[0])), "tarsier.std": ",".join(map(str, normalization[1]))}
    files = []
    for form, (inputs, options) in forms.items():
        file = f"{name}_{form}.onnx"
        files.append(file)
        torch.onnx.export(net, inputs, folder / file, external_data=False, verbose=False, **options)
        if says:
            model = onnx.load(folder / file)
            onnx.helper.set_model_props(model, metadata)
            onnx.save(model, folder / file)
    weights = {("model." if says else "") + k: v.contiguous() for k, v in net.state_dict().items()}
    files.append(f"{name}.safetensors")
    save_file(weights, folder / files[-1], metadata if says else None)
    record(folder, name, files, answers, "logits" if answers.shape[1] == CLASSES else "embedding")


def torch_models(folder, shots):
    import timm
    import torchvision

    sys.path.insert(0, str(here.parent.parent / "train"))
    from network import MobileNetV2

    from_torch(folder, shots, "torchvision_0.25", torchvision.models.mobilenet_v2(width_mult=0.25, num_classes=CLASSES), IMAGENET)
    from_torch(folder, shots, "timm_0.5", timm.create_model("mobilenetv2_050", num_classes=CLASSES), IMAGENET)
    from_torch(folder, shots, "plain_0.3", MobileNetV2(width_mult=0.3, classes=CLASSES, rounding="truncate"), IMAGENET)
    from_torch(folder, shots, "plain_0.15_features", MobileNetV2(width_mult=0.15, classes=0, rounding="truncate"), ODD, says=True)


# TensorFlow and Keras, with both of its backends.


def enliven_keras(net, x, seed):
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.uniform(-0.5, 1.5, layer.beta.shape))
            layer.momentum = 0.0
        elif type(layer).__name__ == "Dense":
            layer.kernel.assign(rng.normal(0, 0.1, layer.kernel.shape))
            layer.bias.assign(rng.normal(0, 1, layer.bias.shape))
    net(x, training=True)


def litert(data, x):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    answers = []
    for i in range(len(x)):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x[i : i + 1])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(answers)


def from_keras(folder, shots, name, net, kind):
    import tensorflow as tf
    import tf2onnx

    x = (shots.astype(np.float32) - 127.5) / 127.5
    enliven_keras(net, x, len(models))
    answers = net(x).numpy()

    files = [f"{name}.tflite", f"{name}.onnx", f"{name}_tf2onnx.onnx"]
    (folder / files[0]).write_bytes(tf.lite.TFLiteConverter.from_keras_model(net).convert())
    net.export(folder / files[1], format="onnx", verbose=False)
    tf2onnx.convert.from_keras(net, input_signature=(tf.TensorSpec((1, 224, 224, 3)),), opset=13, output_path=str(folder / files[2]))
    record(folder, name, files, answers, kind)

    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    half = converter.convert()
    (folder / f"{name}_float16.tflite").write_bytes(half)
    record(folder, f"{name}_float16", [f"{name}_float16.tflite"], litert(half, x), kind)

    weights = folder / f"{name}.weights.h5"
    net.save_weights(weights)
    file = f"{name}_torch.onnx"
    subprocess.run([sys.executable, __file__, "--keras-on-torch", weights, folder / file], env={**os.environ, "KERAS_BACKEND": "torch"}, check=True)
    weights.unlink()
    record(folder, f"{name}_torch", [file], np.load(folder / f"{file}.npy"), kind)
    (folder / f"{file}.npy").unlink()


def keras_model(name):
    import keras

    make = keras.applications.MobileNetV2
    if "features" in name:
        return make(input_shape=(224, 224, 3), alpha=0.2, weights=None, include_top=False, pooling="avg")
    return make(alpha=0.35, weights=None, classes=CLASSES)


def keras_on_torch(weights, file):
    """Writes as ONNX what PyTorch runs of a Keras model. Its paddings are computed, until onnxsim has done that once and for all."""
    import keras
    import onnx
    import onnxsim

    shots = np.fromfile(pathlib.Path(file).parent / "pictures.bin", np.uint8).reshape(-1, 224, 224, 3)
    net = keras_model(weights)
    net.load_weights(weights)
    answers = net((shots.astype(np.float32) - 127.5) / 127.5, training=False)
    np.save(f"{file}.npy", keras.ops.convert_to_numpy(answers))
    net.export(file, format="onnx", verbose=False)
    model = onnx.load(file)
    model, right = onnxsim.simplify(model, overwrite_input_shapes={model.graph.input[0].name: [1, 224, 224, 3]})
    assert right
    onnx.save(model, file)


def keras_models(folder, shots):
    from_keras(folder, shots, "keras_0.35", keras_model("keras_0.35"), "scores")
    from_keras(folder, shots, "keras_0.2_features", keras_model("keras_0.2_features"), "embedding")


def main():
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--keras-on-torch":
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
            keras_on_torch(*sys.argv[2:])
        return
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    shots = pictures(4)
    shots.tofile(folder / "pictures.bin")
    torch_models(folder, shots)
    keras_models(folder, shots)
    (folder / "models.json").write_text(json.dumps({"pictures": len(shots), "models": models}, indent=1))


if __name__ == "__main__":
    main()
