"""The worker of whole models under PyTorch: ours, and PySlowFast's.

PySlowFast has the settings that are its fastest: channels last in memory,
bfloat16 by autocast or in its weights, no gradients kept, `cudnn.benchmark`,
CUDA graphs, `torch.compile`. What is a setting of PyTorch holds for ours too.
"""

import contextlib
import gc

import keras
import torch

from benchmarks.gpu import cases
from benchmarks.gpu import clock
from benchmarks.gpu import model_inputs
from benchmarks.gpu import profiles
from benchmarks.gpu import worker
from benchmarks.model import cases as model_cases
from benchmarks.model import peers as model_peers

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RATE, MOMENTUM = 1e-4, 0.9
# Ways of inference that keep the weights of PySlowFast in bfloat16.
HALF = {"half", "graph", "compiled"}


def main():
    desk = worker.begin()
    torch.backends.cudnn.benchmark = True
    told = cases.in_rounds(desk.cases, cases.model_ways)
    if desk.ways is not None:
        told = [(case, desk.ways) for case in desk.cases]
    for case, ways in told:
        for way in ways:
            desk.attempt(case, way, lambda: _measure(desk, case, way))
            _free()
            if way == "ours" and case in model_inputs.profiled(desk):
                desk.attempt(case, "profile", lambda: _profile(desk, case))
                _free()


def _free():
    gc.collect()
    if DEVICE == "cuda":
        torch.cuda.empty_cache()


def _measure(desk, case, way):
    expected = _expected(desk, case)
    side, *how = way.split("_")
    made = (_ours if side == "ours" else _peer)(desk, case, how)
    call = _call(case, *made)
    first = None
    if "compiled" in how:
        # The kernels are chosen here, before the others must wait.
        first = call()
    with desk.device():
        _allow_tf32(case["precision"] == "tf32")
        if "graph" in how:
            call = _graph(call)
        # A step of training has another loss when it is done again.
        first = call() if first is None else first
        name = "loss" if _is_training(case) else "logits"
        found = {name: first.float().cpu().numpy()}
        row = clock.with_torch([call])
    if "graph" in how:
        row.pop("extra_mb", None)  # Its memory is allocated beforehand.
    return {"difference": model_inputs.differences(expected, found), **row}


def _profile(desk, case):
    made = _ours(desk, case, [])
    call = _call(case, *made)
    _allow_tf32(case["precision"] == "tf32")
    call()
    return profiles.with_torch(call)


def _is_training(case):
    return model_cases.is_training(case)


def _allow_tf32(allow):
    torch.backends.cuda.matmul.allow_tf32 = allow
    torch.backends.cudnn.allow_tf32 = allow


def _peer(desk, case, how):
    """Returns the function to logits, the optimizer, and the context."""
    net, call = model_peers.pyslowfast(case)
    model_peers.load(net, model_inputs.checkpoint(desk.folder, case))
    half = case["precision"] == "bfloat16"
    training = _is_training(case)
    weights = half and not training and not HALF.isdisjoint(how)
    dtype = torch.bfloat16 if weights else torch.float32
    layout = torch.contiguous_format
    if "first" not in how:
        layout = torch.channels_last_3d
    net = net.to(DEVICE, dtype, memory_format=layout)
    net.train(training)
    clip = torch.from_numpy(model_cases.clip(case)).movedim(-1, 1)
    clip = clip.to(DEVICE, dtype).contiguous(memory_format=layout)
    if "compiled" in how:
        call = torch.compile(call, dynamic=False)
    precision = contextlib.nullcontext()
    if half and not weights:
        precision = torch.autocast(DEVICE, torch.bfloat16)

    def logits():
        with precision:
            return call(clip)

    def update():
        optimizer.step()
        optimizer.zero_grad()

    optimizer = torch.optim.SGD(
        net.parameters(), RATE, momentum=MOMENTUM, fused=DEVICE == "cuda"
    )
    return logits, update if training else None


def _ours(desk, case, how):
    call = model = model_inputs.ours(
        case, model_inputs.checkpoint(desk.folder, case)
    )
    clip = torch.from_numpy(model_cases.clip(case)).to(DEVICE)
    if "compiled" in how:
        call = torch.compile(model, dynamic=False)
    if not _is_training(case):
        return lambda: call(clip, training=False), None
    variables = model.trainable_variables
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    optimizer.build(variables)

    def update():
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in variables], variables)
        for variable in variables:
            variable.value.grad = None

    return lambda: call(clip, training=True), update


def _call(case, logits, update):
    """Returns the work of a case, which gives logits or a loss."""
    return _training(case, logits, update) if update else _inference(logits)


def _inference(logits):
    def call():
        with torch.inference_mode():
            return logits()

    return call


def _training(case, logits, update):
    labels = torch.from_numpy(model_cases.labels(case)).to(DEVICE)

    def step():
        loss = torch.nn.functional.cross_entropy(logits().float(), labels)
        loss.backward()
        update()
        return loss.detach()

    return step


def _graph(call):
    """Returns a function that launches all kernels of a call at once."""
    if DEVICE == "cpu":
        raise ValueError("a CUDA graph needs a GPU")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = call()

    def replay():
        graph.replay()
        return output

    return replay


def _expected(desk, case):
    """Returns the file of what PySlowFast gives in float32, unrounded."""
    file = model_inputs.expected_path(desk.folder, case)
    if not file.exists():
        exact = {**case, "precision": "float32"}
        made = _peer(desk, exact, ["first"])
        run = _call(case, *made)
        _allow_tf32(False)
        torch.backends.cudnn.benchmark = False  # It runs once.
        value = run().float().cpu().numpy()
        torch.backends.cudnn.benchmark = True
        model_inputs.expect(file, case, value)
    return file


if __name__ == "__main__":
    main()
