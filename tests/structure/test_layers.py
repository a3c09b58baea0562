"""Who may use whom, in Python (imports) and in C++ (includes)."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "python" / "ceinms_torch"
CPP = REPOSITORY / "cpp"
HEADERS = CPP / "include"

# ---- Python -----------------------------------------------------------------------------

# The rooms of the package, lowest first: each may import of itself and of those below. Rooms of one
# line are neighbours and do not import each other. `_kernel` is the compiled module without torch;
# `_torch` and `_backend` are torch.
ROOMS = (
    ("errors", "arrays", "blas"),
    ("io",),
    ("model",),
    ("plan", "recordings", "geometry"),
    ("osim", "emg"),
    ("simulation", "optimisers"),
    ("calibration",),
    ("preoptimisation", "synergies", "excitations", "realtime", "bands"),
    ("inputs",),
    ("conversion",),
    ("results",),
    ("study_folder",),
    ("studies", "loads"),
    ("cohort",),
    ("plots",),
    ("report",),
    ("terminal",),
    ("cli",),
)
COMPILED = {"_kernel", "_torch", "_backend"}
COMPILED_OF = {
    "model": {"_kernel"},
    "geometry": {"_kernel"},
    "simulation": COMPILED,
    "optimisers": COMPILED,
    "calibration": COMPILED,
    "preoptimisation": COMPILED,
    "synergies": COMPILED,
    "excitations": COMPILED,
    "realtime": COMPILED,
    "bands": COMPILED,
}
# Order inside rooms, lowest first: folders and modules that come before all others of the room.
INSIDE = {
    "calibration": ("parameter_space", "problems"),
    "inputs": ("outputs", "dialect", "rates", "folder", "checks"),
}
# Their results can be saved, reported and tested on further trials, which is done in rooms above:
# they call those through the package itself (the part of no name).
LOOKING_UP = {"calibration/result.py", "synergies/result.py"}
LARGEST_ROOM = 5000  # lines: above that, a room is several subjects


def layers():
    """Return what each part of the package may import of the package, itself included."""
    below: set[str] = set()
    result = {
        "_backend": {"_torch"},
        "__init__": {room for row in ROOMS for room in row}
        - {"terminal", "cli"},  # names, for type checkers
    }
    for row in ROOMS:
        result |= {room: below | {room} | COMPILED_OF.get(room, set()) for room in row}
        below |= set(row)
    return result


PYTHON_LAYERS = layers()
PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    """Return the part of the package that a file belongs to: its folder, or the file itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported(path, nodes):
    """Return the absolute names of all modules, or names in modules, that statements import."""
    package = ("ceinms_torch", *path.relative_to(PACKAGE).parent.parts)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def at_import(tree):
    """Iterate over what runs at import: what is neither in functions nor for type checkers."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)


def of_package(names):
    """Return the parts of the package among imported names; `` for the package as a whole."""
    own = {name for name in names if name.split(".")[0] == "ceinms_torch"}
    return {name.split(".")[1] if "." in name else "" for name in own}


def test_every_part_of_the_package_has_its_place():
    assert {part_of(path) for path in PYTHON_FILES} == set(PYTHON_LAYERS)


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_python_imports_point_downwards(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = of_package(imported(path, ast.walk(tree)))
    name = path.relative_to(PACKAGE).as_posix()
    facade = {""} if name in LOOKING_UP else set()
    forbidden = used - PYTHON_LAYERS[part_of(path)] - facade
    assert not forbidden, f"{path} imports {sorted(forbidden)}"


def module_of(path):
    """Return a file's module without the package's name; a package for its `__init__`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PYTHON_FILES}


