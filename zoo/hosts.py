"""What is known of the hosts of published files, and asking them.

`hosts.json` is what was known when this package was made: `state` is
`"current"` (the links of the project lead there), `"former"` (they did until
the date `since`), `"doubtful"` (failures were reported) or `"lost"` (it does
not belong to the project any more). Nothing here is asked but by `ask`.
"""

import functools
import json
import pathlib
import typing
import urllib.parse
from concurrent import futures

FILE = pathlib.Path(__file__).parent / "hosts.json"
STATES = ("current", "former", "doubtful", "lost")
# Seconds: to connect, and without a byte.
TIMEOUT = (5, 10)
AT_ONCE = 8
MAX_REDIRECTS = 5


@functools.cache
def known():
    """Returns what is known, as a dictionary of host to dictionary."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def host_of(url):
    """Returns the host of an address."""
    return urllib.parse.urlsplit(url).hostname


def file_of(url):
    """Returns the name of the file at an address; "" if it names none."""
    return pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name


def is_lost(url):
    """Tells whether the host of an address is nobody's of the project."""
    return known().get(host_of(url), {}).get("state") == "lost"


def describe(host):
    """Returns one line on what is known of a host, and since when."""
    found = known().get(host)
    if found is None:
        return "not known"
    since = f" since {found['since']}" if found["since"] else ""
    return f"{found['state']}{since}: {found['note']} ({found['source']})"


class Answer(typing.NamedTuple):
    """What came of asking one address.

    Attributes:
        url: String.
        state: `"reachable"`, `"gone"` (it answers, without the file),
            `"other size"` or `"no answer"`.
        text: String, the reason or the size.
        size: Integer, bytes of the file; `None` if it is not told.
    """

    url: str
    state: str
    text: str
    size: int | None = None


def ask(records):
    """Asks the addresses of published files for header and size.

    No file is downloaded. At most `AT_ONCE` addresses are asked at a time.

    Args:
        records: Sequence of `zoo.Record`s with a `download`.

    Yields:
        Tuples of a record and the list of the `Answer`s of its addresses.
    """
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.map(_ask, record.addresses) for record in records]
        try:
            for record, answers in zip(records, asked):
                yield record, _compare(list(answers), record)
        finally:
            # When the caller stops, what has not begun is left.
            pool.shutdown(cancel_futures=True)


def _ask(url):
    import requests

    session = requests.Session()
    session.max_redirects = MAX_REDIRECTS
    # Compression on the way would change the length.
    options = {
        "headers": {"Accept-Encoding": "identity"},
        "timeout": TIMEOUT,
        "allow_redirects": True,
    }
    try:
        with session, session.head(url, **options) as response:
            if response.status_code not in (403, 405, 501):
                return _read(url, response)
        # Some servers answer GET alone: one byte of it tells the size.
        options["headers"]["Range"] = "bytes=0-0"
        with session, session.get(url, stream=True, **options) as response:
            return _read(url, response)
    except requests.RequestException as error:
        from zoo import fetch

        return Answer(url, "no answer", fetch.shorten(error))


def _read(url, response):
    status = f"{response.status_code} {response.reason}"
    if response.status_code >= 500:
        return Answer(url, "no answer", f"the server answers {status}")
    if not response.ok:
        return Answer(url, "gone", f"the server answers {status}")
    schemes = [urllib.parse.urlsplit(u).scheme for u in (url, response.url)]
    if schemes[0] == "https" != schemes[1]:
        text = f"leads to {response.url}, which is not encrypted"
        return Answer(url, "gone", text)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        return Answer(url, "gone", "the server sends an HTML page")
    length = response.headers.get("Content-Length", "")
    if response.status_code == 206:
        length = response.headers.get("Content-Range", "").partition("/")[2]
    size = int(length) if length.isdecimal() else None
    text = "of unknown size" if size is None else f"{size:,} bytes"
    if host_of(response.url) != host_of(url):
        text += f", from {host_of(response.url)}"
    return Answer(url, "reachable", text, size)


def _compare(answers, record):
    """Finds the answers whose size is not that of the file.

    No size is published. Weights are float32, of which a zip saves a tenth;
    and the same file has the same size everywhere.
    """
    least = 2 * record.parameters
    told = [a for a in answers if a.size is not None and a.size >= least]
    found = []
    for answer in answers:
        reason = None
        if answer.size is not None and answer.size < least:
            reason = f"weights of {record.parameters:,} parameters take more"
        elif answer.size is not None and answer.size != told[0].size:
            reason = f"{told[0].url} has {told[0].text}"
        if reason:
            text = f"{answer.text}; {reason}"
            answer = answer._replace(state="other size", text=text)
        found.append(answer)
    return found
