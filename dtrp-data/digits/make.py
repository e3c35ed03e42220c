#!/usr/bin/env python3
"""Makes digits.bin from scikit-learn's copy of the UCI handwritten digits.

    python3 make.py digits.csv.gz digits.bin

digits.csv.gz is sklearn/datasets/data/digits.csv.gz of any scikit-learn release: 1,797 lines of 64 pixels (0..16)
and a label (0..9). The format, the split and the licence are described in README.md beside this file.
Needs only Python's standard library; the same input always gives the same bytes.
"""
import gzip
import hashlib
import struct
import sys
from collections import defaultdict

RECORD = 34  # bytes: 65 base-17 digits are below 2**266
TEST_SHARE = 0.2


def main(source, target):
    with gzip.open(source, "rt") as lines:
        rows = [[int(float(v)) for v in line.split(",")] for line in lines]
    assert len(rows) == 1797 and all(len(r) == 65 and 0 <= min(r) and max(r) <= 16 for r in rows)

    by_class = defaultdict(list)
    for number, row in enumerate(rows):
        by_class[row[64]].append(number)
    test = set()
    for numbers in by_class.values():
        numbers.sort(key=lambda n: hashlib.sha256(f"dtrp digits split 1: {n}".encode()).digest())
        test.update(numbers[: round(TEST_SHARE * len(numbers))])
    # Both parts keep the order of the source.
    order = [n for n in range(len(rows)) if n not in test] + sorted(test)

    with open(target, "wb") as out:
        out.write(struct.pack("<8sII", b"DTRPDIG1", len(rows) - len(test), len(test)))
        for n in order:
            number = 0
            for digit in reversed([rows[n][64]] + rows[n][:64]):
                number = number * 17 + digit
            out.write(number.to_bytes(RECORD, "little"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
