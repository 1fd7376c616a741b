"""Gradients of gradients against differences of gradients."""

import itertools

import numpy as np
import pytest
from keras import ops

from tests.support import backends
from tests.support.backends import BACKEND
from tests.support.backends import all_slow_on_jax
from tests.support.backends import tensorflow_only
from tests.support.marks import mostly_slow
from tests.support.non_local_cases import EVERY_PAIRWISE
from tests.support.non_local_cases import make
from tests.support.non_local_cases import stream_in_small_tiles
from tests.support.second_order import assert_near
from tests.support.second_order import differences
from tests.support.second_order import draw
from tests.support.second_order import loss
from tests.support.second_order import problem

pytestmark = [pytest.mark.any_backend, *all_slow_on_jax]

SHAPES = {1: (2, 11, 3), 2: (2, 3, 5, 3), 3: (2, 3, 2, 2, 3)}
STREAMED = ("gaussian", "concatenation")
EVERY_STREAMED = pytest.mark.parametrize("pairwise", STREAMED)
jax_only = pytest.mark.skipif(BACKEND != "jax", reason="asks JAX itself")
torch_only = pytest.mark.skipif(BACKEND != "torch", reason="asks PyTorch")


@pytest.fixture(autouse=True)
def several_tiles_in_float64(monkeypatch):
    stream_in_small_tiles(monkeypatch, rows=4, block=4)
    with backends.float64():
        yield


# === Layers ===


@EVERY_PAIRWISE
@mostly_slow(pytest.mark.parametrize("rank", list(SHAPES)), 1)
@mostly_slow(pytest.mark.parametrize("masked", [False, True]), 1)
@pytest.mark.parametrize("implementation", ["matrix", "streamed"])
def test_the_gradient_of_a_layer_has_the_right_gradient(
    pairwise, rank, masked, implementation
):
    x, direction = draw(SHAPES[rank], SHAPES[rank])
    layer = make(
        rank,
        x,
        pairwise=pairwise,
        implementation=implementation,
        normalization=None,
        dtype="float64",
    )
    mask = np.arange(x[..., 0].size).reshape(x.shape[:-1]) % 3 > 0
    mask = ops.convert_to_tensor(mask) if masked else None

    def function(x):
        return ops.sum(ops.sin(layer(x, mask=mask)))

    found = backends.hessian_products(function, [x], [direction])
    assert_near(found, differences(function, [x], [direction]))


# === The sum over all positions ===


@EVERY_PAIRWISE
@mostly_slow(pytest.mark.parametrize("masked", [False, True]), 0)
def test_every_argument_of_the_sum_is_differentiated_twice(pairwise, masked):
    mask, tensors = problem()
    function = loss(pairwise, mask if masked else None)
    directions = draw(*(x.shape for x in tensors), seed=1)
    found = backends.hessian_products(function, tensors, directions)
    assert_near(found, differences(function, tensors, directions))


# === Other ways to a second derivative ===


def case(pairwise):
    """A function of the tensors, directions, and the product with them."""
    _, tensors = problem()
    function = loss(pairwise)
    directions = draw(*(x.shape for x in tensors), seed=1)
    return function, tensors, directions


@pytest.mark.skipif(BACKEND == "torch", reason="compiles no gradients")
@EVERY_STREAMED
def test_compiled_second_derivatives_are_those_of_the_matrix(pairwise):
    function, tensors, directions = case(pairwise)
    found = backends.hessian_products(function, tensors, directions, True)
    matrix = loss(pairwise, implementation="matrix")
    assert_near(found, backends.hessian_products(matrix, tensors, directions))


@EVERY_STREAMED
def test_the_third_derivative_is_that_of_the_matrix(pairwise):
    _, tensors, directions = case(pairwise)

    def third(implementation):
        function = loss(pairwise, implementation=implementation)

        def product(*tensors):
            return backends.product_with_gradients(
                function, tensors, directions
            )

        return backends.hessian_products(product, tensors, directions)

    assert_near(third("streamed"), third("matrix"))


