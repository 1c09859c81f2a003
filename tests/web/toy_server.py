"""A real server of the toy queue, to be killed: python -m tests.web.toy_server DATABASE_URL FOLDER PORT."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photogenic.web.registration import Registration
from photogenic.web.serve import serve
from photogenic.web.settings import Settings
from web.office import TOY, picture_bytes


def main(url: str, folder: str, port: str) -> None:
    registration = Registration(name="toys", kinds=(TOY,), read_picture=lambda _: picture_bytes(0))
    settings = Settings(database_url=url, folder=Path(folder), sign_ins_per_minute=1000, lease_s=5.0)
    serve(settings, registration, host="127.0.0.1", port=int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
