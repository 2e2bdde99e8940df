"""What the documents of a batch cost, and what all of them will have cost. Sends nothing, and looks no price up."""

from decimal import Decimal

from tui.core.batch_view import Projection
from tui.core.projection import Costs, project


class DocumentCosts:
    """Money of one session, document by document (USD)."""

    def __init__(self) -> None:
        self._ended = Costs()
        """Of the documents that were asked about in this session and have come to their end, as far as is known."""
        self._outside = 0
        """Documents at their end that are not among them: asked about earlier, or before a price was known."""
        self._paid = Decimal(0)

    def paid(self, amount: Decimal | None) -> None:
        """A call of this session has ended; None: nobody knows what it cost."""
        self._paid += amount or 0

    def document(self, cost: Decimal | None) -> None:
        """A document has come to its end; None: what it cost was paid earlier, or is not known."""
        if cost is None:
            self._outside += 1
        else:
            self._ended.add(cost)

    def projection(self, spent_usd: Decimal, documents: int) -> Projection | None:
        """What all documents will have cost, of which `spent_usd` is spent, that of earlier sessions included.

        Judged from the documents of this session, for those that it has to deal with. None: too few have ended.
        """
        if not self._ended.n:
            return None
        found = project(self._ended, documents - self._outside)
        if found.projected is None or found.low is None or found.high is None:
            return None
        earlier = max(Decimal(0), spent_usd - self._paid)
        # What is spent on documents that have not ended is in no sample, but it is spent.
        low, usd, high = (float(max(spent_usd, earlier + each)) for each in (found.low, found.projected, found.high))
        return Projection(low, usd, high)
