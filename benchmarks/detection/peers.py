"""The worker that runs the Mask R-CNN of torchvision."""

import os
import pathlib
import platform

import numpy as np
import torch
import torchvision
from torchvision.models import detection
from torchvision.models.detection import backbone_utils

from benchmarks import serving
from benchmarks.detection import cases
from tests.support import drawn_weights


def prepare(case):
    net = _network(case)
    draw(net)
    save(net, case["checkpoint"])
    images = [
        torch.from_numpy(np.moveaxis(image, -1, 0) / np.float32(255))
        for image in cases.images(case)
    ]
    work = _training if case["work"] == "training" else _inference
    return work(net, images, case)


def _inference(net, images, case):
    net.eval()

    def run():
        with torch.no_grad():
            return net(images)

    return serving.Work(run, _detections)


def _detections(found):
    """Returns the detections of all images by name and image."""
    return {
        f"{name}_{place}": values.numpy()
        for place, one in enumerate(found)
        for name, values in one.items()
    }


def _training(net, images, case):
    net.train()
    targets = _targets(case, images[0].shape[1:])
    optimizer = torch.optim.SGD(net.parameters(), 1e-6, momentum=0.9)

    def step():
        optimizer.zero_grad()
        losses = net(images, targets)
        sum(losses.values()).backward()
        optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    return serving.Work(
        step, lambda losses: {k: v.numpy() for k, v in losses.items()}
    )


def _targets(case, size):
    """Returns the objects as torchvision takes them: masks of whole images."""
    given = cases.targets(case)
    found = []
    for boxes, labels, masks in zip(
        given["boxes"], given["labels"], given["masks"]
    ):
        whole = np.zeros((len(boxes), *size), "uint8")
        for image, (x1, y1, x2, y2), mask in zip(
            whole, boxes.astype(int), masks
        ):
            image[y1:y2, x1:x2] = mask
        found.append(
            {
                "boxes": torch.from_numpy(boxes),
                "labels": torch.from_numpy(labels.astype("int64")),
                "masks": torch.from_numpy(whole),
            }
        )
    return found


def _network(case):
    """Returns `maskrcnn_resnet50_fpn` as its published weights have it."""
    backbone = backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet50",
        weights=None,
        norm_layer=torchvision.ops.misc.FrozenBatchNorm2d,
        trainable_layers=5,
    )
    samples = cases.SAMPLES[case["samples"]]
    return detection.MaskRCNN(
        backbone,
        cases.CLASSES,
        min_size=case["size"],
        rpn_batch_size_per_image=samples["rpn_samples"],
        rpn_post_nms_top_n_train=samples["post_nms_top_n"],
        box_batch_size_per_image=samples["roi_samples"],
        box_positive_fraction=samples["roi_positive_fraction"],
    )


def draw(net):
    """Draws all weights, the same at every call."""
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            drawn = drawn_weights.draw(name, tuple(tensor.shape))
            tensor.copy_(torch.from_numpy(drawn))


def save(net, path):
    """Writes the checkpoint unless it is there; whole or not."""
    path = pathlib.Path(path)
    if path.exists():
        return
    part = path.with_suffix(f".{os.getpid()}")
    torch.save(net.state_dict(), part)
    os.replace(part, path)


if __name__ == "__main__":
    serving.serve(
        prepare,
        {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "threads": torch.get_num_threads(),
        },
    )
