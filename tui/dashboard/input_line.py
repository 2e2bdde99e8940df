"""Textual's Input, one row high and in our colours: on a dialog's ground, without a frame."""

from textual.widgets import Input


class OneLineInput(Input):
    """A line of text that is being typed."""

    # Without colours the cursor is told by reverse video: Textual draws it with a background alone.
    DEFAULT_CSS = """
    OneLineInput, OneLineInput:focus {
        height: 1;
        border: none;
        padding: 0 2;
        background: $panel;
        background-tint: transparent;
    }
    OneLineInput:ansi { background: ansi_default; }
    OneLineInput:ansi > .input--cursor { text-style: reverse; }
    """
