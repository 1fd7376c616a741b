"""Writes random full-width GluonCV models and the logits of MXNet.

    python make_mxnet.py FOLDER [NAME...]

Its environment: Python 3.8 with `requirements-mxnet.txt`.
"""

import argparse
import pathlib
import zipfile

import mxnet as mx
import numpy as np
import pairs
from gluoncv.model_zoo.action_recognition import i3d_resnet

NAMES = ("i3d_nl5_resnet101_v1_kinetics400", "i3d_resnet50_v1_kinetics400")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_intermixed_args()
    for name in arguments.names:
        make(arguments.folder, name, arguments.size)


def make(folder, name, size):
    net = getattr(i3d_resnet, name)(pretrained_base=False)
    clip = pairs.clip(32, size)
    rng = np.random.RandomState(1)
    for full, parameter in net._collect_params_with_prefix().items():
        value = pairs.draw(full, parameter.shape, rng)
        parameter.set_data(mx.nd.array(value))
    file = folder / f"{name}.params"
    net.save_parameters(str(file))
    # As it is published.
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        archive.write(file, file.name)
    file.unlink()
    logits = net(mx.nd.array(clip)).asnumpy()
    pairs.write(folder, name, clip, logits, "gluoncv")


if __name__ == "__main__":
    main()
