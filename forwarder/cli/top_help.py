"""The help of `top`: what every key does."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

_KEYS = (
    ("up, down", "move the cursor (also k, j, page up, page down)"),
    ("home, end", "first row, last row; end follows what passes"),
    ("tab", "go to the other list"),
    ("enter", "open the event of a line"),
    ("p", "pause or resume the destination with the cursor"),
    ("/", "show only what a rule or words let through"),
    ("f", "show only attempts that failed, or everything"),
    ("escape", "follow what passes again; go back"),
    ("r, R", "in an event: send it again; to all again"),
    ("?, h", "this help"),
    ("q", "go back; quit"),
)


class HelpScreen(ModalScreen[None]):
    """Shows the keys until one of them is pressed that closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,h,question_mark,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """Show the keys."""
        width = max(len(keys) for keys, _ in _KEYS)
        with Vertical(classes="box"):
            yield Static(Text("\n".join(f"{keys:<{width}}  {what}" for keys, what in _KEYS)), id="keys")
            yield Static(Text("escape closes this"))
