"""Makes the images of this folder and `expected.txt`, which has for each either its size and the MD5 of its pixels as Pillow's
convert("RGB") and convert("RGB").convert("L") give them (planes one after the other), or a piece of the refusal.

Needs Pillow, numpy, cjpeg and libturbojpeg (Debian: libjpeg-turbo-progs, libturbojpeg0). Made with Pillow 13.0.0 (libjpeg-turbo
3.2.0, libwebp 1.6.0, libtiff 4.7.2) and cjpeg 2.1.5. The picture is drawn here, so nobody else has a right to it.
"""

import ctypes
import hashlib
import io
import os
import struct
import subprocess
import tempfile
import zlib

import numpy as np
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
refused = {}


def picture(width, height):
    """Soft colours, edges and some noise, so that every step of a codec has something to do."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    noise = np.random.default_rng(width * 1000 + height).integers(-20, 20, (height, width, 3))
    red = 128 + 100 * np.sin(x / 5) + 20 * (y > height / 2)
    green = 128 + 90 * np.cos(y / 4) - 60 * ((x + y) % 16 < 5)
    blue = 255 * (x * y) / max(1, (width - 1) * (height - 1))
    return Image.fromarray(np.clip(np.stack([red, green, blue], 2) + noise, 0, 255).astype(np.uint8))


base = picture(37, 29)


def put(name, data, error=None):
    with open(name, "wb") as file:
        file.write(data)
    if error:
        refused[name] = error


def pillow(name, image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    put(name, buffer.getvalue())
    return buffer.getvalue()


def cjpeg(name, *options, image=base):
    with tempfile.NamedTemporaryFile(suffix=".ppm") as file:
        image.save(file.name)
        data = subprocess.run(["cjpeg", "-quality", "85", *options, file.name], capture_output=True, check=True).stdout
    put(name, data)
    return data


def scans(text):
    # Kept until the script ends: cjpeg reads it later.
    file = tempfile.NamedTemporaryFile("w", suffix=".scans")
    file.write(text)
    file.flush()
    kept.append(file)
    return "-scans", file.name


kept = []


# JPEG.
plain = cjpeg("420.jpg", "-sample", "2x2")
for sample in ["1x1", "2x1", "1x2", "4x1", "1x4", "4x2", "2x4", "3x1", "3x2"]:
    cjpeg(f"sample-{sample}.jpg", "-sample", sample)
for number, sample in enumerate(["2x2,1x2,2x1", "1x1,2x2,1x1", "1x2,2x1,1x1", "2x2,2x2,1x1", "1x1,1x1,2x2", "2x2,1x1,2x2"]):
    cjpeg(f"sample-mixed-{number}.jpg", "-sample", sample)
cjpeg("progressive.jpg", "-progressive")
for sample in ["2x2", "1x2", "2x1", "1x1"]:
    cjpeg(f"separate-scans-{sample}.jpg", "-sample", sample, *scans("0;\n1;\n2;\n"))
cjpeg("separate-scans-reversed.jpg", *scans("2;\n1;\n0;\n"))
cjpeg("two-scans.jpg", *scans("0;\n1 2;\n"))
cjpeg("grey.jpg", "-grayscale")
cjpeg("grey-sample-2x2.jpg", "-grayscale", "-sample", "2x2")
cjpeg("rgb.jpg", "-rgb", "-sample", "1x1")
cjpeg("restart.jpg", "-restart", "1B")
cjpeg("arithmetic.jpg", "-arithmetic")
cjpeg("arithmetic-progressive.jpg", "-arithmetic", "-progressive")
cjpeg("wide-tables.jpg", "-quality", "1")
cjpeg("one-pixel.jpg", image=base.crop((0, 0, 1, 1)))
cjpeg("one-column.jpg", "-sample", "2x2", image=picture(1, 40))
cjpeg("name.jfif")
cmyk = base.convert("CMYK")
cmyk = Image.merge("CMYK", [*cmyk.split()[:3], base.convert("L").point(lambda level: level // 2)])
adobe = pillow("cmyk.jpg", cmyk, "JPEG", quality=90)
at = adobe.index(b"\xff\xee")
put("cmyk-unmarked.jpg", adobe[:at] + adobe[at + 2 + int.from_bytes(adobe[at + 2 : at + 4], "big") :])
turbo = ctypes.CDLL("libturbojpeg.so.0")
turbo.tjInitCompress.restype = ctypes.c_void_p
out, size = ctypes.c_void_p(), ctypes.c_ulong()
light = bytes(255 - ink for ink in cmyk.tobytes())
# Pixel format 11 is CMYK, subsampling 2 is 4:2:0: stored as YCCK.
result = turbo.tjCompress2(
    ctypes.c_void_p(turbo.tjInitCompress()), light, 37, 0, 29, 11, ctypes.byref(out), ctypes.byref(size), 2, 90, 0
)
assert result == 0
put("ycck.jpg", ctypes.string_at(out, size.value))
exif = Image.Exif()
exif[0x0112] = 6
pillow("orientation.jpg", base, "JPEG", exif=exif)
pillow("multi-picture.jpg", base, "MPO", save_all=True, append_images=[base])
end = plain.rindex(b"\xff\xd9")
put("left-over.jpg", plain[:end] + b"\0\1\2\3" + plain[end:])
put("after-the-end.jpg", plain + b"and more")
scan = plain.index(b"\xff\xda")
put("fill-bytes.jpg", plain[:scan] + b"\xff\xff\xff" + plain[scan:])


def patched(name, offset, value, error, process="-baseline"):
    """The header's byte at `offset` from its marker has another value."""
    data = bytearray(cjpeg(name, process))
    start = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC1, 0xC2, 0xC9))
    data[start + offset : start + offset + len(value)] = value
    put(name, bytes(data), error)


