"""How surprising one letter after another is, in Russian and in English.

Counted over the Civil Procedure Code and a product's documentation (Russian, 4.3 million characters) and over Python's
reference and the common licences (English, 0.8 million). A row per letter, a column per next letter, in the
order of the alphabet given; a space stands for the edge of a word. Each hexadecimal digit is
round(-log2 p(next | letter)), 15 or more as f.
"""

from __future__ import annotations

RUSSIAN_ALPHABET = " абвгдежзийклмнопрстуфхцчшщъыьэюя"
ENGLISH_ALPHABET = " abcdefghijklmnopqrstuvwxyz"

RUSSIAN_BITS = (
    "f653746844f475443435567969ffff7b9"
    "3f6476565965453b55437965566ffff76"
    "54def74885f54a33f46f4f67cf553eca5"
    "23f8ee3f94f5475395676f9ff78f48ff8"
    "547d855ff4fb4891d3cf4ffcfbffffcff"
    "42f7982a94f6395385595faaabf977ff8"
    "2c6764776a5645288343bb89878ffffab"
    "a39bf32ff3f6f42affbf7ffffffffcfff"
    "3274b46dd6f77533f6bf4ffcdff95cff9"
    "28768649545554477544b6666a9ffff64"
    "1ff8f6dffff55979fd33ffff9afffffff"
    "42a8ef57a3f63f72f6454fe6fcffffaff"
    "739fbf26f2f97f54ff9f5cff7fff92f43"
    "23a5ff2ff4f897738f8f5fdffeff5bff4"
    "63fc874ea2f7ff42ff6467b8affc39fc6"
    "3f434466575535574444baa8778fffce7"
    "64ffff3ff3f76f6162ba5ff9feff7dff9"
    "42a58826f4f8d663ca55598dc7ff59fe7"
    "4487c94af4f4466347524c8c8aff77fc4"
    "33b4fa3fd4f7b863944f5afa8fff64ff9"
    "356863566f64554f4445fbaa496ffff4a"
    "74ffff3f41fb7a93f6fc48ffffff8ffff"
    "17f9db8ff7fffb72f47fbfdfffffff8ff"
    "44faff3ff1f8fff6ffff5fffffff5ffff"
    "62ffff1ff2f79f48f8f48fffdafff8fff"
    "647bff1ff1f86f48f7968ffffffffbfff"
    "a2ffff1ff2ffff7fffff6ffffffff4fff"
    "cccccc0ccccccccccccccccccccccccc2"
    "2f55b63f7f37646f5674ff3f68ffffff7"
    "2f9fbe7f36f5f82fff44fefae5affff55"
    "ddddddddddd3387dbd81d6ddd4ddddddd"
    "1d6ff8fd8ffbbf9ff683ffff2f2ffffaf"
    "0fb5d64a5fad866fd785ff76af6ffff6a"
)
ENGLISH_BITS = (
    "f354555673a855545b54366586a"
    "4f546b86f5b7353f6b34366886c"
    "54a792fff43f3ac58f4683fff3f"
    "53f6c2df45f64bc29b6934fffaf"
    "158b62c9f3bf7dc4ff9595aae7f"
    "26944667a7ff653a67345c7857f"
    "15cfd55cf3fc6df2af4b54fff6f"
    "15aaf2a644ff58478f4574dffdf"
    "33efd1efd3ffb9b4ff7a59fdf9f"
    "86546545faf955237c633a6f9f8"
    "46c9c0ccccccccc69cccc4ccccc"
    "15d9d2b8b4dd7d5b6d84b6d7ddd"
    "33ca526bf2ed3cc4afa55499f4f"
    "3359c2dff4fd95943fa585aff9f"
    "25b43483a6d97884afc3367df6d"
    "39564837b8f865275f364466aab"
    "53fb73bc75fb3ba44f2745fdf4d"
    "5bbbbbbbbbbbbbbbbbbbb0bbbbb"
    "23866286d3f695647f545688d5f"
    "16f6b39c64e97ab55bd435fbf7f"
    "24b8a3bf23ff79b4af4566d7f6f"
    "45456496f5fd44395f333dffeff"
    "72eee1eee3eee8e5eeeccceeeee"
    "33eea4ee22ee7e63ee66eee8eeb"
    "24d2a3dd74ddd9d83dd83dda76d"
    "19a9f7fff5ff99634f555fc6fb9"
    "33aaa17aa3aaaaa78aa8aaaaa8a"
)


def bits_table(alphabet: str, digits: str) -> dict[str, int]:
    """Map each pair of letters of `alphabet` to its bits."""
    pairs = (first + second for first in alphabet for second in alphabet)
    return dict(zip(pairs, (int(digit, 16) for digit in digits), strict=True))
