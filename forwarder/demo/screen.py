"""What the demo shows: a line for everything that happens, and a status line at the bottom of a terminal."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from forwarder.core.counted import counted
from forwarder.core.delivery import Attempt, Delivery
from forwarder.core.dispatch.retry import Decision, RetryAt
from forwarder.core.event import Event
from forwarder.emulator.glance import glance, source_style

if TYPE_CHECKING:
    from forwarder.demo.result import DemoResult

_AUTHOR_WIDTH = 15
_OTHERS_WIDTH = 86
"""The width of time, source, author and the longest outcome. The text of the event gets the rest of the line."""


class Screen:
    """Prints the demo to `console`; on a terminal a status line stays at the bottom."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, refresh_per_second=8) if console.is_terminal else None
        self._text_width = min(max(console.width - _OTHERS_WIDTH, 10), 48)
        self._down: dict[str, bool] = {}

    def open(self, config: str) -> None:
        """Show the rules of the demo."""
        routes = config[config.index("routes:") :].replace("{{", "{").replace("}}", "}").rstrip()
        self._console.print(
            Panel(
                Syntax(routes, "yaml", theme="ansi_dark", background_color="default"),
                title="the rules of this demo",
                title_align="left",
                border_style="dim",
                width=72,
            )
        )
        if self._live is not None:
            self._live.start()

    def show_page(self, address: str, *, is_over: bool = False) -> None:
        """Show where the page is. `is_over`: the events are through, and only the page goes on."""
        says = "The page goes on until Ctrl-C" if is_over else "The page"
        self._console.print(Text.assemble(f"{says}: ", (f"http://{address}/", "bold cyan")))

    def show_delivered(self, elapsed_s: float, delivery: Delivery, latency_ms: float | None) -> None:
        """Show a first attempt that succeeded, with the milliseconds between the frame and the POST."""
        took = "" if latency_ms is None else f"{latency_ms:.1f} ms"
        self._print_line(elapsed_s, delivery.body, _took(delivery, ("✓", "green"), took))

    def show_failure(self, elapsed_s: float, delivery: Delivery, decision: Decision) -> None:
        """Show a first attempt that failed. Further failed attempts of the same delivery are not shown."""
        said = decision.reason.partition(":")[0] if isinstance(decision, RetryAt) else "dead"
        self._print_line(elapsed_s, delivery.body, _took(delivery, ("✗", "red"), f"{said}; kept"))

    def show_recovered(self, elapsed_s: float, delivery: Delivery, attempt: Attempt, *, late: timedelta) -> None:
        """Show a delivery that succeeded after it had to wait."""
        took = f"attempt {attempt.number}, {late.total_seconds():.1f} s late"
        self._print_line(elapsed_s, delivery.body, _took(delivery, ("↻", "bright_yellow"), took))

    def show_duplicate(self, elapsed_s: float, event: Event) -> None:
        """Show a duplicate event."""
        self._print_line(elapsed_s, event.body, Text("duplicate, dropped", style="dim"))

    def show_unmatched(self, elapsed_s: float, event: Event) -> None:
        """Show an event that no rule matches."""
        self._print_line(elapsed_s, event.body, Text("no rule matches", style="dim"))

    def show_down(self, destination: str, lasts: timedelta) -> None:
        """Show that a receiver goes down."""
        self._down[destination] = True
        self._console.rule(
            f"[bold red]{destination} goes down for {lasts.total_seconds():g} s", style="red", characters="─"
        )

    def show_up(self, destination: str, *, waiting: int) -> None:
        """Show that a receiver is up again, and how many deliveries wait for it."""
        self._down[destination] = False
        self._console.rule(f"[bold green]{destination} is up again; {waiting} waiting", style="green", characters="─")

    def show_state(self, delivered: Mapping[str, int], *, waiting: int) -> None:
        """Update the status line at the bottom of a terminal."""
        if self._live is None:
            return
        state = Text(" ")
        for name, count in delivered.items():
            is_down = self._down.get(name, False)
            state.append(f"{name} ", style="bold")
            state.append("down" if is_down else "up", style="red" if is_down else "green")
            state.append(f" {count} delivered   ")
        state.append(f"{waiting} waiting", style="bright_yellow" if waiting else "dim")
        state.append(f"   {datetime.now().astimezone():%H:%M:%S}", style="dim")
        self._live.update(state)

    def close(self, result: "DemoResult") -> None:
        """Show the summary."""
        if self._live is not None:
            self._live.stop()
        counters = result.counters
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        table.add_row(
            "events",
            f"{counters.seen} in {result.seconds:.1f} s: {counters.matched} matched a rule, {counters.unmatched} no rule, "
            f"{counted(counters.duplicates, 'dropped as a duplicate', 'dropped as duplicates')}",
        )
        table.add_row("delivered", ", ".join(f"{count} to {name}" for name, count in result.delivered.items()))
        table.add_row(
            "added latency",
            f"median {result.latency_ms(50):.2f} ms, 99 % under {result.latency_ms(99):.2f} ms "
            f"(frame {'read' if result.is_live else 'sent'} to POST received{_without(result)})",
        )
        if result.waited and result.caught_up_s is not None:
            table.add_row(
                "outage",
                f"{counted(result.waited, 'delivery', 'deliveries')} waited in the outbox{_at_return(result)}{_waits(result)}; "
                f"the last one arrived {result.caught_up_s:.1f} s after the receiver was up again",
            )
        if result.still_waiting:
            waiting = counted(result.still_waiting, "delivery", "deliveries")
            table.add_row(
                "still waiting",
                f"{waiting} in the outbox when the demo was stopped; a daemon makes them after its next start",
            )
        table.add_row("lost", Text(str(result.lost), style="bold green" if result.lost == 0 else "bold red"))
        steps = Text('Next: README.md, "Five minutes to production"', style="dim")
        self._console.print(
            Panel(
                Group(table, Text(), steps), title="what happened", title_align="left", border_style="green", width=100
            )
        )

    def _print_line(self, elapsed_s: float, body: bytes, what: Text) -> None:
        seen = glance(body, width=self._text_width)
        line = Text()
        line.append(f"{elapsed_s:7.3f}  ", style="dim")
        line.append(f"{seen.source or '?':<9}", style=source_style(seen.source))
        for text, width, style in ((seen.author, _AUTHOR_WIDTH, "bold"), (seen.text, self._text_width + 1, "")):
            cell = Text(text, style=style, no_wrap=True)
            cell.truncate(width - 1, overflow="ellipsis")
            cell.pad_right(width - cell.cell_len)
            line.append_text(cell)
        line.append_text(what)
        self._console.print(line, highlight=False, no_wrap=True, overflow="ellipsis")


def _without(result: "DemoResult") -> str:
    """Return how many deliveries the latency is of, if others waited for the outage."""
    return f"; of {len(result.latencies_ms)} that did not wait for the outage" if result.waited else ""


def _waits(result: "DemoResult") -> str:
    """Return for how long they waited."""
    return f", for {min(result.waited_s):.1f} to {max(result.waited_s):.1f} s" if result.waited_s else ""


def _at_return(result: "DemoResult") -> str:
    """Return how many of those that waited were there already when the receiver was up again, if more came before it was noticed."""
    return (
        f", {result.waited_at_return} of them when it was up again" if result.waited_at_return != result.waited else ""
    )


def _took(delivery: Delivery, mark: tuple[str, str], took: str) -> Text:
    return Text.assemble(
        (", ".join(delivery.routes), "dim"),
        (" → ", "dim"),
        (delivery.destination, "bold"),
        " ",
        mark,
        " ",
        (took, mark[1]),
    )
