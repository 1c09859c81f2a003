"""Drafts of captions by a model: asked from an OpenAI-compatible endpoint, or read from a table.

Writers see them marked as a model's, beside what they make of them.
Local servers of captioning models (llama.cpp, vLLM, Ollama and others) speak the same protocol.
"""

from __future__ import annotations

import base64
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from sqlalchemy import Connection, select, update

from photogenic.core.errors import RunError
from photogenic.core.run import Run
from photogenic.review.config import DraftingConfig
from photogenic.review.imports import IDS, read_rows, rows_by_name, samples_of
from photogenic.web.room import Room
from photogenic.web.tables import items

if TYPE_CHECKING:
    from photogenic.review.desk import Review

Drafts = dict[str, dict[str, str]]  # sample_id -> {text, by}
FILE = "drafts.jsonl"
LONGEST_SIDE_PX = 1024  # enough for a caption, and what most models look at
TIMEOUT_S = 120.0
MOST_LETTERS = 4000


def drafts_of(run: Run, table: Path | None) -> Drafts:
    """The drafts there are: those of the table that the recipe names, and those that were asked for.

    Raises:
        RunError: the table cannot be read.
    """
    asked = run.folder / "review" / FILE
    return (_read(table.expanduser(), run) if table else {}) | (_read(asked, run) if asked.exists() else {})


def _read(path: Path, run: Run) -> Drafts:
    columns, rows = read_rows(path)
    column = next((name for name in IDS if name in columns), None)
    if column is None or "caption" not in columns:
        raise RunError(f"{path.name} needs a column `caption` and one of {', '.join(IDS)}.")
    table = samples_of(run)
    places, ids = rows_by_name(table, IDS[column]), table["sample_id"].to_pylist()
    return {
        ids[place]: {"text": row["caption"].strip()[:MOST_LETTERS], "by": row.get("by", "").strip()}
        for _, row in rows
        if row.get("caption", "").strip()
        for place in places.get(row.get(column, "").strip(), ())
    }


def ask_for_drafts(review: Review, room: Room) -> Iterator[str]:
    """Ask for a draft for each picture of the captions' round that has none.

    Gives a sentence for each that failed, and one at the end. The same command goes on where it was stopped.

    Raises:
        RunError: no endpoint is configured, the round has not begun, or the endpoint answers nothing at all.
    """
    config = review.config.drafting
    if config is None:
        raise RunError("No endpoint drafts captions.", "Set `review.drafting: {url, model}` in the recipe.")
    with room.database.reading() as connection:
        queue = review.queue_of(connection, len(review.config.rounds) - 1)
        if queue is None or queue.kind != "captions":
            raise RunError(
                "The round of captions has not begun.", "`--advance` opens it; then its pictures are known."
            )
        waiting = _without_draft(connection, queue.queue_id)
    path = review.run.stage("review") / FILE
    failed = 0
    for item_id, body in waiting:
        try:
            draft = {"text": ask(config, _picture(room, body["images"][0])), "by": config.model}
        except OSError as error:
            failed += 1
            yield f"{body['metadata'].get('key', item_id)}: {error}"
            if failed == len(waiting):
                raise RunError(
                    f"{config.url} gave no draft.", "Is it running, and is the model loaded?"
                ) from error
            continue
        with path.open("a", encoding="utf-8") as file:
            told = {"sample_id": body["sample_id"], "caption": draft["text"], "by": draft["by"]}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
        with room.database.writing() as connection:
            text = json.dumps(body | {"caption_drafts": [draft]}, ensure_ascii=False)
            connection.execute(update(items).where(items.c.item_id == item_id).values(body=text))
    yield f"{path}: {len(waiting) - failed} drafts by {config.model}" + (
        f", {failed} failed" if failed else ""
    )


def _without_draft(connection: Connection, queue_id: str) -> Sequence[tuple[str, dict[str, Any]]]:
    rows = connection.execute(
        select(items.c.item_id, items.c.body)
        .where(items.c.queue_id == queue_id, items.c.state == "pending")
        .order_by(items.c.position)
    )
    bodies = [(row.item_id, json.loads(row.body)) for row in rows]
    return [(item_id, body) for item_id, body in bodies if not body.get("caption_drafts")]


def _picture(room: Room, digest: str) -> bytes:
    """JPEG: every server reads it."""
    with Image.open(room.darkroom.picture(digest, "screen")) as image:
        image.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
        memory = io.BytesIO()
        image.convert("RGB").save(memory, "JPEG", quality=90)
    return memory.getvalue()


def ask(config: DraftingConfig, jpeg: bytes) -> str:
    """One caption from the endpoint.

    Raises:
        OSError: it cannot be reached, refuses, or answers something else.
    """
    picture = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    content = [{"type": "text", "text": config.prompt}, {"type": "image_url", "image_url": {"url": picture}}]
    body: Mapping[str, Any] = {
        "model": config.model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": config.max_tokens,
        "temperature": 0,
    }
    headers = {"Content-Type": "application/json"}
    if config.key_env:
        headers["Authorization"] = f"Bearer {os.environ.get(config.key_env, '')}"
    request = urllib.request.Request(
        f"{config.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            text = json.load(answer)["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        raise OSError(f"the endpoint answered {error.code}") from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise OSError("the endpoint answered no caption") from error
    if not isinstance(text, str) or not text.strip():
        raise OSError("the endpoint answered an empty caption")
    return " ".join(text.split())[:MOST_LETTERS]