@tensorflow_only
@mostly_slow(
    pytest.mark.parametrize(
        "pairwise, xla", list(itertools.product(STREAMED, (False, True)))
    ),
    0,
    3,
)
def test_sizes_may_be_unknown(pairwise, xla):
    import tensorflow as tf

    function, tensors, directions = case(pairwise)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, n], "float64") for n in (2, 2, 3)
        ]
        + [tf.TensorSpec((4,), "float64")],
        jit_compile=xla,
    )
    def product(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = backends.product_with_gradients(function, tensors, directions)
        return tape.gradient(y, tensors)

    assert_near(
        product(*tensors),
        backends.hessian_products(function, tensors, directions),
    )


@tensorflow_only
@EVERY_STREAMED
def test_a_persistent_tape_gives_both_derivatives(pairwise):
    import tensorflow as tf

    function, tensors, directions = case(pairwise)
    tensors = [tf.constant(x) for x in tensors]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(tensors)
        y = function(*tensors)
        first = tape.gradient(y, tensors)
        product = sum(tf.reduce_sum(g * d) for g, d in zip(first, directions))
    assert_near(first, backends.gradients(function, tensors))
    wanted = backends.hessian_products(function, tensors, directions)
    assert_near(tape.gradient(product, tensors), wanted)


def forward_over_backward(function, directions):
    import tensorflow as tf

    def product(*tensors):
        with tf.autodiff.ForwardAccumulator(
            tensors, tuple(map(tf.constant, directions))
        ) as accumulator:
            first = backends.gradients_of_tensors(function, tensors)
        return [accumulator.jvp(g) for g in first]

    return product


@tensorflow_only
@EVERY_STREAMED
def test_forward_over_backward_on_tensorflow(pairwise):
    function, tensors, directions = case(pairwise)
    product = forward_over_backward(function, directions)
    found = product(*map(ops.convert_to_tensor, tensors))
    wanted = backends.hessian_products(function, tensors, directions)
    assert_near(found, wanted)


@tensorflow_only
@EVERY_STREAMED
def test_forward_mode_in_a_graph_is_refused_with_a_way_out(pairwise):
    """TensorFlow would take zeros for the derivative of a custom gradient."""
    import tensorflow as tf

    function, tensors, directions = case(pairwise)
    product = tf.function(forward_over_backward(function, directions))
    with pytest.raises(Exception) as error:
        product(*map(ops.convert_to_tensor, tensors))
    for words in (
        "TensorFlow has no forward-mode derivative of a custom gradient",
        "Run the ForwardAccumulator eagerly, nest GradientTapes instead",
        'give the block implementation="matrix"',
    ):
        assert words in str(error.value)


@tensorflow_only
@mostly_slow(EVERY_STREAMED, 0)
def test_the_jacobian_of_the_gradient_is_the_hessian(pairwise):
    import tensorflow as tf

    function, tensors, directions = case(pairwise)
    tensors = [tf.constant(x) for x in tensors]

    @tf.function
    def hessian(*tensors):
        theta = tensors[0]
        with tf.GradientTape() as tape:
            tape.watch(theta)
            grad = backends.gradients_of_tensors(function, tensors)[0]
        return tape.jacobian(grad, theta)

    only_theta = [directions[0], *map(np.zeros_like, directions[1:])]
    wanted = backends.hessian_products(function, tensors, only_theta)[0]
    found = np.einsum("abcijk,ijk->abc", hessian(*tensors), directions[0])
    assert_near([found], [wanted])


@jax_only
@EVERY_STREAMED
def test_forward_mode_on_jax(pairwise):
    import jax

    function, tensors, directions = case(pairwise)
    tangents = tuple(map(ops.convert_to_tensor, directions))

    @jax.jit
    def derivatives(*tensors):
        grad = jax.grad(function, (0, 1, 2, 3))
        _, change = jax.jvp(function, tensors, tangents)
        first, product = jax.jvp(grad, tensors, tangents)
        return change, first, product, jax.hessian(function)(*tensors)

    change, first, product, hessian = derivatives(*tensors)
    wanted = sum(np.vdot(g, d) for g, d in zip(first, directions))
    np.testing.assert_allclose(change, wanted, rtol=1e-10)
    wanted = backends.hessian_products(function, tensors, directions)
    assert_near(product, wanted)
    theta = [directions[0], *map(np.zeros_like, directions[1:])]
    wanted = backends.hessian_products(function, tensors, theta)
    found = np.einsum("abcijk,ijk->abc", hessian, directions[0])
    assert_near([found], wanted[:1])


@jax_only
@EVERY_STREAMED
def test_examples_may_be_vectorized_on_jax(pairwise):
    import jax

    function, tensors, directions = case(pairwise)
    tangents = tuple(map(ops.convert_to_tensor, directions))

    def product(*tensors):
        return jax.jvp(jax.grad(function, (0, 1, 2, 3)), tensors, tangents)[1]

    other = draw(*(x.shape for x in tensors), seed=2)
    stacked = [np.stack(pair) for pair in zip(tensors, other)]
    found = jax.jit(jax.vmap(product))(*stacked)
    alone = jax.jit(product)
    for i, one in enumerate((tensors, other)):
        assert_near([x[i] for x in found], alone(*one))


@torch_only
@EVERY_STREAMED
def test_transforms_of_functions_on_pytorch(pairwise):
    import torch

    function, tensors, directions = case(pairwise)
    tensors = [torch.tensor(x) for x in tensors]

    def product(*tensors):
        grads = torch.func.grad(function, (0, 1, 2, 3))(*tensors)
        return sum(
            (g * torch.tensor(d)).sum() for g, d in zip(grads, directions)
        )

    found = torch.func.grad(product, (0, 1, 2, 3))(*tensors)
    wanted = backends.hessian_products(function, tensors, directions)
    assert_near(found, wanted)


@torch_only
def test_the_fused_kernel_of_pytorch_has_a_second_derivative():
    import torch

    _, (theta, phi, _, w_f) = problem()
    tensors = [theta, phi, phi[..., ::-1].copy(), w_f]
    directions = draw(*(x.shape for x in tensors), seed=1)
    found, wanted = (
        backends.hessian_products(function, tensors, directions)
        for function in (loss("gaussian"), loss("gaussian", None, "matrix"))
    )
    assert_near(found, wanted)
    names = []
    y = loss("gaussian")(
        *(torch.tensor(x, requires_grad=True) for x in tensors)
    )
    nodes = [y.grad_fn]
    while nodes:
        node = nodes.pop()
        names.append(node.name())
        nodes += [n for n, _ in node.next_functions if n is not None]
    # It is the kernel that was differentiated.
    assert any("FlashAttention" in name for name in names)
