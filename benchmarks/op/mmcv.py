"""The worker that runs the non-local operation and block of mmcv."""

import platform

import mmcv
import torch
from mmcv.cnn.bricks.non_local import NonLocal3d

from benchmarks import serving
from benchmarks.op import cases


def prepare(case):
    arrays = {
        name: torch.from_numpy(value)
        for name, value in cases.draw(case).items()
    }
    net = network(case, arrays)
    make = operation if case["part"] == "operation" else _block
    function, inputs, back = make(net, case, arrays)
    dy = arrays.get("dy")
    if dy is not None:
        dy = _channels_first(dy) if dy.ndim == 5 else dy
    torch.ones(512, 512) @ torch.ones(512, 512)  # Starts the threads.

    def forward():
        with torch.no_grad():
            return {"y": function()}

    repeats = case.get("repeats", 1)

    def run():
        return [once() for _ in range(repeats)]

    def forward_and_backward():
        for x in (*inputs.values(), *net.parameters()):
            x.grad = None
        y = function()
        y.backward(dy)
        return {"y": y.detach(), **{n: x.grad for n, x in inputs.items()}}

    once = forward_and_backward if case["training"] else forward
    return serving.Work(
        run,
        lambda outputs: {n: back(n, x).numpy() for n, x in outputs[-1].items()},
        repeats=repeats,
    )


def network(case, arrays):
    """Returns its block, the vector of the concatenation form in place."""
    net = NonLocal3d(
        cases.CHANNELS,
        reduction=cases.CHANNELS // cases.WIDTH,
        mode=case["pairwise"],
        sub_sample=case["sub_sample"],
        norm_cfg={"type": "BN3d"},
    )
    if case["pairwise"] == "concatenation":
        _assign(net.concat_project.conv.weight, arrays["w_f"])
        if case["training"]:
            # It divides what ReLU needs for its gradient in place, which
            # PyTorch refuses: a copy lets it be trained at all.
            net.concat_project.register_forward_hook(lambda *a: a[2].clone())
    return net


def operation(net, case, arrays):
    """Returns the pairwise function and the sum, as `forward` has them.

    Queries, keys and values lie in memory as its convolutions leave them.

    Args:
        net: What `network` gives.
        case: Dictionary.
        arrays: Dictionary of tensors `(1, positions, channels)`.

    Returns:
        Function without arguments that gives the output; the tensors that it
        reads, by name; and a function of a name and such a tensor, or its
        gradient, that gives it back as `(1, positions, channels)`.
    """
    concatenation = case["pairwise"] == "concatenation"
    # (1, C, N), with one more axis where pairs are joined.
    stored = {
        name: arrays[name].transpose(1, 2).contiguous()
        for name in ("theta", "phi", "g")
    }
    if concatenation:
        stored["theta"] = stored["theta"].unsqueeze(3)
        stored["phi"] = stored["phi"].unsqueeze(2)
    for x in stored.values():
        x.requires_grad_(case["training"])
    pairwise = getattr(net, case["pairwise"])

    def function():
        theta = stored["theta"]
        if not concatenation:
            theta = theta.permute(0, 2, 1)
        weights = pairwise(theta, stored["phi"])
        return torch.matmul(weights, stored["g"].permute(0, 2, 1))

    def back(name, x):
        if name == "y":
            return x
        return x.reshape(*x.shape[:2], -1).transpose(1, 2)

    return function, stored, back


def _block(net, case, arrays):
    for name in ("theta", "phi", "g", "w_z"):
        if f"{name}.kernel" not in arrays:
            continue  # The Gaussian form has neither theta nor phi.
        part = net.conv_out if name == "w_z" else getattr(net, name)
        if isinstance(part, torch.nn.Sequential):
            part = part[0]  # A max pooling comes after it.
        kernel = arrays[f"{name}.kernel"].T.reshape(part.conv.weight.shape)
        _assign(part.conv.weight, kernel)
        if f"{name}.bias" in arrays:
            _assign(part.conv.bias, arrays[f"{name}.bias"])
    _assign(net.conv_out.bn.weight, arrays["gamma"])
    _assign(net.conv_out.bn.bias, arrays["beta"])
    net.train(case["training"])
    x = _channels_first(arrays["x"]).requires_grad_(case["training"])
    return lambda: net(x), {"x": x}, lambda _, y: y.permute(0, 2, 3, 4, 1)


def _assign(parameter, value):
    with torch.no_grad():
        parameter.copy_(value.reshape(parameter.shape))


def _channels_first(x):
    return x.permute(0, 4, 1, 2, 3).contiguous()


if __name__ == "__main__":
    serving.serve(
        prepare,
        {
            "python": platform.python_version(),
            "mmcv": mmcv.__version__,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        },
    )