patched("12-bit.jpg", 4, b"\x0c", "12 bits a sample")
patched("lossless.jpg", 1, b"\xc3", "lossless")
patched("hierarchical.jpg", 1, b"\xc5", "hierarchical")
patched("two-channels.jpg", 9, b"\x02", "2 channels")
patched("huge.jpg", 5, b"\xff\xff\xff\xff", "no image may have more than 178956970")
patched("large-header.jpg", 5, b"\x27\x10\x27\x10", "the file is too short")
patched("large-arithmetic.jpg", 5, b"\xff\xff\xff\xff", "no image may have more", "-arithmetic")
patched("no-height.jpg", 5, b"\x00\x00", "0 pixels high")
put("bad-code.jpg", plain[:end - 40] + b"\x92\x49" * 15 + plain[end - 10:], "cannot be decoded")
put("marker-inside.jpg", plain[:end - 60] + b"\xff\xd9", "premature end of data")

# PNG.
grey = base.convert("L")
alpha = Image.fromarray((np.arange(37 * 29) % 256).astype(np.uint8).reshape(29, 37))
rgba = Image.merge("RGBA", [*base.split(), alpha])
pillow("rgb.png", base, "PNG")
pillow("grey.png", grey, "PNG")
pillow("grey-alpha.png", Image.merge("LA", [grey, alpha]), "PNG")
pillow("rgba.png", rgba, "PNG")
pillow("bits.png", base.convert("1"), "PNG")
for colors, bits in [(2, 1), (4, 2), (16, 4), (200, 8)]:
    pillow(f"palette-{colors}.png", base.quantize(colors), "PNG", bits=bits)
pillow("palette-transparent.png", base.quantize(30), "PNG", transparency=bytes(range(0, 240, 8)))
pillow("orientation.png", base, "PNG", exif=exif)
pillow("animated.png", base, "PNG", save_all=True, append_images=[base.rotate(90)])


