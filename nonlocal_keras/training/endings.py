"""How a run ends before its time: one sentence, and an exit status."""

import contextlib
import dataclasses
import errno
import multiprocessing
import os
import pathlib
import signal
import socket
import threading
import traceback

from nonlocal_keras import terminal
from nonlocal_keras.training import checkpoints

PROGRAM = "train.py"
# Seconds until a process that does not end at a signal is ended.
_GRACE = 2.0
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class _Terminated(BaseException):
    """Raised by SIGTERM, as KeyboardInterrupt is by SIGINT."""


@dataclasses.dataclass
class Progress:
    """What a run has saved, in words.

    Attributes:
        model_dir: Path of the folder of the run, `None` before it is known.
            Defaults to `None`.
        recipe: A `nonlocal_keras.training.recipe.Recipe`, `None` before it
            is known. Defaults to `None`.
        resume: Boolean, whether the run was started to go on. Defaults to
            `True`.
    """

    model_dir: pathlib.Path | None = None
    recipe: object = None
    resume: bool = True

    def saved(self):
        """Says what the folder holds of the run; empty if nothing."""
        if self.model_dir is None:
            return ""
        parts = []
        for name in self.recipe.models:
            step = checkpoints.newest_step(self.model_dir / name)
            if step:
                total = self.recipe.steps
                parts.append(f"{name} up to step {step} of {total}")
        if not parts:
            return ""
        return f"Saved in {self.model_dir}: {', '.join(parts)}"

    def after_a_stop(self):
        """Says what is saved and how to go on."""
        saved = self.saved()
        if not saved:
            return "Nothing is saved yet: the same command starts again"
        without = "" if self.resume else " without --noresume"
        return f"{saved}. The same command{without} goes on from there"

    def after_divergence(self):
        """Says the same where the same command would end in the same way."""
        return (
            f"{self.saved() or 'Nothing is saved'}. With the same settings it "
            "would come again: lower --learning_rate, which is "
            f"{self.recipe.learning_rate:g}, and start over with "
            "--noresume"
        )


def status_of(work, progress):
    """Runs a job; whatever ends it becomes a sentence and an exit status.

    SIGINT and SIGTERM end the process within seconds, even while it waits
    inside a library. The trace of an error is shown only where the error is
    of no known kind, and so a fault of the program.

    Args:
        work: Function without arguments.
        progress: A `Progress`.

    Returns:
        Integer: 0, or the exit status of the ending, 128 and the number of
        the signal for one.
    """
    return terminal.status_of(lambda: _run(work, progress), PROGRAM)


def _run(work, progress):
    once = threading.Lock()

    def say(reason):
        # By whoever comes first: this thread, or that of the signals.
        if once.acquire(blocking=False):
            terminal.say(PROGRAM, f"{reason}. {progress.after_a_stop()}")

    with _watched_signals(say):
        try:
            work()
        except (KeyboardInterrupt, _Terminated) as stop:
            interrupt = isinstance(stop, KeyboardInterrupt)
            number = signal.SIGINT if interrupt else signal.SIGTERM
            say(_WORDS[number])
            raise SystemExit(128 + number) from None
        except (ValueError, ImportError, BrokenPipeError):
            # What is wrong before the work, which says itself what to do.
            raise
        except FloatingPointError as error:
            words = f"{error}. {progress.after_divergence()}"
            terminal.say(PROGRAM, words)
            raise SystemExit(terminal.FAILED) from None
        except Exception as error:
            status, reason = _explain(error)
            say(reason)
            raise SystemExit(status) from None


def _explain(error):
    """Returns an exit status and a reason; shows the trace of a fault."""
    full = os.strerror(errno.ENOSPC)
    if not isinstance(error, OSError) and full in str(error):
        # As TensorFlow says it of its own files.
        error = OSError(errno.ENOSPC, full)
    sentence = terminal.sentence_of(error)
    if sentence is not None:
        return terminal.FAILED, sentence.rstrip(".")
    traceback.print_exception(error)
    return terminal.BUG, (
        f"unexpected {type(error).__name__}, a fault of the program: please "
        "report it with the trace above"
    )


@contextlib.contextmanager
def _watched_signals(say):
    """Raises at SIGINT and SIGTERM, and sees to it that this has an effect.

    Python runs handlers of signals in its main thread, between two lines.
    While that is inside a library for long, or a library swallows what is
    raised, a thread ends the process.
    """
    near, far = socket.socketpair()
    far.setblocking(False)
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: _terminate,
    }
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        # As `nohup` and shells without job control ask for.
        if signal.getsignal(number) != signal.SIG_IGN
    }
    old = signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(near, say), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        far.close()


def _terminate(number, frame):
    raise _Terminated


def _watch(near, say):
    number = 0
    with near:
        while number not in _WORDS:
            received = near.recv(1)
            if not received:
                return  # The job has ended.
            number = received[0]
        near.settimeout(_GRACE)
        # A second signal is one of impatience.
        with contextlib.suppress(TimeoutError):
            if not near.recv(1):
                return
    say(_WORDS[number])
    for child in multiprocessing.active_children():
        child.terminate()
    os._exit(128 + number)
