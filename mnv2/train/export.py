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
    """Starts from the weights of another network, as wide or narrower; a classifier of other classes starts anew.

    What a wider network has more starts at random but is not listened to, so that with the same classes both give the same answers at first
    (Chen, Goodfellow and Shlens, Net2Net, arXiv 1511.05641, make wider by copies)."""
    own = net.state_dict()
    for k, v in load_file(path).items():
        if k.startswith("classifier.") and k in own and own[k].shape != v.shape:
            continue
        if k not in own or own[k].dim() != v.dim() or any(a < b for a, b in zip(own[k].shape, v.shape)):
            raise SystemExit(f"{path} is of a wider network, or of none that this is: {k} has the shape {list(v.shape)}; which --width-mult has it?")
        if v.dim() > 1:
            own[k][:len(v), v.shape[1]:] = 0
        own[k][tuple(slice(0, n) for n in v.shape)] = v
    net.load_state_dict(own)


def save_onnx(net, path, size):
    import onnx

    net = net.eval().to(memory_format=torch.contiguous_format)
    torch.onnx.export(net, (torch.zeros(1, 3, size, size),), path, input_names=["pixels"], output_names=["logits"], dynamo=False)
    model = onnx.load(path)
    for key, value in metadata(size).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
