# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``/filter`` and ``/prioritize``: from the scheduler's bytes to ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extender import contract
from extender.budgets import judge
from extender.decisions import Decision
from extender.errors import EntryRefused, LedgerUnavailable
from extender.ledger import HoldRow
from extender.pods import ask as ask_of
from extender.prediction import Ask, predict
from extender.prioritize import scores
from plumbing.asgi import Answer
from plumbing.problem import Problem

if TYPE_CHECKING:
    from extender.budgets import Budgets, Verdict
    from extender.decisions import Decisions, Result
    from extender.holds import Hold, Holds
    from extender.pods import PodAsk
    from extender.prediction import Prediction, WattsPerCpu
    from extender.state import ClusterState
    from extender.writer import Writer
    from plumbing.clock import Clock


class Admission:
    """The scheduler's verbs over the cluster's state. Everything up to the hold happens without awaiting."""

    def __init__(
        self,
        *,
        state: ClusterState,
        budgets: Budgets,
        holds: Holds,
        decisions: Decisions,
        writer: Writer,
        clock: Clock,
        fallback: WattsPerCpu,
        own_namespace: str,
    ) -> None:
        self._state = state
        self._budgets = budgets
        self._holds = holds
        self._decisions = decisions
        self._writer = writer
        self._clock = clock
        self._fallback = fallback
        self._own_namespace = own_namespace

    async def filter(self, body: bytes) -> Answer:
        """ExtenderFilterResult. A pod that is let through under a hard budget is held on disk first.

        A soft one does not wait for the disk: an fsync is ten times the rest, and it fails open anyway.
        """
        request = contract.decode(body)
        pod = ask_of(request.pod, own_namespace=self._own_namespace)
        if not request.names:
            return Answer(contract.filter_answer(request, refused={}))
        view = self._state.nodes.view(request.names, now_ns=self._clock.monotonic_ns())
        prediction = predict(view, Ask.of(pod.cpus), fallback=self._fallback)
        verdicts = self._judge(pod, prediction)
        reason = next((verdict.refusal for verdict in verdicts if verdict.refusal), "")
        result: Result
        if pod.treatment == "enforce":
            result = "refused" if reason and pod.refusable else "admitted"
        else:
            result = "ignored" if pod.treatment == "ignore" else "shadow"
        if result == "admitted" and verdicts:
            await self._hold(pod, prediction, durable=any(each.budget.action == "reject" for each in verdicts))
        elif result != "shadow" and self._holds.release((pod.namespace, pod.uid)):
            self._writer.post(lambda ledger: ledger.drop_holds([(pod.namespace, pod.uid)]))
        self._decisions.record(
            Decision(
                uid=pod.uid,
                namespace=pod.namespace,
                name=pod.name,
                as_of_unix_ns=self._clock.unix_ns(),
                result=result,
                reason=reason,
                prediction=prediction,
                verdicts=verdicts,
                nodes=len(request.names),
            )
        )
        refused = dict.fromkeys(request.names, reason) if result == "refused" else {}
        return Answer(contract.filter_answer(request, refused=refused))

    def prioritize(self, body: bytes) -> Answer:
        """HostPriorityList; zeros for a pod in shadow mode."""
        request = contract.decode(body)
        pod = ask_of(request.pod, own_namespace=self._own_namespace)
        if pod.treatment == "shadow":
            return Answer(contract.priority_answer(request.names, [0] * len(request.names)))
        view = self._state.nodes.view(request.names, now_ns=self._clock.monotonic_ns())
        return Answer(contract.priority_answer(request.names, scores(view, cpus=Ask.of(pod.cpus).median_cpus)))

    def _judge(self, pod: PodAsk, prediction: Prediction) -> tuple[Verdict, ...]:
        if pod.treatment == "ignore":
            return ()
        now_ns = self._clock.monotonic_ns()
        return tuple(
            judge(
                meter.budget,
                measured_w=meter.measured_w,
                held_w=self._holds.held_w(meter, now_ns=now_ns, but=pod.uid),
                prediction=prediction,
                fresh=meter.fresh(self._state.nodes, now_ns=now_ns),
            )
            for meter in self._budgets.of(pod.namespace)
        )

    async def _hold(self, pod: PodAsk, prediction: Prediction, *, durable: bool) -> None:
        row = HoldRow(
            uid=pod.uid,
            namespace=pod.namespace,
            name=pod.name,
            median_w=prediction.median_w,
            high_w=prediction.high_w,
            made_unix_ns=self._clock.unix_ns(),
        )
        hold = self._holds.put(row, now_ns=self._clock.monotonic_ns())
        if not durable:
            self._writer.post(lambda ledger: ledger.put_hold(row))
            return
        try:
            await self._writer.submit(lambda ledger: ledger.put_hold(row))
        except (EntryRefused, LedgerUnavailable) as error:
            self._take_back(hold)
            raise Problem(503, f"the hold of this pod cannot be written: {error}") from error

    def _take_back(self, hold: Hold) -> None:
        # A later call for the same pod may have put its own in the meantime.
        pod = hold.row.namespace, hold.row.uid
        if self._holds.get(pod) is hold:
            self._holds.release(pod)
