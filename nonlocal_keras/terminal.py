"""What a command says: one sentence per error, and no raw control characters.

Names of files, labels and messages of other libraries are foreign: an escape
sequence in them would be obeyed by a terminal, and a line break would look
like a line of ours. Everything a command prints goes through `escaped`, by
`write` and `say`.
"""

import argparse
import contextlib
import logging
import os
import re
import sys
import traceback

# Set to anything but 0, it adds the trace of an error to its sentence.
DEBUG = "NONLOCAL_KERAS_DEBUG"

# Exit statuses. Those above 128 are what a shell gives for the signals that
# end other programs here: SIGINT and SIGPIPE.
FAILED = 1
USAGE = 2
BUG = 70
INTERRUPTED = 130
PIPE_CLOSED = 141

# Keras prints what a layer has said in bold, between its own words.
_OF_A_LAYER = re.compile(
    r"Exception encountered when calling .*?\x1b\[1m(.*?)\x1b\[0m", re.DOTALL
)

# Characters. A longer sentence would push what matters off the screen.
LONGEST = 2000


def escaped(text):
    """Returns text with escapes in place of what a terminal would obey.

    Example:

    >>> from nonlocal_keras.terminal import escaped
    >>> escaped("a\\nb\\x1b[31m.mp4")
    'a\\\\nb\\\\x1b[31m.mp4'

    Args:
        text: Any object; its `str` is taken.

    Returns:
        String of printable characters. Bytes of a file name that are no
        UTF-8, which Python keeps as surrogates, are escaped as well.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def shortened(text, length=LONGEST):
    """Returns the start and the end of a long text.

    Args:
        text: String.
        length: Integer, characters from which on a text is long. Defaults to
            `2000`.
    """
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]} [...] {text[-half:]}"


def with_unit(number):
    """Returns a count as people write it: `"4.05 M"` for 4,050,000."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.2f}{unit}"
    return str(number)


def whole_number(least, most):
    """Makes the `type` of a flag that takes integers of a range."""

    def parse(text):
        with contextlib.suppress(ValueError):
            if least <= (number := int(text)) <= most:
                return number
        raise argparse.ArgumentTypeError(
            f"must be a whole number from {least} to {most}. Received: {text}"
        )

    return parse


class Parser(argparse.ArgumentParser):
    """A parser of flags that says what is wrong in one line."""

    def error(self, message):
        say(self.prog, f"{message}. See {self.prog} --help")
        self.exit(USAGE)


def write(*lines):
    """Prints lines to the standard output, each as one printable line."""
    for line in lines:
        print(escaped(line))


def say(program, text):
    """Writes one line to the standard error, if there is one."""
    # What cannot be said, since that is full or closed, is lost.
    with contextlib.suppress(OSError):
        if sys.stderr is not None:
            print(f"{program}: {shortened(escaped(text))}", file=sys.stderr)
            sys.stderr.flush()


def status_of(run, program):
    """Runs a command; an error becomes one sentence and an exit status.

    Args:
        run: Function without arguments.
        program: String, the name of the program, put before the sentence.

    Returns:
        Integer: 0, or the exit status for the error.
    """
    if hasattr(sys.stdout, "reconfigure"):
        # Letters that the encoding of the terminal does not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _printable_log():
            run()
            if sys.stdout is not None:
                sys.stdout.flush()
        return 0
    except SystemExit as stop:
        # Of argparse: after its help, and after a wrong flag.
        return _drop_output(stop.code or 0)
    except KeyboardInterrupt:
        say(program, "interrupted")
        return _drop_output(INTERRUPTED)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        return _drop_output(PIPE_CLOSED)
    except Exception as error:
        if os.environ.get(DEBUG, "0") not in ("", "0"):
            traceback.print_exc()
        sentence = sentence_of(error)
        if sentence is None:
            say(
                program,
                f"unexpected {type(error).__name__}: {error}. This is a fault "
                f"of the program: please report it with what {DEBUG}=1 shows.",
            )
            return _drop_output(BUG)
        say(program, sentence)
        return _drop_output(FAILED)


def sentence_of(error):
    """Says what is wrong with the input or the machine; `None` for a bug."""
    if isinstance(error, OSError):
        place = "a file or the standard output"
        if error.filename is not None:
            place = os.fsdecode(error.filename)
        reason = error.strerror or str(error) or type(error).__name__
        return (
            f"{place} cannot be read or written: {reason}. Check the path, "
            "its permissions and the space that is left."
        )
    if isinstance(error, MemoryError):
        return f"not enough memory. {error}".rstrip()
    # An import that fails is a library that is not there, and is told how to
    # install by those who need it.
    if isinstance(error, ValueError | ImportError):
        inner = _OF_A_LAYER.match(str(error))
        return inner[1] if inner else str(error)
    return None


def _drop_output(status):
    """Sees to it that Python does not fail on the output when it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # What is still in the buffer goes nowhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return status


@contextlib.contextmanager
def _printable_log():
    """Escapes what is logged while a command runs."""

    def escape(record):
        record.msg, record.args = escaped(record.getMessage()), ()
        return True

    # The logger of absl, through which this package speaks.
    logger = logging.getLogger("absl")
    logger.addFilter(escape)
    try:
        yield
    finally:
        logger.removeFilter(escape)
