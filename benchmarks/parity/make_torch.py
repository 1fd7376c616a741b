"""Writes random full-width models of PyTorch projects and their logits.

    python make_torch.py FOLDER [NAME...]

Its environment: Python 3.11 with `requirements-torch.txt`.
"""

import argparse
import importlib
import importlib.util
import pathlib
import sys
import types

import numpy as np
import pairs
import torch

I3D = ((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0))
ODD = ((0, 0, 0), (0, 1, 0, 1), (0, 1, 0, 1, 0, 1), (0, 0, 0))
EVEN = ((0, 0, 0), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 0, 0))


def module(name):
    """Imports one module without the `__init__` of its packages.

    Those of mmaction2 1.2.0 and of GluonCV refuse the versions of today, or
    need what the one module does not.
    """
    parts = name.split(".")
    if parts[0] in sys.modules:
        places = sys.modules[parts[0]].__path__
    else:
        places = importlib.util.find_spec(parts[0]).submodule_search_locations
    for depth in range(1, len(parts)):
        package = ".".join(parts[:depth])
        if package not in sys.modules:
            stub = types.ModuleType(package)
            stub.__path__ = [
                str(pathlib.Path(place, *parts[1:depth])) for place in places
            ]
            sys.modules[package] = stub
    return importlib.import_module(name)


class MMAction2(torch.nn.Module):
    """A backbone of mmaction2 under the names of its recognizers."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.cls_head = torch.nn.Module()
        self.cls_head.fc_cls = torch.nn.Linear(2048, 400)

    def forward(self, clip):
        return self.cls_head.fc_cls(self.backbone(clip).mean((2, 3, 4)))


def mmaction2_i3d(mode=None, depth=50):
    backbones = module("mmaction.models.backbones.resnet3d")
    options = {}
    if mode:
        options = {"non_local": ODD, "non_local_cfg": block(mode, False)}
    return MMAction2(
        backbones.ResNet3d(
            depth=depth,
            pretrained=None,
            inflate=I3D,
            conv1_kernel=(5, 7, 7),
            conv1_stride_t=2,
            pool1_stride_t=2,
            **options,
        )
    )


def mmaction2_slowonly():
    backbones = module("mmaction.models.backbones.resnet3d_slowonly")
    return MMAction2(
        backbones.ResNet3dSlowOnly(
            depth=50,
            pretrained=None,
            lateral=False,
            non_local=EVEN,
            non_local_cfg=block("embedded_gaussian", True),
        )
    )


class TSM(MMAction2):
    """A 2D backbone, which takes the frames of a clip as a batch."""

    def forward(self, clip):
        features = self.backbone(clip.transpose(1, 2).flatten(0, 1))
        frames = self.cls_head.fc_cls(features.mean((2, 3)))
        return frames.unflatten(0, (len(clip), -1)).mean(1)


def mmaction2_tsm(mode):
    backbones = module("mmaction.models.backbones.resnet_tsm")
    return TSM(
        backbones.ResNetTSM(
            depth=50,
            shift_div=8,
            non_local=EVEN,
            non_local_cfg=block(mode, False),
        )
    )


def mmaction2_c2d():
    backbones = module("mmaction.models.backbones.c2d")
    return MMAction2(backbones.C2D(depth=50))


def block(mode, use_scale):
    return {
        "sub_sample": True,
        "use_scale": use_scale,
        "norm_cfg": {"type": "BN3d", "requires_grad": True},
        "mode": mode,
    }


def pytorchvideo(name):
    return getattr(importlib.import_module("pytorchvideo.models.hub"), name)()


def gluoncv(**options):
    base = "gluoncv.torch.model_zoo.action_recognition.i3d_resnet"
    return module(base).I3D_ResNetV1(
        num_classes=400,
        # It downloads nothing: the function around this class would.
        pretrained=True,
        inflate_freq=I3D,
        nonlocal_stages=(1, 2),
        nonlocal_cfg={"nonlocal_type": "gaussian"},
        out_indices=[3],
        bn_eval=False,
        **options,
    )


# name -> (source, wrapper of the state, frames, how it is made, overrides)
CASES = {
    **{
        f"mmaction2_i3d_nl_{mode}": (
            "mmaction2",
            "state_dict",
            32,
            lambda mode=mode: mmaction2_i3d(mode),
            {"pairwise": mode},
        )
        for mode in (
            "embedded_gaussian",
            "dot_product",
            "gaussian",
            "concatenation",
        )
    },
    "mmaction2_slowonly_nl_embedded_gaussian": (
        "mmaction2",
        "state_dict",
        8,
        mmaction2_slowonly,
        {"pairwise": "embedded_gaussian"},
    ),
    **{
        f"mmaction2_tsm_nl_{mode}": (
            "mmaction2",
            "state_dict",
            8,
            lambda mode=mode: mmaction2_tsm(mode),
            {"pairwise": mode},
        )
        for mode in ("embedded_gaussian", "dot_product", "gaussian")
    },
    "mmaction2_c2d": ("mmaction2", "state_dict", 8, mmaction2_c2d, {}),
    **{
        f"pytorchvideo_{name}": (
            "pytorchvideo",
            "model_state",
            8,
            lambda name=name: pytorchvideo(name),
            {},
        )
        for name in ("c2d_r50", "i3d_r50", "slow_r50")
    },
    "gluoncv_i3d_nl5_resnet50": (
        "gluoncv",
        None,
        32,
        lambda: gluoncv(depth=50, nonlocal_freq=ODD),
        {},
    ),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_intermixed_args()
    for name in arguments.names:
        make(arguments.folder, name, arguments.size)


def make(folder, name, size):
    source, wrapper, frames, build, overrides = CASES[name]
    net = build().eval()
    rng = np.random.RandomState(1)
    # A dot product is cubic in its input, and there are five.
    deviation = 0.002 if "dot_product" in name else 0.01
    state = net.state_dict()
    for key, tensor in state.items():
        if tensor.is_floating_point():
            value = pairs.draw(key, tuple(tensor.shape), rng, deviation)
            tensor.copy_(torch.from_numpy(value))
    clip = pairs.clip(frames, size)
    with torch.no_grad():
        logits = net(torch.from_numpy(clip)).numpy()
    saved = {wrapper: state, "meta": {"epoch": 1}} if wrapper else state
    torch.save(saved, folder / f"{name}.pth")
    pairs.write(folder, name, clip, logits, source, **overrides)


if __name__ == "__main__":
    main()
