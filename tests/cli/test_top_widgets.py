"""A list of lines with a cursor."""

import pytest
from textual.app import App, ComposeResult

from forwarder.cli.live_lines import Piece, StyledLine
from forwarder.cli.top_widgets import RowList, joined, styled


class Lists(App[None]):
    """Shows one list, of three rows."""

    CSS = "RowList { height: 3; }"

    def __init__(self, *, follows: bool) -> None:
        super().__init__()
        self.list = RowList[int](id="list", follows=follows, opens=True)
        self.opened: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.list

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        self.opened.append(event.key)

    def show(self, *keys: int) -> None:
        self.list.show(list(keys), lambda index: StyledLine((Piece(f"row {keys[index]}", "1"),)))


def test_what_is_in_a_line_is_text_and_no_markup() -> None:
    line = StyledLine((Piece("[bold]x[/bold] "), Piece(":smile:", "31")))
    assert styled(line).plain == "[bold]x[/bold] :smile:"
    assert joined([line, line]).plain == "[bold]x[/bold] :smile:\n[bold]x[/bold] :smile:"


async def test_the_cursor_stays_on_its_row_and_is_visible() -> None:
    app = Lists(follows=False)
    async with app.run_test(size=(20, 10)) as pilot:
        app.list.focus()
        await pilot.press("down", "enter")  # there is nothing yet
        app.show(1, 2, 3, 4, 5)
        assert app.list.cursor == 1
        await pilot.press("down", "down", "down")
        assert (app.list.cursor, str(app.list.render())) == (4, "row 2\nrow 3\nrow 4" + " " * 15)
        app.show(4, 1, 2, 3, 5)
        assert (app.list.cursor, str(app.list.render()).split()[1]) == (4, "4")
        app.show(1, 2)
        assert app.list.cursor == 1
        await pilot.press("end")
        assert app.list.cursor == 2
        await pilot.press("home", "pagedown", "enter")
        app.show()
        await pilot.press("enter")
    assert app.opened == [2]


@pytest.mark.parametrize("key", ["end", "escape"])
async def test_a_list_follows_its_end_until_the_cursor_is_moved(key: str) -> None:
    app = Lists(follows=True)
    async with app.run_test(size=(20, 10)) as pilot:
        app.list.focus()
        await pilot.press("enter")
        app.show(1, 2, 3, 4, 5)
        assert str(app.list.render()) == "row 3\nrow 4\nrow 5"
        await pilot.press("enter", "up", "up")
        app.show(1, 2, 3, 4, 5, 6, 7)
        assert (app.list.cursor, "row 7" in str(app.list.render())) == (4, False)
        await pilot.press(key)
        assert (app.list.cursor, "row 7" in str(app.list.render())) == (None, True)
        await pilot.press("up")
        app.show(8, 9)  # its row is gone
        assert app.list.cursor is None
    assert app.opened == [5]