def png(name, depth, color, rows, interlace=0, extra=b""):
    """Written by hand: Pillow does not write these."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 37, 29, depth, color, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    data = chunk(b"IDAT", data[:50]) + chunk(b"IDAT", data[50:])
    put(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b""))


deep = np.random.default_rng(1).integers(0, 65536, (29, 37, 4)).astype(">u2")
low = (deep[..., 0] % 300).astype(">u2")
png("grey-16.png", 16, 0, [low[y].tobytes() for y in range(29)])
clear = struct.pack(">I", 2) + b"tRNS" + b"\0\7" + struct.pack(">I", zlib.crc32(b"tRNS\0\7"))
png("grey-16-transparent.png", 16, 0, [low[y].tobytes() for y in range(29)], extra=clear)
png("grey-transparent.png", 8, 0, [grey.tobytes()[y * 37 :][:37] for y in range(29)], extra=clear)
png("rgb-16.png", 16, 2, [deep[y, :, :3].tobytes() for y in range(29)])
png("rgba-16.png", 16, 6, [deep[y].tobytes() for y in range(29)])
png("grey-alpha-16.png", 16, 4, [deep[y, :, :2].tobytes() for y in range(29)])
for bits in [2, 4]:
    rows = np.random.default_rng(bits).integers(0, 256, (29, (37 * bits + 7) // 8)).astype(np.uint8)
    png(f"grey-{bits}.png", bits, 0, [row.tobytes() for row in rows])
passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
pixels = np.asarray(base)
png("interlaced.png", 8, 2, [row.tobytes() for x, y, dx, dy in passes for row in pixels[y::dy, x::dx]], interlace=1)

# BMP.
pillow("rgb.bmp", base, "BMP")
pillow("rgba.bmp", rgba, "BMP")
pillow("palette.bmp", base.quantize(99), "BMP")
pillow("bits.bmp", base.convert("1"), "BMP")
pillow("grey.bmp", grey, "BMP")


def bmp(name, depth, compression, masks, rows, height=29, error=None):
    data = b"".join(row + bytes(-len(row) % 4) for row in rows)
    start = 54 + len(masks)
    head = struct.pack("<IiiHHIIiiII", 40, 37, height, 1, depth, compression, len(data), 0, 0, 0, 0)
    put(name, b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + masks + data, error)


words = np.random.default_rng(5).integers(0, 65536, (29, 37)).astype("<u2")
bmp("555.bmp", 16, 0, b"", [row.tobytes() for row in words])
bmp("565.bmp", 16, 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F), [row.tobytes() for row in words])
bmp("top-down.bmp", 24, 0, b"", [row.tobytes() for row in pixels[..., ::-1]], height=-29)
bmp("run-length.bmp", 8, 1, bytes(1024), [b"\x25\x00\x00\x00"] * 29, error="run-length coding")

# PPM and PGM.
pillow("binary.ppm", base, "PPM")
pillow("binary.pgm", grey, "PPM")
put("text.ppm", b"P3\n# a comment\n2 2 # another\n255\n1 2 3 40 50 60\n100 110 120 253 254 255\n")
put("text.pgm", b"P2 3 1 15 0 7 15\n")
put("bits.ppm", b"P4\n10 2\n\xaa\x80\x55\x40")
put("levels-15.pgm", b"P5 4 1 15\n" + bytes([0, 1, 7, 15]))
put("levels-100.ppm", b"P6 2 1 100\n" + bytes([0, 1, 50, 99, 100, 33]))
put("levels-1000.ppm", b"P6 2 1 1000\n" + struct.pack(">6H", 0, 1, 500, 999, 1000, 333))
put("deep.pgm", b"P5 4 1 65535\n" + struct.pack(">4H", 0, 200, 256, 65535))

# TIFF.
pillow("rgb.tif", base, "TIFF")
for name, compression in [("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"), ("packbits", "packbits")]:
    pillow(f"{name}.tif", base, "TIFF", compression=compression)
pillow("grey.tiff", grey, "TIFF")
pillow("bits.tif", base.convert("1"), "TIFF")
pillow("cmyk.tif", cmyk, "TIFF")
pillow("rgba.tif", rgba, "TIFF")
pillow("grey-16.tif", Image.fromarray(low.astype(np.uint16)), "TIFF")
pillow("orientation.tif", base, "TIFF", tiffinfo={274: 6})
pillow("palette.tif", base.quantize(20), "TIFF")
refused["palette.tif"] = "RGBPalette"
pillow("jpeg.tif", base, "TIFF", compression="jpeg")
refused["jpeg.tif"] = "ModernJPEG compression"
pillow("float.tif", grey.convert("F"), "TIFF")
refused["float.tif"] = "which is not read"

# WebP.
pillow("lossy.webp", base, "WEBP", quality=70)
pillow("lossless.webp", base, "WEBP", lossless=True)
pillow("lossy-alpha.webp", rgba, "WEBP", quality=70)
pillow("lossless-alpha.webp", rgba, "WEBP", lossless=True)
pillow("animated.webp", base, "WEBP", save_all=True, append_images=[base.rotate(90)], quality=80)
pillow("orientation.webp", base, "WEBP", exif=exif)

# Names that lie, and what is no image at all.
pillow("png-inside.jpg", base, "PNG")
pillow("jpeg-inside.webp", base, "JPEG")
pillow("gif-inside.jpg", base, "GIF")
refused["gif-inside.jpg"] = "a GIF"
put("page.jpg", b"<!DOCTYPE html><html>404</html>", "a web page")
put("pointer.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull")
put("heic-inside.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC")

with open("expected.txt", "w") as table:
    for name in sorted(os.listdir(".")):
        if name in ("make.py", "expected.txt"):
            continue
        if name in refused:
            table.write(f"{name}\trefused\t{refused[name]}\n")
            continue
        with Image.open(name) as image:
            rgb = image.convert("RGB")
        planes = np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1)).tobytes()
        hashes = [hashlib.md5(data).hexdigest() for data in (planes, rgb.convert("L").tobytes())]
        table.write(f"{name}\t{rgb.width}x{rgb.height}\t{hashes[0]}\t{hashes[1]}\n")
