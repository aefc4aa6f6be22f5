"""Attestations: only a registered issuer, under its own key, within its scope, about this enrollment."""

import base64
import json
import warnings
from datetime import datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey

from contracts.errors import NotFound
from contracts.events.applications import CompletionAttested
from kit.operator_acts import By
from services.applications.attestation import IssuerKeyUnfit, public_part
from services.applications.store import catalog
from services.applications.usecases import attesting
from tests.services.applications.cast import NOW, Cast, Issuer
from tests.support.operator_acts import acts_on


def by(at: datetime) -> By:
    return By("ops", "the issuer lost its key", at)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_a_signed_statement_completes_the_enrollment_and_is_kept_as_signed(cast: Cast, issuer: Issuer) -> None:
    enrollment_id = await cast.enroll(await cast.submit())
    path = f"/v1/enrollments/{enrollment_id}/attestation"
    signed = issuer.sign(enrollment_id, "coding", jti="anything", iat=1)
    first = await cast.college.post(path, {"attestation": signed})
    cast.clock.advance(timedelta(minutes=1))
    again = await cast.college.post(path, {"attestation": issuer.sign(enrollment_id, "coding")})
    assert (first.status_code, again.content) == (200, first.content)
    (fact,) = await cast.outbox(CompletionAttested)
    assert (fact.issuer_id, fact.completed_on) == ("lorain-ccc", "2026-03-10")
    assert await cast.owner.fetchval("SELECT signed_statement FROM applications.attestation") == signed
    other_day = issuer.sign(enrollment_id, "coding", completed_on="2026-03-09")
    changed = await cast.college.post(path, {"attestation": other_day})
    assert (changed.status_code, changed.json()["code"]) == (409, "already_reported")


