"""Processes that do the work of one side of a benchmark."""

import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


class WorkerError(RuntimeError):
    """A worker could not do what it was asked for.

    Attributes:
        out_of_memory: Boolean, whether memory was what it lacked.
    """

    def __init__(self, message, out_of_memory=False):
        super().__init__(message)
        self.out_of_memory = out_of_memory


class Worker:
    """One process; see `benchmarks.serving` for what it understands.

    Args:
        python: Path of the interpreter of this side.
        module: String, the module that serves, such as `benchmarks.op.ours`.
        threads: Integer, threads that this side may use.
        environment: Dictionary of further environment variables. Defaults to
            `None`.
    """

    def __init__(self, python, module, threads, environment=None):
        self.name = module
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                [str(python), "-W", "ignore", "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                cwd=ROOT,
                env={**os.environ, **_settings(threads), **(environment or {})},
            )
        except OSError as error:
            raise WorkerError(
                f"`python` of {module} must be an interpreter. {error}"
            ) from error

    def ask(self, do, **details):
        """Sends one request and waits for its answer, a dictionary."""
        try:
            self._process.stdin.write(json.dumps({"do": do, **details}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code, words = self._process.wait(), self._last_words()
            raise WorkerError(
                f"{self.name} ended with {code} at {do!r}: {words}",
                # The kernel or C++ ends the process that asks for too much.
                out_of_memory=code == -9 or "bad_alloc" in words,
            )
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(
                f"{self.name} failed at {do!r}: {answer['error']}",
                answer["out_of_memory"],
            )
        return answer

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _last_words(self):
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"


def _settings(threads):
    return {
        "OMP_NUM_THREADS": str(threads),
        # Threads of OpenMP that spin while they wait take the cores from the
        # other side, and from each other.
        "OMP_WAIT_POLICY": "passive",
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "",
    }
