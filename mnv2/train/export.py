"""Writes a trained network as safetensors and as ONNX: what `tarsier quantize` reads."""

import torch
from safetensors.torch import load_file, save_file

# What a pixel's byte p stands for, (p - mean) / std, and the size of the input, where neither format has a place for it.
def metadata(size):
    return {"tarsier.mean": "127.5,127.5,127.5", "tarsier.std": "127.5,127.5,127.5", "tarsier.size": str(size)}


def save(net, path, size):
    weights = {k: v.contiguous() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file(weights, path, metadata(size))


def start(net, path):
    """Starts from the weights of another network of the same width; a classifier of other classes starts anew."""
    weights = load_file(path)
    own = net.state_dict()
    other = [k for k, v in weights.items() if k not in own or own[k].shape != v.shape]
    if any(not k.startswith("classifier.") for k in other):
        raise SystemExit(f"{path} is of another network: {other[0]} has the shape {list(weights[other[0]].shape)}; is --width-mult the same?")
    net.load_state_dict({k: v for k, v in weights.items() if k not in other}, strict=False)


def save_onnx(net, path, size):
    import onnx

    net = net.eval().to(memory_format=torch.contiguous_format)
    torch.onnx.export(net, (torch.zeros(1, 3, size, size),), path, input_names=["pixels"], output_names=["logits"], dynamo=False)
    model = onnx.load(path)
    for key, value in metadata(size).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
