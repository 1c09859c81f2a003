import gzip
import io
import random
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from photogenic.curate.tars import TarMember, tar_members

from .containers import picture, write_tar


def names_and_reasons(path: Path) -> tuple[list[str], Counter[str]]:
    left_out: Counter[str] = Counter()
    return [member.name for member in tar_members(path, path.name, left_out)], left_out


def cut(path: Path, member: TarMember) -> bytes:
    return path.read_bytes()[member.offset : member.offset + member.size_bytes]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_where_the_headers_say(tmp_path: Path, form: int) -> None:
    long = "/".join(["folder" * 4] * 5) + "/" + "long" * 20 + ".png"
    names = ["a.png", "./deep/b.jpg", long, "empty.txt"]
    if form != tarfile.USTAR_FORMAT:
        names += ["d" * 250 + ".png", "été 日本.png"]
    contents = [picture(), b"x" * 512, b"y" * 513, b"", b"long", b"utf-8"][: len(names)]
    path = write_tar(tmp_path / "a.tar", list(zip(names, contents, strict=True)), form)
    left_out: Counter[str] = Counter()
    members = list(tar_members(path, "a.tar", left_out))
    assert [member.name for member in members] == [name.removeprefix("./") for name in names]
    assert [cut(path, member) for member in members] == contents
    assert not left_out


def test_a_hostile_tar_gives_nothing_but_counts(tmp_path: Path) -> None:
    def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        return member

    path = write_tar(
        tmp_path / "hostile.tar",
        [
            ("../../etc/cron.png", b"1"),
            ("/etc/passwd.png", b"2"),
            ("a/../../b.png", b"3"),
            (special("soft.png", tarfile.SYMTYPE, "/etc/passwd"), b""),
            (special("hard.png", tarfile.LNKTYPE, "good.png"), b""),
            (special("pipe.png", tarfile.FIFOTYPE), b""),
            (special("disk.png", tarfile.BLKTYPE), b""),
            (special("folder.png", tarfile.DIRTYPE), b""),
            ("._good.png", b"4"),
            (b"bad\xff.png".decode("utf-8", "surrogateescape"), b"5"),
            ("good.png", b"6"),
        ],
    )
    names, left_out = names_and_reasons(path)
    assert names == ["good.png"]
    assert left_out == {
        "name that leads out of its tar": 3,
        "link in a tar": 2,
        "neither file nor folder in a tar (pipe, device)": 2,
        "hidden": 1,
        "name that is not UTF-8": 1,
    }


def test_a_declared_size_is_not_believed(tmp_path: Path) -> None:
    huge = tarfile.TarInfo("huge.png")
    huge.size = 2**40
    path = write_tar(tmp_path / "huge.tar", [("good.png", b"1")])
    whole = path.read_bytes()[:1024]
    digits = b"9" * 5000  # more than Python turns into a number
    for lie in (
        huge.tobuf(tarfile.GNU_FORMAT),
        _pax(b"99999999 path=x\n"),
        _pax(b"15 size=-512abc\n"),
        _pax(b"5011 size=" + digits + b"\n"),
        _pax("11 size=\u0661\n".encode()),
    ):
        path.write_bytes(whole + lie + bytes(10240))
        names, left_out = names_and_reasons(path)
        assert names[0] == "good.png" and len(names) == 1
        assert list(left_out) == [
            "rest of huge.tar, which is cut off or damaged; what is whole before is in the pool"
        ]


def _pax(records: bytes) -> bytes:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    member = tarfile.TarInfo("after.png")
    return header.tobuf() + records.ljust(-(-len(records) // 512) * 512, b"\0") + member.tobuf()


def test_a_tar_cut_off_anywhere_gives_what_is_whole(tmp_path: Path) -> None:
    contents = {f"{number}.png": bytes([number]) * (400 * number) for number in range(1, 6)}
    path = write_tar(tmp_path / "cut.tar", list(contents.items()))
    whole = path.read_bytes()
    members = list(tar_members(path, "cut.tar", Counter()))
    end = members[-1].offset + 2048  # behind the padding of the last member
    for size in range(0, end + 512, 100):
        path.write_bytes(whole[:size])
        names, left_out = names_and_reasons(path)
        assert names == [member.name for member in members if member.offset + member.size_bytes <= size]
        assert left_out.total() == 1
    path.write_bytes(whole[: end + 512])
    assert names_and_reasons(path) == (list(contents), Counter())


def test_no_bytes_make_it_crash_or_read_past_the_end(tmp_path: Path) -> None:
    generator = random.Random(0)
    path = write_tar(
        tmp_path / "mutated.tar", [("d" * 200 + f"{n}.png", bytes(700)) for n in range(5)], tarfile.PAX_FORMAT
    )
    whole = path.read_bytes()
    for _ in range(500):
        mutated = bytearray(whole)
        for _ in range(generator.randint(1, 8)):
            mutated[generator.randrange(len(mutated))] = generator.randrange(256)
        path.write_bytes(mutated)
        for member in tar_members(path, "m.tar", Counter()):
            assert 0 <= member.offset <= member.offset + member.size_bytes <= len(mutated)
            assert ".." not in member.name.split("/") and not member.name.startswith("/")


def test_what_is_no_tar(tmp_path: Path) -> None:
    for name, data in {"text.tar": b"This is a sentence." * 99, "packed.tar": gzip.compress(b"x")}.items():
        (tmp_path / name).write_bytes(data)
        names, left_out = names_and_reasons(tmp_path / name)
        assert not names and left_out.total() == 1


def test_a_sparse_file_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tar"
    sparse = tarfile.TarInfo("holes.png")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes.png"}
    sparse.size = 512
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(sparse, io.BytesIO(bytes(512)))
        tar.addfile(tarfile.TarInfo("after.png"), io.BytesIO())
    assert names_and_reasons(path) == (["after.png"], Counter({"sparse file in a tar": 1}))
