"""Gathers photographs that packages ship as examples and tests, with the pixels that Pillow gives for each.

    python3 collect.py FOLDER
    DTRP_PHOTOGRAPHS=FOLDER cargo test --release -p dtrp-data --test suite photographs -- --nocapture

Downloads the packages of `packages.txt` (several hundred megabytes, one after the other, so that the disk never holds them all;
some quarter of an hour), takes every JPEG out of them once, and leaves in FOLDER what the second command reads: the files, named
by their MD5, and `expected.txt`, of which a line is

    FILE  WIDTHxHEIGHT  MD5 of the pixels in colour  MD5 in grey  maker of the camera, or -  package

or, where Pillow refuses the file, `FILE  refused  what it says  -  maker  package`, all with tabs between. The pixels are those of
convert("RGB") and of convert("RGB").convert("L"), planes one after the other.

Needs Pillow, and the package managers apt-get (with Debian's sources), pip and npm. FOLDER must be new or empty.
"""

import collections
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib

import PIL
from PIL import Image, features

HERE = os.path.dirname(os.path.abspath(__file__))
JPEGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".thm")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
ZIPS = (".zip", ".whl", ".jar")
# What is smaller on a side was made for tests, or is a thumbnail.
LEAST_SIDE = 64

# Names under which one maker signs, and who is behind them. A name is compared by its first word in small letters.
MAKERS = {
    "asahi": "pentax",
    "eastman": "kodak",
    "hewlett-packard": "hp",
    "lge": "lg",
    "seiko": "epson",
}
# Programs, test data and scanners that leave a maker: not cameras.
NOT_MAKERS = {"", "--", "-", "camera", "canoscan", "digital", "gimp", "generic", "make", "none", "picasa", "test", "unknown"}


def quietly(command, **options):
    """Runs a package manager; returns whether it succeeded, and says what it said where not."""
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if run.returncode != 0:
        said = (run.stderr or run.stdout).strip().splitlines()
        print(f"  {command[0]}: {said[-1] if said else 'failed'}", file=sys.stderr)
    return run.returncode == 0


