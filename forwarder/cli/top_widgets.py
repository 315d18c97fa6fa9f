"""What `top` is made of on the screen: lists of lines with a cursor, questions, and an input."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from forwarder.cli.live_lines import StyledLine

_STYLES = {
    "": "",
    "1": "bold",
    "2": "dim",
    "31": "red",
    "32": "green",
    "33": "yellow",
    "34": "blue",
    "35": "magenta",
    "36": "cyan",
    "93": "bright_yellow",
    "96": "bright_cyan",
}
"""The styles of the colours that lines have."""

Key = TypeVar("Key")


def styled(line: StyledLine, *, wraps: bool = False) -> Text:
    """Return a line as the screen shows it. What is in it is text, never markup."""
    return Text.assemble(*((text, _STYLES[colour]) for text, colour in line.pieces), no_wrap=not wraps, end="")


def joined(lines: Sequence[StyledLine], *, wrap: bool = False) -> Text:
    """Return several lines as one text. `wrap`: those that are too long go on in the next line."""
    text = Text("\n").join(styled(line, wraps=wrap) for line in lines)
    text.no_wrap = not wrap
    return text


class RowList(Widget, Generic[Key], can_focus=True):
    """Lines with a cursor, which stays on its line while others come and go; of a list that follows its end, until Escape or End."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
        Binding("escape", "leave", "Follow", show=False),
        Binding("enter", "open", "Open"),
    ]
    DEFAULT_CSS = "RowList { text-wrap: nowrap; text-overflow: clip; }"

    class Opened(Message):
        """Enter was pressed on a row."""

        def __init__(self, rows: Widget, key: object) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

    def __init__(self, *, id: str, follows: bool = False, opens: bool = False) -> None:  # noqa: A002 - the name of Textual
        """`follows`: it shows its end until the cursor is moved. `opens`: Enter opens a row."""
        super().__init__(id=id)
        self._opens = opens
        self._follows = follows
        self._keys: Sequence[Key] = ()
        self._line_at: Callable[[int], StyledLine] = lambda _index: StyledLine(())
        self.cursor: Key | None = None
        """The row with the cursor; `None` where there is none, or while the end is followed."""
        self._top = 0

    def show(self, keys: Sequence[Key], line_at: Callable[[int], StyledLine]) -> None:
        """Show the rows of these keys. `line_at` is asked for the lines that are visible, by their place among all."""
        before, is_other_height = self._index, len(keys) != len(self._keys)
        self._keys, self._line_at = keys, line_at
        if self.cursor not in keys:
            self.cursor = None if self._follows or not keys else keys[min(before or 0, len(keys) - 1)]
        self.refresh(layout=is_other_height and not self._follows)

    def get_content_height(self, _container: Size, _viewport: Size, _width: int) -> int:
        """Return how many lines there are, of which as many are visible as there is room for."""
        return max(len(self._keys), 1)

    @property
    def _index(self) -> int | None:
        if self.cursor is None:
            return None
        try:
            return self._keys.index(self.cursor)
        except ValueError:
            return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something here."""
        does_nothing = (action == "open" and not self._opens) or (action == "leave" and not self._follows)
        return False if does_nothing else super().check_action(action, parameters)

    def render(self) -> Text:
        """Return the visible lines, that with the cursor in reverse."""
        height, index = max(self.size.height, 1), self._index
        if index is None:
            self._top = max(len(self._keys) - height, 0) if self._follows else 0
        else:
            self._top = min(max(self._top, index - height + 1), index)
            self._top = max(min(self._top, len(self._keys) - height), 0)
        end = min(self._top + height, len(self._keys))
        shown = [styled(self._line_at(index)) for index in range(self._top, end)]
        if index is not None and 0 <= index - self._top < len(shown):
            line = shown[index - self._top]
            line.pad_right(max(self.size.width - line.cell_len, 0))
            line.stylize("reverse" if self.has_focus else "bold")
        return Text("\n").join(shown)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        if not self._keys:
            return
        index = self._index
        start = len(self._keys) if index is None and self._follows else -1 if index is None else index
        self.cursor = self._keys[min(max(start + by, 0), len(self._keys) - 1)]
        self.refresh()

    def action_page(self, by: int) -> None:
        """Move the cursor by as many lines as are visible."""
        self.action_move(by * max(self.size.height - 1, 1))

    def action_first(self) -> None:
        """Move the cursor to the first row."""
        self.action_move(-len(self._keys) - 1)

    def action_last(self) -> None:
        """Move the cursor to the last row, or follow the end again."""
        if self._follows:
            self.action_leave()
        else:
            self.action_move(len(self._keys) + 1)

    def action_leave(self) -> None:
        """Follow the end again."""
        if self._follows:
            self.cursor = None
            self.refresh()

    def action_open(self) -> None:
        """Tell the screen that the row is to be opened; while the end is followed, that is the newest."""
        key = self._keys[-1] if self.cursor is None and self._keys else self.cursor
        if key is not None:
            self.post_message(self.Opened(self, key))


class Question(ModalScreen[bool]):
    """Asks before something is done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Show the question."""
        with Vertical(classes="box"):
            yield Static(Text(self._question), id="question")
            yield Static(Text("y: yes   n: no"))

    def action_answer(self, answer: bool) -> None:
        """Go back with the answer."""
        self.dismiss(answer)


class FilterInput(ModalScreen[str | None]):
    """Asks for a filter; `None`: it stays as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    def __init__(self, present: str) -> None:
        super().__init__()
        self._present = present

    def compose(self) -> ComposeResult:
        """Show what to write."""
        with Vertical(classes="box"):
            yield Static(
                Text(
                    "Show only: a rule such as source: x or {author: nova, text: {word: btc}}, the name of a matcher, or words. "
                    "Nothing shows everything."
                )
            )
            yield Input(self._present, id="filter")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back with what was written."""
        self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        """Go back without a change."""
        self.dismiss(None)
