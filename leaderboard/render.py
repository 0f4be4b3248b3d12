"""Views to HTML, by the templates."""

from __future__ import annotations

import importlib.util
import marshal
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from jinja2 import BytecodeCache, Environment, FunctionLoader, StrictUndefined, Template
from jinja2.bccache import Bucket
from markupsafe import escape

from harness.atomic import write_atomic
from leaderboard.fingerprint import code_digest
from leaderboard.values import number_cell
from leaderboard.wording import in_svg, korean, label, say, tip

__all__ = ["render"]

TEMPLATES = Path(__file__).parent / "templates"
SENTENCE = re.compile(r'\{\{ t\("([a-z_]+\.[a-z_]+)"\) \}\}')


def render(template: str, root: str, **views: object) -> bytes:
    """Return a page; `root` leads from it to the site's folder."""
    return _compiled(template).render(root=root, **views).encode()


@cache
def _compiled(template: str) -> Template:
    return _environment().get_template(template)


def _template(name: str) -> str:
    """Return a template in which every sentence without a value stands already, for it is always the same."""
    source = (TEMPLATES / name).read_text(encoding="utf-8")
    return SENTENCE.sub(lambda found: str(escape(say(found[1]))), source)


class _Compiled(BytecodeCache):
    """Compiled templates beside compiled modules: whoever may write there may change the code anyway."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the code that this very code compiled from the same source, if it is there."""
        with suppress(OSError, EOFError, ValueError, TypeError):
            content = self._path(bucket).read_bytes()
            if content.startswith(head := self._head(bucket)):
                bucket.code = marshal.loads(content[len(head) :])  # noqa: S302  as import does

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code, unless Python is told to keep none, or nothing may be written there."""
        with suppress(OSError):
            if not sys.dont_write_bytecode:
                content = self._head(bucket) + marshal.dumps(bucket.code)
                write_atomic(self._path(bucket), content, durable=False)

    def _head(self, bucket: Bucket) -> bytes:
        return f"{code_digest()} {bucket.checksum}\n".encode()

    def _path(self, bucket: Bucket) -> Path:
        return Path(importlib.util.cache_from_source(str(TEMPLATES / f"{bucket.key}.py")))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_Compiled(),
    )
    environment.globals |= {"t": say, "tip": tip, "label": label, "num": number_cell}
    environment.filters |= {"en": str.__str__, "ko": korean, "svg": in_svg}
    return environment