async def test_every_algorithm_that_issuers_may_use(cast: Cast) -> None:
    okp, p256 = OKPKey.generate_key("Ed25519"), ECKey.generate_key("P-256")
    for number, (key, algorithm) in enumerate([(okp, "Ed25519"), (okp, "EdDSA"), (p256, "ES256")]):
        kid = f"{key.key_type}"
        await attesting.register_key("lorain-ccc", kid, key.as_dict(private=False), db=cast.service_db, now=NOW)
        enrollment_id = await cast.enroll(await cast.submit(person_ssn=f"219-09-{3000 + number}"))
        statement = {
            "iss": "lorain-ccc",
            "enrollment_id": enrollment_id,
            "credential_id": "coding",
            "completed_on": "2026-03-10",
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signed = jws.serialize_compact(
                {"alg": algorithm, "kid": kid}, json.dumps(statement), key, algorithms=[algorithm]
            )
        answer = await cast.college.post(f"/v1/enrollments/{enrollment_id}/attestation", {"attestation": signed})
        assert answer.status_code == 200, (algorithm, answer.text)


async def test_forged_foreign_and_misdirected_statements_change_nothing(cast: Cast, issuer: Issuer) -> None:
    guild, bakery = Issuer("cyber-guild"), Issuer("bakery")
    for one in (guild, bakery):
        await attesting.register_key(one.issuer_id, one.kid, one.public_jwk, db=cast.service_db, now=NOW)
    expired = Issuer("lorain-ccc", "key-old")
    await attesting.register_key("lorain-ccc", "key-old", expired.public_jwk, db=cast.service_db, now=NOW)
    await attesting.end_key("lorain-ccc", "key-old", by(NOW + timedelta(seconds=1)), db=cast.service_db)
    cast.clock.advance(timedelta(minutes=1))
    enrollment_id = await cast.enroll(await cast.submit())
    other = await cast.enroll(await cast.submit(person_ssn="219-09-4444"))
    good = issuer.sign(enrollment_id, "coding")
    head, body, signature = good.split(".")
    claims = {"iss": "lorain-ccc", "enrollment_id": enrollment_id, "credential_id": "coding"}
    mac_key = OctKey.import_key(issuer.public_jwk["x"])
    cases = [
        (Issuer("lorain-ccc").sign(enrollment_id, "coding"), 403, "signature_invalid"),
        (f"{head}.{part({**claims, 'completed_on': '2026-01-01'})}.{signature}", 403, "signature_invalid"),
        (f"{head}.{body}.{signature[:-6]}AAAAAA", 403, "signature_invalid"),
        (Issuer("lorain-ccc", "key-9").sign(enrollment_id, "coding"), 403, "issuer_key_unknown"),
        (Issuer("nobody").sign(enrollment_id, "coding"), 403, "issuer_key_unknown"),
        (expired.sign(enrollment_id, "coding"), 403, "issuer_key_unknown"),
        (bakery.sign(enrollment_id, "coding"), 403, "issuer_out_of_scope"),
        (guild.sign(enrollment_id, "coding"), 403, "issuer_out_of_scope"),
        (issuer.sign(other, "coding"), 422, "statement_mismatch"),
        (issuer.sign(enrollment_id, "cybersecurity"), 422, "statement_mismatch"),
        (issuer.sign(enrollment_id, "coding", completed_on="2026-04-30"), 422, "day_not_plausible"),
        (issuer.sign(enrollment_id, "coding", completed_on="2026-02-30"), 422, "attestation_unreadable"),
        (issuer.sign(enrollment_id, "coding", completed_on="soon"), 422, "attestation_unreadable"),
        (f"{part({'alg': 'none', 'kid': 'key-1'})}.{body}.", 422, "attestation_unreadable"),
        (f"{part({'alg': 'Ed25519'})}.{body}.{signature}", 422, "attestation_unreadable"),
        (f"{part(['alg'])}.{body}.{signature}", 422, "attestation_unreadable"),
        (f"{head}.{part('text')}.{signature}", 422, "attestation_unreadable"),
        (f"{head}.{body}", 422, "attestation_unreadable"),
        ("no-statement-at-all", 422, "attestation_unreadable"),
        (
            jws.serialize_compact({"alg": "HS256", "kid": "key-1"}, json.dumps(claims), mac_key, algorithms=["HS256"]),
            422,
            "attestation_unreadable",
        ),
    ]
    for signed, status, code in cases:
        answer = await cast.college.post(f"/v1/enrollments/{enrollment_id}/attestation", {"attestation": signed})
        assert (answer.status_code, answer.json()["code"]) == (status, code), (signed, answer.text)
    assert await cast.outbox(CompletionAttested) == []
    assert await cast.owner.fetchval("SELECT count(*) FROM applications.attestation") == 0


async def test_completion_needs_a_course_that_began(cast: Cast, issuer: Issuer) -> None:
    enrollment_id = await cast.ask_college(await cast.submit())
    signed = {"attestation": issuer.sign(enrollment_id, "coding")}
    answer = await cast.college.post(f"/v1/enrollments/{enrollment_id}/attestation", signed)
    assert (answer.status_code, answer.json()["code"]) == (409, "out_of_order")


async def test_completion_needs_the_milestones_that_the_program_requires(cast: Cast, issuer: Issuer) -> None:
    enrollment_id = await cast.enroll(await cast.submit(), milestones=("midpoint",))
    base, signed = f"/v1/enrollments/{enrollment_id}", {"attestation": issuer.sign(enrollment_id, "coding")}
    early = await cast.college.post(f"{base}/attestation", signed)
    assert (early.status_code, early.json()["code"]) == (409, "milestones_missing")
    assert early.json()["detail"].endswith("reported: week_1.")
    assert await cast.outbox(CompletionAttested) == []
    assert (await cast.college.post(f"{base}/milestones", {"milestone": "week_1"})).status_code == 200
    assert (await cast.college.post(f"{base}/attestation", signed)).status_code == 200


async def test_a_key_is_registered_once_and_never_replaced(cast: Cast, issuer: Issuer) -> None:
    await attesting.register_key("lorain-ccc", issuer.kid, issuer.public_jwk, db=cast.service_db, now=NOW)
    with pytest.raises(attesting.IssuerKeyTaken):
        await attesting.register_key(
            "lorain-ccc", issuer.kid, Issuer("lorain-ccc").public_jwk, db=cast.service_db, now=NOW
        )


async def test_ending_a_key_is_on_record_and_is_never_put_off(cast: Cast, issuer: Issuer) -> None:
    for hours in (1, 2):
        await attesting.end_key("lorain-ccc", issuer.kid, by(NOW + timedelta(hours=hours)), db=cast.service_db)
    async with cast.service_db.transaction() as tx:
        kept = await catalog.find_issuer_key(tx, issuer_id="lorain-ccc", key_id=issuer.kid)
        acts = await acts_on(tx, f"lorain-ccc/{issuer.kid}")
    assert kept is not None
    assert kept.not_after == NOW + timedelta(hours=1)
    assert [(act.act, act.actor, act.acted_at - NOW) for act in acts] == [
        ("issuer_key_ended", "ops", timedelta(hours=1)),
        ("issuer_key_ended", "ops", timedelta(hours=2)),
    ]
    with pytest.raises(NotFound):
        await attesting.end_key("lorain-ccc", "no-such", by(NOW), db=cast.service_db)


@pytest.mark.parametrize(
    "jwk",
    [
        OKPKey.generate_key("Ed25519").as_dict(private=True),
        OKPKey.generate_key("X25519").as_dict(private=False),
        ECKey.generate_key("P-384").as_dict(private=False),
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "!!"},
        {},
    ],
)
def test_only_public_signing_keys_are_registered(jwk: dict[str, Any]) -> None:
    with pytest.raises(IssuerKeyUnfit):
        public_part(jwk)


