"""Calls to Cairn's HTTP API as an outside party makes them: a key, an idempotency key, patience with a bound."""

import asyncio
import json
import uuid
from typing import Any

import httpx

ATTEMPTS_MAX = 120
PAUSE_SECONDS = 0.5


class Declined(Exception):
    """Cairn answered with a problem document; `problem` is it."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        reasons = [f"{e.get('pointer', '')} {e.get('text', '')}".strip() for e in problem.get("errors", [])]
        super().__init__(f"{status} {problem.get('title', '')}: {'; '.join(reasons) or problem.get('detail', '')}")


class Doors:
    """One party's way in. A POST that got no answer is sent again under the same idempotency key."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}", "Accept": "application/json"},
            timeout=httpx.Timeout(20),
        )

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        return await self._send("GET", path, params=params)

    async def post(self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> dict[str, Any]:
        """`key` names the intention: give the same one for the same intention, also after a restart."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4()), "Content-Type": "application/json"}
        return await self._send("POST", path, content=json.dumps(body or {}).encode(), headers=headers)

    async def _send(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        answer: httpx.Response | None = None
        for _ in range(ATTEMPTS_MAX):
            try:
                answer = await self._http.request(method, path, **given)
            except httpx.TransportError:
                answer = None
            if answer is not None and not _worth_another(answer):
                break
            wanted = answer.headers.get("retry-after", "") if answer is not None else ""
            await asyncio.sleep(min(float(wanted), 5.0) if wanted.isdigit() else PAUSE_SECONDS)
        if answer is None:
            raise Declined(0, {"title": "no answer", "detail": f"{method} {path} got no answer"})
        body = answer.json() if answer.content else {}
        if answer.status_code >= 400:
            raise Declined(answer.status_code, body)
        return body

    async def close(self) -> None:
        await self._http.aclose()


def _worth_another(answer: httpx.Response) -> bool:
    """Whether the same call may be answered otherwise in a moment."""
    if answer.status_code == 409:
        # The call was sent again while its first sending, whose answer got lost, was still at work.
        return answer.json().get("code") == "request_still_running"
    return answer.status_code == 429 or answer.status_code >= 500
