"""Another engine as one of the processes that `go run ./mnv2/compare` compares. engine.go is the same for ours.

    time ENGINE MODEL     prints the median time of an inference in milliseconds
    run ENGINE MODEL N    runs it N times, for somebody else to count
"""

import statistics
import sys
import time

import numpy


def litert(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    picture = interpreter.get_input_details()[0]
    interpreter.set_tensor(picture["index"], numpy.zeros(picture["shape"], picture["dtype"]))
    return interpreter.invoke


def onnx_runtime(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    picture = session.get_inputs()[0]
    feed = {picture.name: numpy.zeros(picture.shape, numpy.float32)}
    return lambda: session.run(None, feed)


def openvino(path):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    picture = request.model_inputs[0]
    request.set_input_tensor(openvino.Tensor(numpy.zeros(tuple(picture.shape), picture.element_type.to_dtype())))
    return request.infer


def median_time(inference):
    start = time.perf_counter()
    while time.perf_counter() - start < 0.2:  # caches and clocks warm up
        inference()
    took = []
    start = time.perf_counter()
    while len(took) < 11 or len(took) < 100 and time.perf_counter() - start < 1:
        before = time.perf_counter()
        inference()
        took.append(1e3 * (time.perf_counter() - before))
    return statistics.median(took)


what, engine, model = sys.argv[1:4]
inference = {"LiteRT": litert, "ONNX Runtime": onnx_runtime, "OpenVINO": openvino}[engine](model)
if what == "time":
    print(f"{median_time(inference):.4f}")
else:
    for _ in range(int(sys.argv[4])):
        inference()
    print(engine)