def modules_used(path):
    """Return the modules of the package that a file imports, anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = set()
    for name in imported(path, ast.walk(tree)):
        if not name.startswith("ceinms_torch."):
            continue  # another `io`
        inside = name.removeprefix("ceinms_torch.")
        # A name is a module, or something in one.
        used |= {known for known in (inside, inside.rpartition(".")[0]) if known in MODULES}
    return used - {"", module_of(path)}


def test_no_module_needs_itself():
    """No circles, not even with imports that wait for a call."""
    uses = {module: modules_used(path) for module, path in MODULES.items() if module}
    # How a subject is read and written is in files of its own, which its methods call.
    uses["model.subject"] -= {"model.subject_reading", "model.subject_writing"}
    # And so are plans of another kind of file, and by a recipe.
    uses["plan.calibration"] -= {"plan.paper_calibration", "plan.recommended"}
    while leaves := [module for module, used in uses.items() if not used & set(uses)]:
        for module in leaves:
            del uses[module]
    assert not uses, f"in or above circles: {sorted(uses)}"


@pytest.mark.parametrize("room", INSIDE)
def test_imports_inside_a_room_point_downwards(room):
    order = INSIDE[room]

    def rank(module):
        return order.index(part) if (part := module.split(".")[1]) in order else len(order)

    upwards = [
        f"{module} imports {used}"
        for module, path in MODULES.items()
        if module.startswith(f"{room}.")
        for used in modules_used(path)
        if used.startswith(f"{room}.") and rank(used) > rank(module)
    ]
    assert not upwards


@pytest.mark.parametrize("module", [one for one in MODULES if ".problem" in one])
def test_problems_know_no_optimiser(module):
    """Of the searches they know what is asked of a problem, and nothing else."""
    if module.startswith("optimisers."):
        return
    used = {one for one in modules_used(MODULES[module]) if "optimisers" in one}
    assert used <= {"optimisers.problem"}


def test_optimisers_know_no_problem():
    used = {
        one
        for module, path in MODULES.items()
        if module.startswith("optimisers.")
        for one in modules_used(path)
    }
    rest = {one for one in used if not one.startswith("optimisers.")}
    allowed = {"arrays", "blas", "errors", "io.display", "io.interrupts", "plan.options"}
    assert rest - COMPILED <= allowed


@pytest.mark.parametrize("room", [room for row in ROOMS for room in row])
def test_no_room_is_too_large(room):
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines())
        for path in PYTHON_FILES
        if part_of(path) == room
    )
    assert lines <= LARGEST_ROOM


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_backend_loads_torch_when_imported(path):
    if part_of(path) == "_backend":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = imported(path, at_import(tree))
    loads = {name for name in names if name.split(".")[0] == "torch"}
    loads |= of_package(names) & {"_torch", "_backend"}
    assert not loads, (
        f"{path} loads torch: {sorted(loads)}. Import it in the function that needs it"
    )


def test_imports_are_found_wherever_they_are():
    code = (
        "import a\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import b\nelse:\n    import c\n"
        "try:\n    import d\nexcept ImportError:\n    import e\n"
        "class F:\n    import f\n    def g(self):\n        import g\n"
    )
    tree = ast.parse(code)
    path = PACKAGE / "io" / "x.py"
    assert imported(path, at_import(tree)) == {"a", "typing.TYPE_CHECKING", *"cdef"}
    assert imported(path, ast.walk(tree)) == {"a", "typing.TYPE_CHECKING", *"bcdefg"}
    relative = ast.parse("from . import y\nfrom ..model import z\nfrom .. import cli")
    assert of_package(imported(path, ast.walk(relative))) == {"io", "model", "cli"}


# ---- C++ --------------------------------------------------------------------------------

STANDARD = r"<[a-z_]+>"  # <cmath>, <vector>: no folder, no .h
TORCH = r"<(ATen|c10|torch)/[\w/]+\.h>"
PYBIND = r"<pybind11/\w+\.h>"


def ours(*layers):
    return rf'"ceinms_torch/({"|".join(layers)})/\w+\.hpp"'


CPP_LAYERS = {
    "kernel": (STANDARD, ours("kernel")),
    "engine": (STANDARD, ours("kernel", "engine")),
    "terms": (STANDARD, ours("kernel", "terms")),
    "calibration": (STANDARD, ours("kernel", "engine", "terms", "calibration")),
    "legacy": (STANDARD, ours("kernel", "terms", "legacy")),
    # Of calibration, what every search keeps while it runs; so does excitations.
    "excitations": (STANDARD, ours("kernel", "engine", "terms", "calibration", "excitations")),
    "tensor": (STANDARD, ours("kernel", "engine", "terms", "calibration", "tensor"), TORCH),
    "bindings": (STANDARD, ours(r"\w+"), TORCH, PYBIND, r'"\w+\.hpp"'),
}
# The compiler's header of vector instructions, where the processor has them; and Eigen, whose code
# must not meet itself compiled for another instruction set.
EXCEPTIONS = {("kernel/pack.hpp", "<immintrin.h>"), ("engine/dense.cpp", "<Eigen/Cholesky>")}
# They cost 13 to 25 s in every source that includes them (STYLE: include the narrowest header).
TOO_WIDE = {"<torch/torch.h>", "<torch/extension.h>", "<torch/all.h>"}
CPP_FILES = sorted(path for path in CPP.rglob("*") if path.suffix in {".hpp", ".cpp"})


def includes(path):
    text = path.read_text(encoding="utf-8")
    return re.findall(r'^\s*#\s*include\s*([<"][^>"]+[>"])', text, flags=re.MULTILINE)


def layer_of(path):
    return next(part for part in path.relative_to(CPP).parts if part in CPP_LAYERS)


def test_every_source_has_a_layer():
    assert {layer_of(path) for path in CPP_FILES} == set(CPP_LAYERS)


@pytest.mark.parametrize("path", CPP_FILES, ids=lambda path: str(path.relative_to(CPP)))
def test_includes_point_downwards(path):
    allowed = CPP_LAYERS[layer_of(path)]
    found = includes(path)
    forbidden = [
        name
        for name in found
        if name in TOO_WIDE or not any(re.fullmatch(pattern, name) for pattern in allowed)
        if ("/".join(path.parts[-2:]), name) not in EXCEPTIONS
    ]
    assert not forbidden, f"{path} includes {forbidden}"


def sources_of(target):
    """Return the sources that CMakeLists.txt lists for a module, with their layer's own sources."""
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    listing = re.search(rf"pybind11_add_module\({target}\s([^)]*)\)", text)
    assert listing, f"CMakeLists.txt has no module {target}"
    return [REPOSITORY / name for name in re.findall(r"\S+\.cpp", listing[1])]


def reached_from(source):
    """Return every include that a source reaches, through our own headers."""
    reached, waiting = set(), [source]
    while waiting:
        path = waiting.pop()
        for name in includes(path):
            if name in reached:
                continue
            reached.add(name)
            folders = (HEADERS, path.parent) if name.startswith('"') else ()
            waiting += [f / name[1:-1] for f in folders if (f / name[1:-1]).is_file()][:1]
    return reached


def test_kernel_module_does_not_reach_torch():
    for source in sources_of("_kernel"):
        reached = reached_from(source)
        assert any(name.startswith("<pybind11/") for name in reached), source
        beyond = [name for name in reached if re.fullmatch(TORCH, name) or "/tensor/" in name]
        assert not beyond, f"{source} reaches {beyond}"


def test_every_source_is_built():
    lists = [REPOSITORY / "CMakeLists.txt", *(CPP / "cmake").glob("*.cmake")]
    text = "".join(path.read_text(encoding="utf-8") for path in lists)
    built = set(re.findall(r"cpp/[\w/]+\.cpp", text))
    sources = {str(path.relative_to(REPOSITORY)) for path in CPP_FILES if path.suffix == ".cpp"}
    assert sources == built
