"""Builds a policy written in Python into a component: python build.py POLICY.py OUT.wasm

The tool is the PyPI package componentize-py: CPython and the policy as they stand after loading. It must be installed for the Python that runs
this file, or be found on the PATH. `gridbell plugin build` runs this file."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MISSING = "componentize-py is missing: run `python3 -m venv .venv && .venv/bin/pip install componentize-py` in the project's folder"
APP = """from gridbell.component import exported
import {module}

Plugin = exported({module})
"""


def contract():
    """The folder with policy.wit: this one in a project of its own, else where the repository has it."""
    for folder in (HERE, HERE.parents[2] / "wit"):
        if (folder / "policy.wit").is_file():
            return folder / "policy.wit"
    raise SystemExit(f"policy.wit is missing beside {HERE / 'build.py'}")


def tool():
    if importlib.util.find_spec("componentize_py"):
        return [sys.executable, "-c", "import sys; from componentize_py import script; sys.argv[0] = 'componentize-py'; sys.exit(script())"]
    found = shutil.which("componentize-py")
    if not found:
        raise SystemExit(MISSING)
    return [found]


def build(policy, out):
    policy, out = pathlib.Path(policy).resolve(), pathlib.Path(out).resolve()
    if not policy.is_file():
        raise SystemExit(f"{policy} does not exist")
    with tempfile.TemporaryDirectory(prefix="gridbell-python-") as work:
        work = pathlib.Path(work)
        (work / "wit").mkdir()
        shutil.copy(contract(), work / "wit/policy.wit")
        (work / "gridbell_app.py").write_text(APP.format(module=policy.stem), encoding="utf-8")
        paths = [str(work), str(policy.parent), str(HERE)]
        arguments = ["--quiet", "--wit-path", str(work / "wit"), "--world", "policy", "componentize", "--stub-wasi"]
        arguments += [word for path in paths for word in ("--python-path", path)]
        done = subprocess.run(
            [*tool(), *arguments, "gridbell_app", "--output", str(out)], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise SystemExit(done.stdout.strip() or f"componentize-py ended with {done.returncode}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python build.py POLICY.py OUT.wasm")
    build(*sys.argv[1:])
