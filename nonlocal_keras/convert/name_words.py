"""What several name maps share: spellings of parts, and weights of ResNets."""

TORCH_BN = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
MXNET_BN = {
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
CAFFE2_BN = {
    "s": "gamma",
    "b": "beta",
    "rm": "moving_mean",
    # Despite its name it holds the variance, not its inverse.
    "riv": "moving_variance",
}
FROM_0 = {"0": "2", "1": "3", "2": "4", "3": "5"}
FROM_1 = {"1": "2", "2": "3", "3": "4", "4": "5"}
FROM_2 = {"2": "2", "3": "3", "4": "4", "5": "5"}
VALUE = {"weight": "kernel", "bias": "bias"}
CONV = {"1": "2a", "2": "2b", "3": "2c"}

CONV_OF_BLOCK = "res{stage}_{block}_branch{conv}.kernel"
BN_OF_BLOCK = "res{stage}_{block}_branch{conv}_bn.{bn}"
SHORTCUT = "res{stage}_{block}_branch1.kernel"
BN_OF_SHORTCUT = "res{stage}_{block}_branch1_bn.{bn}"
COUNTER = (r".*\.num_batches_tracked", "a counter of training steps")
