"""A partner portal in one screen: apply for a person, watch the case, send what is missing, withdraw.

Run it against a live stack:
`python -m examples.portal --api URL --key KEY --provider lorain-ccc --credential lorain-coding`
"""

import argparse
import asyncio
import json
from typing import Any

from examples.doors import Doors


class Portal:
    """What a portal does for the people who come to it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def apply(self, application: dict[str, Any], *, key: str) -> str:
        """Send one application; the answer's `application_id`. The same key never makes two."""
        return (await self._doors.post("/v1/applications", application, key=key))["application_id"]

    async def read(self, application_id: str) -> dict[str, Any]:
        return await self._doors.get(f"/v1/applications/{application_id}")

    async def timeline(self, application_id: str) -> list[dict[str, Any]]:
        return (await self._doors.get(f"/v1/applications/{application_id}/timeline"))["items"]

    async def send_document(self, application_id: str, document: dict[str, Any]) -> None:
        await self._doors.post(f"/v1/applications/{application_id}/documents", document, key=f"{application_id}-doc-1")

    async def answer_charge(self, application_id: str, *, charged: bool) -> None:
        """Pass on what the person says: whether the provider charged for taking part."""
        await self._doors.post(
            f"/v1/applications/{application_id}/charge-answer", {"charged": charged}, key=f"{application_id}-charge"
        )

    async def withdraw(self, application_id: str, reason: str) -> None:
        await self._doors.post(
            f"/v1/applications/{application_id}/withdrawal", {"reason": reason}, key=f"{application_id}-withdraw"
        )


def application(
    *,
    given_name: str,
    email: str,
    ssn: str,
    family_name: str = "Example",
    birth_date: str = "1994-05-17",
    program_id: str,
    round_id: str,
    provider_id: str,
    credential_id: str,
    state: str = "OH",
    declaration: dict[str, Any] | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """The body of `POST /v1/applications` for a person of the examples."""
    return {
        "person": {
            "given_name": given_name,
            "family_name": family_name,
            "email": email,
            "birth_date": birth_date,
            "ssn": ssn,
            "county": "lorain",
            "language": language,
            "consent": True,
        },
        "program_id": program_id,
        "round_id": round_id,
        "provider_id": provider_id,
        "credential_id": credential_id,
        "declaration": {"state_of_residence": state, **(declaration or {})},
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--program", default="oh-imap")
    parser.add_argument("--round", default="r6")
    parser.add_argument("--provider", required=True)
    parser.add_argument("--credential", required=True)
    parser.add_argument("--email", default="someone@example.org")
    given = parser.parse_args()
    doors = Doors(given.api, given.key)
    portal = Portal(doors)
    body = application(
        given_name="Robin",
        email=given.email,
        ssn="219099999",
        program_id=given.program,
        round_id=given.round,
        provider_id=given.provider,
        credential_id=given.credential,
    )
    application_id = await portal.apply(body, key=f"example-{given.email}-{given.credential}")
    print(json.dumps(await portal.read(application_id), indent=1))
    await doors.close()


if __name__ == "__main__":
    asyncio.run(main())
