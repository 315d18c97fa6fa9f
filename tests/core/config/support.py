"""A config to start from, and the world that the tests load it in."""

import os
from collections.abc import Mapping

from forwarder.core.config import Config, load_config

CANARY = "magpie"
"""Part of every secret; no message may hold it."""

ENV = {
    "SCRAPEST_API_KEY": "magpie-key",
    "CANARY": "magpie-from-a-variable",
    "BAD_REGEX": "(magpie",
    "EMPTY": "",
    "BOT_TOKEN": "magpie-token",
    "BOT_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
    "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/magpie",
}
FILES = {
    "/run/credentials/key": "magpie-key-of-a-file\n",
    "/run/credentials/two-words": "magpie magpie\n",
    "/run/credentials/url": "https://example.com/magpie\n",
    "/run/credentials/secret": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n",
    "/run/credentials/two-secrets": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n\n  whsk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= \r\n",
    "/run/credentials/assignment": "SCRAPEST_API_KEY=magpie-key\n",
    "/lists/fine.txt": "# comment\n#btc\n## also one\n#\n\nnova\nC#\n-100123\nhello, world\nit's\na#b\n",
    "/lists/odd.txt": '\ufeffeth # ether\r\nbtc #\n\n# comment, \n"doge"\n\u201cshib\u201d\nxrp,\n- ada\nsol\u200b\nfine\n;\n\'\n',
    "/run/credentials/secrets-with-a-mistake": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\nwhsec_magpie\n",
}


def read_file(path: str) -> str:
    if path.endswith("binary"):
        return b"\xff".decode()
    if path not in FILES:
        raise FileNotFoundError(2, os.strerror(2), path)
    return FILES[path]


def load(text: bytes | str, env: Mapping[str, str] = ENV) -> Config:
    data = text if isinstance(text, bytes) else text.encode()
    return load_config(data, name="config.yaml", env=env, read_file=read_file)


def config_text(*, stream: str = "", destination: str = "", route: str = "", rest: str = "") -> str:
    """A small valid config with lines added to its stream, destination, route or end."""
    return "\n".join(
        [
            "streams:",
            "  - api_key: ${SCRAPEST_API_KEY}",
            *(f"    {line}" for line in stream.splitlines()),
            "destinations:",
            "  bot:",
            "    url: http://127.0.0.1:9000/hook",
            *(f"    {line}" for line in destination.splitlines()),
            "routes:",
            "  - to: bot",
            *(f"    {line}" for line in route.splitlines()),
            rest,
        ]
    )
