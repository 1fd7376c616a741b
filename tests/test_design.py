"""The table of rooms in `docs/design.md` is what the source imports."""

import ast
import collections
import re
import sys

import pytest

from tests.support.paths import ROOT

FILES = [
    path.relative_to(ROOT)
    for folder in ("nonlocal_keras", "zoo")
    for path in sorted((ROOT / folder).rglob("*.py"))
] + [(ROOT / "train.py").relative_to(ROOT)]


def module_name(path):
    """The name that a file is imported by."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in FILES}


def imports(path):
    """`(module, whether within a function)` of every import of a file."""
    found = set()

    def visit(node, within):
        if isinstance(node, ast.Import):
            found.update((alias.name, within) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports by a relative name"
            for alias in node.names:
                # A module of a package, or a name of a module.
                inner = f"{node.module}.{alias.name}"
                name = inner if inner in MODULES else node.module
                found.add((name, within))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, within or isinstance(node, functions))

    visit(ast.parse((ROOT / path).read_text()), False)
    return found


def rows():
    """`{room: (names imported at once, names imported within functions)}`."""
    page = (ROOT / "docs" / "design.md").read_text()
    table = re.findall(
        r"^\| `([^`]+)` \|[^|]+\|([^|]*)\|([^|]*)\|$", page, re.MULTILINE
    )
    return {
        room: tuple(re.findall("`([^`]+)`", cell) for cell in cells)
        for room, *cells in table
    }


ROWS = rows()


def room_of(path):
    """The row that a file belongs to: the one with the longest path."""
    file = path.as_posix()
    rooms = [r for r in ROWS if file == r or file.startswith(f"{r}/")]
    return max(rooms, key=len, default=None)


def short(room):
    """A room as the cells of the table name it."""
    return room.removeprefix("nonlocal_keras/").removesuffix(".py")


def found_imports():
    """`{room: (names imported at once, others within functions)}`."""
    found = collections.defaultdict(lambda: (set(), set()))
    for path in FILES:
        room = room_of(path)
        for name, within in imports(path):
            top = name.partition(".")[0]
            if name in MODULES:
                other = short(room_of(MODULES[name]))
            elif top in sys.stdlib_module_names:
                continue
            else:
                other = top
            if other != short(room):
                found[room][within].add(other)
    return {
        room: (found[room][False], found[room][True] - found[room][False])
        for room in ROWS
    }


FOUND = found_imports()


def test_every_file_has_a_room():
    assert [path for path in FILES if room_of(path) is None] == []
    # A row without files would say nothing.
    assert set(ROWS) == {room_of(path) for path in FILES}


@pytest.mark.parametrize("room", ROWS)
def test_a_row_names_what_its_room_imports(room):
    cells = [
        ", ".join(f"`{name}`" for name in sorted(names))
        for names in FOUND[room]
    ]
    found = "| " + " | ".join(cells) + " |"
    for names, told in zip(FOUND[room], ROWS[room], strict=True):
        assert names == set(told), f"the cells of {room} must be {found}"
        assert told == sorted(set(told)), f"{room} names out of order"


@pytest.mark.parametrize("room", ROWS)
def test_no_import_runs_back_up(room):
    order = [short(row) for row in ROWS]
    below = set(order[order.index(short(room)) :])
    at_once, within = FOUND[room]
    assert not below & (at_once | within)


def test_no_circle_of_files_imports_itself():
    needs = {
        module_name(path): {name for name, _ in imports(path)} & set(MODULES)
        for path in FILES
    }
    # What needs nothing that is left is taken away, until nothing is.
    while True:
        free = {name for name, others in needs.items() if not others}
        if not free:
            break
        needs = {
            name: others - free
            for name, others in needs.items()
            if name not in free
        }
    assert needs == {}


def test_the_zoo_is_imported_without_the_package():
    at_once, _ = FOUND["zoo"]
    assert not at_once & {short(room) for room in ROWS}


def test_only_commands_import_commands():
    for room, (at_once, within) in FOUND.items():
        assert "cli" not in at_once | within, room