def debian_sources(folder):
    """apt-get's environment, with lists of source packages, whether or not the system asks for them."""
    parts = os.path.join(folder, "sources")
    lists = os.path.join(folder, "lists")
    os.makedirs(parts)
    os.makedirs(os.path.join(lists, "partial"))
    found = ["/etc/apt/sources.list"]
    if os.path.isdir("/etc/apt/sources.list.d"):
        found += [os.path.join("/etc/apt/sources.list.d", name) for name in sorted(os.listdir("/etc/apt/sources.list.d"))]
    for number, path in enumerate(found):
        if not os.path.isfile(path) or not path.endswith((".list", ".sources")):
            continue
        with open(path) as file:
            text = file.read()
        text = re.sub(r"(?m)^Types:.*$", "Types: deb deb-src", text)
        text = re.sub(r"(?m)^deb(-src)? (.*)$", r"deb \2\ndeb-src \2", text)
        with open(os.path.join(parts, f"{number}-{os.path.basename(path)}"), "w") as file:
            file.write(text)
    config = os.path.join(folder, "apt.conf")
    with open(config, "w") as file:
        file.write(f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{parts}";\nDir::State::Lists "{lists}";\n')
    variables = dict(os.environ, APT_CONFIG=config)
    return variables if quietly(["apt-get", "update"], env=variables) else None


def download(kind, name, version, folder, apt):
    """Fetches one package into a folder; returns whether it is there."""
    if kind in ("debian", "debian-source"):
        if apt is None:
            return False
        what = ["download"] if kind == "debian" else ["source", "--download-only", "--only-source"]
        return quietly(["apt-get", "-qq", *what, f"{name}={version}"], cwd=folder, env=apt)
    if kind in ("pypi", "pypi-source"):
        form = ["--only-binary", ":all:"] if kind == "pypi" else ["--no-binary", ":all:"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", *form]
        return quietly([*pip, "--dest", folder, f"{name}=={version}"])
    if kind == "npm":
        return quietly(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder)
    sys.exit(f"packages.txt: there is no kind {kind}")


def jpegs(name, data, depth=0):
    """The JPEG files in an archive, and in the archives in it. Some of those are damaged, as tests of others want them."""
    low = name.lower()
    try:
        if low.endswith(JPEGS) and data[:2] == b"\xff\xd8":
            yield data
        for inner, content in members(low, data) if depth < 4 else []:
            if inner.lower().endswith(JPEGS + TARS + ZIPS):
                yield from jpegs(inner, content, depth + 1)
    except (tarfile.TarError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, zlib.error) as error:
        print(f"  {name}: {error}", file=sys.stderr)


def members(low, data):
    """Name and content of each file in an archive; nothing for what is none."""
    if low.endswith(TARS):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, archive.extractfile(member).read()
    elif low.endswith(ZIPS):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                yield member.filename, archive.read(member)
    elif low.endswith(".deb"):
        with tempfile.NamedTemporaryFile(suffix=".deb") as file:
            file.write(data)
            file.flush()
            tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", file.name], capture_output=True, check=True).stdout
        yield "data.tar", tar


def maker(image):
    """Whose camera it was by the EXIF data, by one name for each maker, or none."""
    try:
        make = image.getexif().get(271)
    except Exception:
        return None
    words = re.sub(r"[^a-z0-9.-]+", " ", str(make or "").split("\0")[0].lower()).split()
    name = words[0].rstrip(".,") if words else ""
    name = MAKERS.get(name, name)
    return None if name in NOT_MAKERS else name


def expected(data):
    """Size, hashes and maker of a JPEG; none for one that is too small, or no image at all."""
    try:
        image = Image.open(io.BytesIO(data))
    except Exception:
        return None  # The head of a file alone, as tests of EXIF libraries have them.
    if image.format not in ("JPEG", "MPO") or min(image.size) < LEAST_SIDE:
        return None
    make = maker(image)
    try:
        color = image.convert("RGB")
    except Exception as error:
        return "refused", str(error), "-", make
    planes = lambda picture: hashlib.md5(b"".join(band.tobytes() for band in picture.split())).hexdigest()
    return f"{color.width}x{color.height}", planes(color), planes(color.convert("L")), make


def main(folder):
    os.makedirs(folder, exist_ok=True)
    if os.listdir(folder):
        sys.exit(f"{folder} is not empty: name a folder that is new")
    warnings.simplefilter("ignore")
    turbo = "libjpeg-turbo" if features.check_feature("libjpeg_turbo") else "NOT libjpeg-turbo, but libjpeg"
    print(f"Pillow {PIL.__version__}, {turbo} {features.version('libjpeg_turbo') or features.version('jpg')}")
    with open(os.path.join(HERE, "packages.txt")) as file:
        packages = [line.split() for line in file if line.strip() and not line.startswith("#")]
    seen, makers, total, missing = set(), collections.Counter(), 0, []
    with tempfile.TemporaryDirectory() as scratch, open(os.path.join(folder, "expected.txt"), "w") as table:
        apt = debian_sources(os.path.join(scratch, "apt"))
        for kind, name, version in packages:
            into = os.path.join(scratch, "package")
            os.makedirs(into)
            count = 0
            if not download(kind, name, version, into, apt):
                missing.append(f"{kind} {name} {version}")
            for archive in sorted(os.listdir(into)):
                with open(os.path.join(into, archive), "rb") as file:
                    content = file.read()
                for data in jpegs(archive, content):
                    digest = hashlib.md5(data).hexdigest()
                    if digest in seen:
                        continue
                    seen.add(digest)
                    found = expected(data)
                    if found is None:
                        continue
                    count += 1
                    makers[found[3]] += 1
                    with open(os.path.join(folder, f"{digest}.jpg"), "wb") as file:
                        file.write(data)
                    print(f"{digest}.jpg", *found[:3], found[3] or "-", name, sep="\t", file=table)
            shutil.rmtree(into)
            total += count
            print(f"{kind} {name} {version}: {count}", flush=True)
    unnamed = makers.pop(None, 0)
    print(f"{total} JPEG files: {total - unnamed} with the maker of a camera, of {len(makers)} makers")
    print("  " + ", ".join(f"{name} {count}" for name, count in makers.most_common()))
    if missing:
        print("not to be had, or not whole:", *missing, sep="\n  ")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
