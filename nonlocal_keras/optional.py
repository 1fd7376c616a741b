"""Libraries that an installation may lack, and the line that installs each."""

import importlib

# By the name of the module; the versions are those of setup.cfg.
INSTALL = {
    "tensorflow": "pip install 'tensorflow>=2.16,<2.22'",
    "ai_edge_litert": "pip install 'nonlocal-keras[litert]'",
    "onnx": "pip install 'nonlocal-keras[onnx]'",
    "onnxruntime": "pip install 'nonlocal-keras[onnx]'",
    "tf2onnx": "pip install 'nonlocal-keras[onnx]'",
    "matplotlib": "pip install 'nonlocal-keras[visualize]'",
    "PIL": "pip install 'nonlocal-keras[visualize]'",
    "official": "pip install 'nonlocal-keras[tfm]'",
    "tf_keras": "pip install 'nonlocal-keras[tfm]'",
    "faster_coco_eval": "pip install 'nonlocal-keras[coco]'",
}


def load(module, user):
    """Imports a library, or says who needs it and how to get it.

    Example:

    >>> from nonlocal_keras import optional
    >>> tf = optional.load("tensorflow", "`to_serving`")

    Args:
        module: String, the module with or without its package, such as
            `"ai_edge_litert.interpreter"`.
        user: String, what the library is needed for.

    Returns:
        The module.

    Raises:
        ImportError: If it is not installed, or cannot be imported because
            the versions of its parts do not fit each other.
    """
    package = module.partition(".")[0]
    line = INSTALL[package]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == package:
            raise ImportError(
                f"{user} needs {package}, which is not installed: {line}"
            ) from error
        raise _broken(user, package, line, error) from error
    # A library beside another version of what it needs raises anything: onnx
    # 1.19.0 beside ml_dtypes 0.3 an AttributeError.
    except Exception as error:
        raise _broken(user, package, line, error) from error


def _broken(user, package, line, error):
    return ImportError(
        f"{user} needs {package}, which is installed and cannot be imported. "
        f"Versions that fit each other come by: {line}. Received from its "
        f"import: {type(error).__name__}: {error}"
    )
