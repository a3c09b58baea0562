"""Tables in documents that name files, functions and tests: do these exist?"""

import ast
import re

FILE = re.compile(r"[\w/]+\.(?:hpp|cpp|py|md)")
# A piece of a cell: `code` or "the beginning of a test's name".
PIECE = re.compile(r'`([^`]+)`|"([^"]+)"')


def found(name, folders):
    """Return the file of a name in one of the folders."""
    files = [folder / name for folder in folders if (folder / name).is_file()]
    assert len(files) == 1, f"{name} is {'in no' if not files else 'in more than one'} folder"
    return files[0]


def without_comments(path):
    text = path.read_text(encoding="utf-8")
    return text if path.suffix == ".py" else re.sub(r"//.*", "", text)


def definitions(path):
    """Return the names that a file defines (Python) or uses outside of comments (C++)."""
    text = without_comments(path)
    if path.suffix != ".py":
        return set(re.findall(r"\w+", text))
    nodes = ast.walk(ast.parse(text))
    return {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def test_cases(path):
    """Return the names of the test cases of a C++ file."""
    return re.findall(r'TEST_CASE\("([^"]+)"', path.read_text(encoding="utf-8"))


test_cases.__test__ = False


def check_cell(cell, folders):
    """Check that every file in a cell exists, and every name after a file is in that file."""
    file = None
    for code, quoted in PIECE.findall(cell):
        if FILE.fullmatch(code):
            file = found(code, folders)
            continue
        assert file is not None, f"'{code or quoted}' comes before the file it is in: {cell}"
        if code:
            assert code in definitions(file), f"{file} has no {code}"
        else:
            names = test_cases(file)
            assert any(name.startswith(quoted) for name in names), f"{file} has no '{quoted}...'"
