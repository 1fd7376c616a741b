"""The worker that runs the models of PySlowFast and of GluonCV.

It needs `benchmarks/parity` on the path, for how GluonCV is imported, and for
PySlowFast a checkout, named by the environment variable SLOWFAST.
"""

import contextlib
import importlib.abc
import importlib.machinery
import os
import pathlib
import platform
import sys
import types

import numpy as np
import torch

from benchmarks import serving
from benchmarks.model import cases

# What PySlowFast imports beside the models that are measured here.
ABSENT = ("detectron2", "pytorchvideo", "torchvision", "slowfast.datasets")
CONFIGURATIONS = {
    "c2d": "C2D_8x8_R50",
    "nl_c2d": "C2D_NLN_8x8_R50",
    "i3d": "I3D_8x8_R50",
    "nl_i3d": "I3D_NLN_8x8_R50",
}


def prepare(case):
    if case["work"] == "matmul":
        return _matmul(case["precision"])
    make = {"pyslowfast": pyslowfast, "gluoncv": _gluoncv}[case["project"]]
    net, call = make(case)
    draw(net)
    save(net, case)
    clip = torch.from_numpy(
        np.ascontiguousarray(np.moveaxis(cases.clip(case), -1, 1))
    )
    precision = contextlib.nullcontext()
    if case["precision"] == "bfloat16":
        precision = torch.autocast("cpu", torch.bfloat16)
    if not cases.is_training(case):
        net.eval()

        def run():
            with torch.no_grad(), precision:
                return call(clip)

        return serving.Work(run, lambda y: {"logits": y.float().numpy()})

    net.train()
    labels = torch.from_numpy(cases.labels(case))
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9)

    def step():
        optimizer.zero_grad()
        with precision:
            logits = call(clip)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return serving.Work(step, lambda loss: {"loss": loss.numpy()})


def pyslowfast(case):
    """Returns the network, and the function from a clip to its logits."""
    checkout = os.environ["SLOWFAST"]
    sys.path.insert(0, checkout)
    sys.meta_path.insert(0, _Absent())
    from slowfast.config.defaults import get_cfg
    from slowfast.models.video_model_builder import ResNet

    settings = get_cfg()
    folder = pathlib.Path(checkout, "configs", "Kinetics")
    name = CONFIGURATIONS[case["model"]]
    settings.merge_from_file(str(folder / f"{name}.yaml"))
    settings.NUM_GPUS = 0
    settings.MODEL.DROPOUT_RATE = 0.0
    if "width" in case:
        settings.RESNET.WIDTH_PER_GROUP = case["width"]
    settings.DATA.NUM_FRAMES = case["frames"]
    # The window of the head: one place, as in training.
    settings.DATA.TRAIN_CROP_SIZE = case["size"]
    net = ResNet(settings)
    net.head.act = torch.nn.Identity()  # Logits are compared.
    return net, lambda clip: net([clip])


def _gluoncv(case):
    import make_torch

    blocks = make_torch.ODD if case["model"].startswith("nl_") else 0
    net = make_torch.gluoncv(depth=50, nonlocal_freq=blocks)
    net.dp.p = 0.0
    return net, net


def draw(net):
    """Draws all weights, the same at every call."""
    import pairs

    rng = np.random.RandomState(1)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                # By the name that `pairs` knows the last scale of a residual
                # branch by.
                name = name.replace(".c_bn.", ".bn3.")
                drawn = pairs.draw(name, tuple(tensor.shape), rng)
                tensor.copy_(torch.from_numpy(np.asarray(drawn)))


def save(net, case):
    """Writes the checkpoint of a case unless it is there; whole or not."""
    path = pathlib.Path(case["checkpoint"])
    if path.exists():
        return
    state = net.state_dict()
    if case["project"] == "pyslowfast":
        state = {"epoch": 1, "model_state": state}
    part = path.with_suffix(f".{os.getpid()}")
    torch.save(state, part)
    os.replace(part, path)


def load(net, path):
    """Loads the weights that `save` has written into a PySlowFast."""
    net.load_state_dict(torch.load(path)["model_state"])


def _matmul(precision):
    n = cases.MATMUL
    a = torch.randn(n, n).to(getattr(torch, precision))
    return serving.Work(lambda: a @ a, dict)


class _Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules in the place of those that are not needed."""

    def find_spec(self, name, path=None, target=None):
        if any(name == a or name.startswith(f"{a}.") for a in ABSENT):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Empty(spec.name)

    def exec_module(self, module):
        pass


class _Empty(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


if __name__ == "__main__":
    serving.serve(
        prepare,
        {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        },
    )
