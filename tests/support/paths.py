"""Where the project and the files of its tests lie."""

import pathlib

ROOT = pathlib.Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
