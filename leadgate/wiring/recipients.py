"""Withdrawals and those who must be told of them, as the doors say it: withdraw, tell, look, ask again, told by hand."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from leadgate.logging import get_logger
from leadgate.pipeline import catch_up, in_step, telling, withdraw, withdrawal_facts
from leadgate.pipeline.catch_up import CatchUpCount
from leadgate.pipeline.recipients import Teller
from leadgate.pipeline.told import TellCount
from leadgate.pipeline.withdraw import WithdrawalPreview, Withdrawn
from leadgate.pipeline.withdrawal_facts import RecipientFact, WithdrawalFacts
from leadgate.storage import people, recipients
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.recipients import Telling
from leadgate.wiring.parts import Parts, unknown_destination
from schemas.consent_event import ConsentOrigin
from schemas.errors import ConfigurationError, DeliveryError
from schemas.policy import BrandPolicy
from schemas.submission import Withdrawal
from schemas.vocabulary import Ask

_log = get_logger(__name__)


class RecipientDesk:
    """What withdraws, and what tells. One a house; each verb is safe to say twice and beside another process that says it."""

    def __init__(self, house: Parts) -> None:
        self._house = house

    # -- withdraw ----------------------------------------------------------------------------------------------------------

    def withdraw(
        self,
        withdrawal: Withdrawal,
        *,
        actor: str,
        origin: ConsentOrigin = ConsentOrigin.COMMAND,
        at: datetime | None = None,
    ) -> Withdrawn:
        """Record a withdrawal that somebody of ours passes on; ``at`` is when the person said it, now if nobody says.

        Raises ConfigurationError for a moment that is not there yet.
        """
        house, now = self._house, self._house.clock()
        policy = self._policy(withdrawal)
        if at is not None and at > now:
            raise ConfigurationError("in_future", "nobody has said it yet: this moment lies in the future", field="--said-at")

        index, vault = house.index, house.vault  # opened here: they look into the ledger themselves

        def work(tx: Transaction) -> Withdrawn:
            people.lock(tx)
            in_step.require(tx, index)
            return withdraw.apply(
                tx,
                withdrawal=withdrawal,
                policy=policy,
                index=index,
                vault=vault,
                at=at or now,
                now=now,
                submission_id=None,
                actor=actor,
                origin=origin,
            )

        return house.ledger.retrying(work)

    def preview(self, withdrawal: Withdrawal, *, at: datetime | None = None) -> WithdrawalPreview:
        """What a withdrawal would stop, and whom it would have told; writes nothing."""
        house, policy = self._house, self._policy(withdrawal)
        in_step.catch_up(house.ledger, house.index)
        with house.ledger.transaction() as tx:  # no snapshot: the plan is made from rows as they are when they are held
            moment = at or house.clock()
            return withdraw.preview(tx, withdrawal=withdrawal, policy=policy, index=house.index, at=moment)

    def ways(self, names: Collection[str]) -> dict[str, frozenset[Ask]]:
        """By destination: what its connector can be asked; nothing, if it cannot be told or is not configured any more."""
        found = {}
        for name in names:
            try:
                can = self._house.destination(name).manifest.capabilities
            except ConfigurationError:  # no credentials here: the manifest says what the connector can do at least
                known = self._house.settings.destinations.get(name)
                if known is None:
                    found[name] = frozenset[Ask]()
                    continue
                can = self._house.manifests[known.connector].capabilities
            asks = ((Ask.SUPPRESS, can.suppress), (Ask.ERASE, can.erase))
            found[name] = frozenset(ask for ask, able in asks if able)
        return found

    def _policy(self, withdrawal: Withdrawal) -> BrandPolicy:
        policy = self._house.policies.get(withdrawal.brand)
        if policy is None:
            raise ConfigurationError("unknown_brand", "leadgate.yaml has no such brand", field="brand")
        if not policy.purposes.keys() >= set(withdrawal.purposes):
            raise ConfigurationError("unknown_purpose", "leadgate.yaml has no such purpose of this brand", field="purpose")
        return policy

    # -- tell --------------------------------------------------------------------------------------------------------------

    def due(self) -> list[str]:
        """Destinations with somebody to be told now; what waited for a delivery's outcome is looked at first."""
        house, known = self._house, self._house.settings.destinations
        while house.ledger.retrying(lambda tx: telling.release(tx, now=house.clock())):
            pass
        with house.ledger.snapshot() as tx:
            gone = [name for name in recipients.destinations(tx) if name not in known]
        if gone:
            house.ledger.retrying(lambda tx: telling.hand_over(tx, gone, code="not_configured", now=house.clock()))
        with house.ledger.snapshot() as tx:
            return recipients.due(tx, to_micros(house.clock()))

    def teller(self, destination: str) -> Teller:
        """Tells what is due at one destination."""
        house = self._house
        if destination not in house.settings.destinations:
            raise unknown_destination(destination)
        return Teller(
            ledger=house.ledger,
            vault=house.vault,
            connector=house.destination(destination),
            rules=house.settings.delivery,
            worker=f"{socket.gethostname()[:32]}-{os.getpid()}-{os.urandom(4).hex()}",
            clock=house.clock,
        )

    def tell(
        self,
        destination: str,
        *,
        seconds: float = 50,
        insist: bool = False,
        progress: Callable[[TellCount], None] | None = None,
    ) -> TellCount:
        """Tell what is due at one destination; ``insist``: also while its circuit breaker rests."""
        try:
            count = self.teller(destination).run(seconds=seconds, insist=insist, progress=progress)
        except DeliveryError as error:
            _log.error("destination needs a person to be told of a withdrawal", destination=destination, code=error.code)
            raise
        _log.info("recipient told", destination=destination, counts=count.as_dict())
        return count

    def catch_up(self) -> CatchUpCount:
        """Look for what no event of the day announces."""
        count = catch_up.run(self._house.ledger, clock=self._house.clock)
        _log.info("withdrawals looked through", counts=count.as_dict())
        return count

    # -- look --------------------------------------------------------------------------------------------------------------

    def facts(self, withdrawal_id: str) -> WithdrawalFacts:
        """Everything about one withdrawal, for its receipt. Raises ConfigurationError if there is none of this id."""
        with self._house.ledger.snapshot() as tx:
            found = withdrawal_facts.facts(tx, withdrawal_id)
        if found is None:
            raise ConfigurationError(
                "unknown_withdrawal", "there is no withdrawal of this id; `leadgate withdrawals list` prints them", field="ID"
            )
        return found

    def newest(self, *, limit: int) -> list[WithdrawalFacts]:
        """The newest withdrawals, the newest first."""
        with self._house.ledger.snapshot() as tx:
            return withdrawal_facts.newest(tx, limit=limit)

    def of_persons(self, person_ids: Sequence[str]) -> list[WithdrawalFacts]:
        """Every withdrawal of these people, oldest first."""
        with self._house.ledger.snapshot() as tx:
            return withdrawal_facts.facts_of_persons(tx, person_ids)

    def told_about(self, person_id: str) -> list[RecipientFact]:
        """Everybody who was, or is to be, told about one person, whatever for; works on after an erasure."""
        with self._house.ledger.snapshot() as tx:
            return [withdrawal_facts.recipient_fact(each) for each in recipients.of_persons(tx, [person_id])]

    # -- by hand -----------------------------------------------------------------------------------------------------------

    def retry(self, words: Collection[str], *, apply: bool, actor: str) -> list[RecipientFact]:
        """Ask again, at once: the recipients of these withdrawals, people or deliveries that have not done what was asked.

        Without ``apply`` only answers who they are.
        """

        def work(tx: Transaction) -> list[Telling]:
            found = [each for each in _meant(tx, words) if telling.may_be_retried(each)]
            return telling.retry(tx, found, now=self._house.clock(), actor=actor) if apply else found

        return [withdrawal_facts.recipient_fact(each) for each in self._house.ledger.retrying(work)]

    def told_by_hand(self, delivery_ids: Collection[str], *, how: str, actor: str) -> list[RecipientFact]:
        """A person says that these recipients were told."""
        now = self._house.clock()
        changed = self._house.ledger.retrying(lambda tx: telling.told_by_hand(tx, delivery_ids, how=how, now=now, actor=actor))
        return [withdrawal_facts.recipient_fact(each) for each in changed]


def _meant(tx: Transaction, words: Collection[str]) -> list[Telling]:
    """Tellings that a withdrawal, a person or a delivery of this id names."""
    ids = list(words)
    of_requests = [row for rows in recipients.of_withdrawals(tx, ids).values() for row in rows]
    found = [*of_requests, *recipients.of_persons(tx, ids), *recipients.of_deliveries(tx, ids)]
    # locked, and read again: a worker may have settled one meanwhile
    return recipients.of_deliveries(tx, {each.delivery_id for each in found}, lock=True)
