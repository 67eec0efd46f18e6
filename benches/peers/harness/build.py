"""Builds what can be built here. What can't is missing later, and said to be."""
import os
import shutil
import subprocess
from pathlib import Path

from harness.contenders import GO, HERE, ROOT

FASTHTTP = Path("/usr/share/gocode/src/github.com/valyala/fasthttp")


def build(haul):
    """The Rust programs, haul unless one is given, Go's and undici's; where the haul to measure is."""
    manifest = ["--manifest-path", str(HERE / "Cargo.toml"), "--target-dir", str(HERE / "target")]
    cargo(manifest)
    if not haul:
        cargo(["--manifest-path", str(ROOT / "Cargo.toml"), "--bin", "haul"])
        haul = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/haul"
    if shutil.which("go"):
        go("nethttp", os.environ)
        # fasthttp comes with a package of the system's, which Go finds by its old kind of path.
        if FASTHTTP.exists():
            go("fasthttp", os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode"})
    if shutil.which("npm") and not (HERE / "undici/node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=HERE / "undici", check=False)
    return haul


def cargo(arguments):
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", *arguments], check=True)


def go(name, environment):
    subprocess.run(["go", "build", "-o", str(GO / f"{name}-client"), "."], cwd=HERE / name, env=environment, check=False)


def python(named):
    """The interpreter of the Python contenders."""
    own = HERE / "target/venv/bin/python"
    return named or (str(own) if own.exists() else "python3")