async def test_an_issuer_hands_in_its_own_statement_for_a_credential_it_may_attest(cast: Cast, issuer: Issuer) -> None:
    guild, bakery = Issuer("cyber-guild"), Issuer("bakery")
    for one in (guild, bakery):
        await attesting.register_key(one.issuer_id, one.kid, one.public_jwk, db=cast.service_db, now=NOW)
    enrollment_id = await cast.enroll(await cast.submit(credential_id="cybersecurity"))
    coding = await cast.enroll(await cast.submit(person_ssn="219-09-4444"))
    path = f"/v1/enrollments/{enrollment_id}/attestation"
    seen = (await cast.guild.get(path)).json()
    assert (seen["credential_id"], seen["state"], seen["completed_on"]) == ("cybersecurity", "started", None)
    own = {"attestation": guild.sign(enrollment_id, "cybersecurity")}
    elsewhere = f"/v1/enrollments/{coding}/attestation"
    forged = Issuer("cyber-guild").sign(enrollment_id, "cybersecurity")
    refused = [
        (cast.guild, path, issuer.sign(enrollment_id, "cybersecurity"), 403, "statement_of_another"),
        (cast.guild, path, forged, 403, "signature_invalid"),
        (cast.guild, elsewhere, guild.sign(coding, "coding"), 404, "not_found"),
        (cast.bakery, path, bakery.sign(enrollment_id, "cybersecurity"), 404, "not_found"),
        (cast.bakery, path, own["attestation"], 403, "statement_of_another"),
        (cast.other_college, path, own["attestation"], 404, "not_found"),
    ]
    for caller, where, signed, status, code in refused:
        answer = await caller.post(where, {"attestation": signed})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert await cast.outbox(CompletionAttested) == []
    taken = await cast.guild.post(path, own)
    assert (taken.status_code, taken.json()["issuer_id"]) == (200, "cyber-guild")
    # The college's registrar says the same of the same day: it is told who had said so before.
    again = await cast.college.post(path, {"attestation": issuer.sign(enrollment_id, "cybersecurity")})
    assert again.json() == taken.json()
    (fact,) = await cast.outbox(CompletionAttested)
    assert (fact.issuer_id, fact.provider_id) == ("cyber-guild", "lorain-ccc")
    assert (await cast.guild.get(path)).json()["completed_on"] == "2026-03-10"


async def test_an_issuer_is_told_what_another_issuer_attested_before(cast: Cast, issuer: Issuer) -> None:
    guild = Issuer("cyber-guild")
    await attesting.register_key(guild.issuer_id, guild.kid, guild.public_jwk, db=cast.service_db, now=NOW)
    enrollment_id = await cast.enroll(await cast.submit(credential_id="cybersecurity"))
    path = f"/v1/enrollments/{enrollment_id}/attestation"
    first = await cast.college.post(path, {"attestation": issuer.sign(enrollment_id, "cybersecurity")})
    second = await cast.guild.post(path, {"attestation": guild.sign(enrollment_id, "cybersecurity")})
    assert (second.status_code, second.json()) == (200, first.json())


async def test_an_issuer_reads_how_far_a_course_has_come_and_nothing_else(cast: Cast) -> None:
    application_id = await cast.submit(credential_id="cybersecurity")
    enrollment_id = await cast.enroll(application_id)
    coding = await cast.enroll(await cast.submit(person_ssn="219-09-4444"))
    for caller, where, status in [
        (cast.guild, f"/v1/enrollments/{enrollment_id}/attestation", 200),
        (cast.guild, f"/v1/enrollments/{coding}/attestation", 404),
        (cast.bakery, f"/v1/enrollments/{enrollment_id}/attestation", 404),
        (cast.college, f"/v1/enrollments/{enrollment_id}/attestation", 403),
        (cast.guild, f"/v1/enrollments/{enrollment_id}", 403),
        (cast.guild, f"/v1/enrollments/{enrollment_id}/person", 403),
        (cast.guild, "/v1/enrollments", 403),
        (cast.guild, f"/v1/applications/{application_id}", 403),
    ]:
        answer = await caller.get(where)
        assert answer.status_code == status, (where, answer.text)
        assert not {"award_cents", "price_cents", "given_name"} & answer.json().keys()
