"""Which call is shown where: a running call never moves, and an ended one stays until its place is needed."""


class Places:
    """The wall's places, from 0. Grows when more calls run at once than places are wanted."""

    def __init__(self, wanted: int = 16) -> None:
        self.wanted = wanted
        self._calls: list[int] = []
        self._place_of: dict[int, int] = {}
        # Insertion order is the order of ending; troubled calls are kept longer, for people to see.
        self._ended_well: dict[int, None] = {}
        self._ended_badly: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def began(self, call: int) -> None:
        """Give a call a place: a new one while fewer than wanted are used, else the oldest ended call's."""
        if len(self._calls) >= self.wanted:
            for ended in (self._ended_well, self._ended_badly):
                if ended:
                    oldest = next(iter(ended))
                    del ended[oldest]
                    place = self._place_of.pop(oldest)
                    self._calls[place] = call
                    self._place_of[call] = place
                    return
        self._place_of[call] = len(self._calls)
        self._calls.append(call)

    def ended(self, call: int, well: bool) -> None:
        """The call needs its place no longer."""
        if call in self._place_of:
            (self._ended_well if well else self._ended_badly)[call] = None

    def window(self, first: int, count: int) -> list[int]:
        """The calls in places `first` to `first + count`."""
        return self._calls[first : first + count]
