"""Receivers that act as Discord and Telegram do: they give each message an id, and let it be changed."""

import json
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.destinations.formats.telegram import TelegramFormat
from forwarder.emulator.receiver import Answer, Received

Service = Literal["discord", "telegram"]
SERVICES: tuple[Service, ...] = ("discord", "telegram")


@dataclass(slots=True)
class Chat:
    """A channel with its messages: what there is to read in the end."""

    service: Service
    fails_first: int = 0
    """So many requests are answered 500 before it works."""
    delay_s: float = 0.0
    answers_without_id: bool = False
    messages: dict[int, list[str]] = field(default_factory=dict)
    """The texts that each message had, by its id."""
    refuses_edits: Answer | None = None

    @property
    def target(self) -> str:
        return "/api/webhooks/1/token?wait=true" if self.service == "discord" else "/bot1:token/sendMessage"

    def format_(self) -> DiscordFormat | TelegramFormat:
        if self.service == "discord":
            return DiscordFormat(target=self.target)
        return TelegramFormat(target=self.target, chat_id="-100")

    def respond(self, received: Received) -> Answer:
        if self.fails_first:
            self.fails_first -= 1
            return Answer(status=500, delay_s=self.delay_s)
        body = json.loads(received.body)
        path = urlsplit(received.path).path
        if self.service == "discord":
            is_edit, text = "/messages/" in path, body["embeds"][0]["description"]
            number = int(path.rpartition("/")[2]) if is_edit else 0
        else:
            is_edit, text = path.endswith("/editMessageText"), body["text"]
            number = body.get("message_id", 0)
        if is_edit and self.refuses_edits is not None:
            return self.refuses_edits
        if not is_edit:
            number = len(self.messages) + 1
            self.messages[number] = []
        self.messages[number].append(text)
        answer = {"id": str(number)} if self.service == "discord" else {"ok": True, "result": {"message_id": number}}
        return Answer(body=b"" if self.answers_without_id else json.dumps(answer).encode(), delay_s=self.delay_s)

    def read(self) -> list[list[str]]:
        """Return the words that show which event a text comes from, message by message."""
        words = ("first", "full")
        return [
            [word for text in texts for word in words if f"{word} text" in text] for texts in self.messages.values()
        ]
