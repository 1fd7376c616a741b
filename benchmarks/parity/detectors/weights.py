"""Random weights with which a detector finds many things in a photo.

Kernels are drawn. What a trained network has learned of its own features is
then fitted to one photo: the statistics of normalizations, and how far the
outputs of all other layers spread. So networks of any depth keep their numbers
in range, objectness and classes differ from place to place, and boxes move.
"""

import numpy as np
import torch

# Outputs of the heads in torchvision, detectron2 and mmdetection, by a part of
# the name of their layer: their standard deviation, and whether their mean over
# all places becomes zero. Otherwise all places would be of the same classes.
_OUTPUTS = (
    ("cls_logits", 2.0, True),
    ("objectness_logits", 2.0, True),
    ("rpn_cls", 2.0, True),
    ("rpn.head.bbox_pred", 0.3, False),
    ("anchor_deltas", 0.3, False),
    ("rpn_reg", 0.3, False),
    ("cls_score", 1.5, True),
    ("fc_cls", 1.5, True),
    ("box_predictor.bbox_pred", 1.0, False),
    ("fc_reg", 1.0, False),
    ("mask_fcn_logits", 1.0, False),
    ("mask_head.predictor", 1.0, False),
    ("conv_logits", 1.0, False),
    ("score_lowres", 4.0, False),
    # Global context is the same at all places: much of it would drown what
    # differs from place to place.
    ("channel_add_conv.3", 0.1, False),
)
_LAYERS = (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)
# The last normalization of a residual block. Small ones keep the sum small.
_LAST = ("bn3.weight", "conv3.norm.weight")


def draw(net, seed):
    """Draws all kernels, scales and biases of a network."""
    rng = np.random.default_rng(seed)
    for name, tensor in net.state_dict().items():
        if not tensor.is_floating_point() or "running_" in name:
            continue
        if tensor.ndim == 1 and name.endswith("weight"):
            values = rng.uniform(0.5, 1.5, tensor.shape)
            values *= 0.3 if name.endswith(_LAST) else 1
        elif tensor.ndim == 1:
            values = 0.1 * rng.standard_normal(tensor.shape)
        elif tensor.ndim in (2, 4):
            values = rng.standard_normal(tensor.shape)
            values *= np.sqrt(2 / np.prod(tensor.shape[1:]))
        else:
            continue
        tensor.copy_(torch.from_numpy(values))


def fit(net, look):
    """Fits statistics and spreads to what the network sees.

    Args:
        net: `torch.nn.Module` with drawn weights, in evaluation mode.
        look: Function without arguments that lets the network predict.
    """
    hooks = []
    for name, module in net.named_modules():
        if hasattr(module, "running_mean"):
            hook = module.register_forward_pre_hook(_fit_statistics)
        elif isinstance(module, _LAYERS) and module.bias is not None:
            hook = module.register_forward_hook(_Spread(name))
        else:
            continue
        hooks.append(hook)
    with torch.no_grad():
        look()
    for hook in hooks:
        hook.remove()


def _fit_statistics(module, inputs):
    # Those of the first call: heads are called once per level.
    if not getattr(module, "fitted", False):
        module.running_mean.copy_(inputs[0].mean((0, 2, 3)))
        module.running_var.copy_(inputs[0].var((0, 2, 3)) + 1e-3)
        module.fitted = True


class _Spread:
    """Scales a layer at its first call, so that its outputs spread."""

    def __init__(self, name):
        self.spread, self.centered = next(
            (row[1:] for row in _OUTPUTS if row[0] in name), (1.0, False)
        )
        self.fitted = False

    def __call__(self, module, inputs, outputs):
        if self.fitted:
            return None
        self.fitted = True
        if self.centered:
            axes = [axis for axis in range(outputs.ndim) if axis != 1]
            drift = outputs.mean(axes)
            module.bias -= drift
            outputs = outputs - drift.view(-1, *(1 for _ in axes[1:]))
        # Layers of detectron2 end with their activation, which scales along.
        factor = self.spread / outputs.std()
        module.weight *= factor
        module.bias *= factor
        return outputs * factor
