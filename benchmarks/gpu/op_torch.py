"""The worker of the operation under PyTorch: ours, mmcv's, PyTorch's own."""

import functools

import torch

from benchmarks.gpu import cases
from benchmarks.gpu import clock
from benchmarks.gpu import op_inputs
from benchmarks.gpu import profiles
from benchmarks.gpu import worker
from nonlocal_keras.ops import weighted_sum

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main():
    desk = worker.begin()
    for case in desk.cases:
        if case["part"] == "rates":
            desk.attempt(case, "torch", lambda: rate(case))
        else:
            _measure_operation(desk, case)


def rate(case):
    """Returns FLOP per second of a large product, bytes of a copy."""
    n, precision = case["size"], case["precision"]
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.randn(n, n, device=DEVICE, dtype=dtype) for _ in range(2))
    row = clock.with_torch([lambda: a @ b])
    copy = clock.with_torch([lambda: a.copy_(b)])
    torch.backends.cuda.matmul.allow_tf32 = False
    return {
        **row,
        "flops": 2 * n**3 / row["seconds"]["median"],
        "copied": 2 * a.nbytes / copy["seconds"]["median"],
    }


@functools.lru_cache(2)
def _drawn(pairwise, positions):
    # It takes longer than most of what is measured with it.
    case = {"pairwise": pairwise, "positions": positions, "sub_sample": False}
    return op_inputs.draw(case)


def _tensors(case):
    """Returns the inputs on the device, rounded as the reference sees them."""
    return {
        name: torch.from_numpy(x).to(DEVICE, _dtype(case))
        for name, x in _drawn(case["pairwise"], case["positions"]).items()
    }


def _dtype(case):
    return getattr(torch, case["precision"])


def _measure_operation(desk, case):
    if desk.is_over():
        return
    try:
        tensors = _tensors(case)
        file = op_inputs.path(desk.folder, case)
        if not file.exists():
            op_inputs.expect(file, case, tensors)
    except Exception as error:
        desk.fail(case, "inputs", error)
        return
    (ways,) = cases.operation_ways(case)
    for way in ways:
        needed = op_inputs.lacks_memory(case, way, _free_gb())
        if needed:
            desk.attempt(case, way, lambda: {"needed_gb": needed})
        else:
            desk.attempt(
                case, way, lambda: _measure_way(case, way, tensors, file)
            )
    if profiles.chooses(case):
        copy = {name: x.clone() for name, x in tensors.items()}
        (made,) = MAKERS["ours"](case, [copy])
        call = _call(case, made, copy["dy"])
        desk.attempt(case, "profile", lambda: profiles.with_torch(call))
    if DEVICE == "cuda":
        torch.cuda.empty_cache()


def _measure_way(case, way, tensors, file):
    size = sum(x.nbytes for x in tensors.values())
    copies = [
        {name: x.clone() for name, x in tensors.items()}
        for _ in range(clock.copies(size))
    ]
    made = MAKERS[way](case, copies)
    calls = [
        _call(case, one, copy["dy"])
        for one, copy in zip(made, copies, strict=True)
    ]
    _, _, back = made[0]
    chosen = torch.from_numpy(op_inputs.rows(case))
    arrays = {
        name: back(name, x)[0].cpu()[chosen].float().numpy()
        for name, x in calls[0]().items()
    }
    return {
        "difference": op_inputs.differences(file, arrays),
        **clock.with_torch(calls),
    }


def _call(case, made, dy):
    """Returns a function that gives the output and gradients by name."""
    function, leaves, _ = made

    def forward():
        with torch.no_grad():
            return {"y": function()}

    def forward_and_backward():
        y = function()
        gradients = torch.autograd.grad(y, list(leaves.values()), dy.to(y))
        return {"y": y.detach(), **dict(zip(leaves, gradients))}

    return forward_and_backward if case["training"] else forward


# Each of the following makes, for each of several copies of the inputs, a
# function without arguments to the output, the tensors that it reads by name,
# and a function of a name and a tensor that gives it back as (1, N, C).


def _ours(implementation):
    def make(case, copies):
        return [_ours_once(case, tensors, implementation) for tensors in copies]

    return make


def _ours_once(case, tensors, implementation):
    leaves = _leaves(case, tensors)

    def function():
        return weighted_sum.weighted_sum(
            **leaves,
            pairwise=case["pairwise"],
            scale=op_inputs.scale(case),
            w_f=tensors.get("w_f"),
            implementation=implementation,
        )

    return function, leaves, lambda name, x: x


def _attention(case, copies):
    return [_attention_once(case, tensors) for tensors in copies]


def _attention_once(case, tensors):
    leaves = _leaves(case, tensors)

    def function():
        # The axis of heads: (1, 1, N, C).
        theta, phi, g = (x[:, None] for x in leaves.values())
        return torch.nn.functional.scaled_dot_product_attention(
            theta, phi, g, scale=op_inputs.scale(case)
        )[:, 0]

    return function, leaves, lambda name, x: x


def _mmcv(case, copies):
    from benchmarks.op import mmcv as op_mmcv

    # Making it takes longer than most of what is measured.
    net = op_mmcv.network(case, copies[0]).to(DEVICE, _dtype(case))
    return [op_mmcv.operation(net, case, tensors) for tensors in copies]


def _leaves(case, tensors):
    return {
        name: tensors[name].requires_grad_(case["training"])
        for name in op_inputs.NAMES
    }


def _free_gb():
    if DEVICE == "cpu":
        return 4.0
    return torch.cuda.mem_get_info()[0] / 1e9


MAKERS = {
    "ours": _ours("auto"),
    "matrix": _ours("matrix"),
    "attention": _attention,
    "mmcv": _mmcv,
}

if __name__ == "__main__":
    main()
