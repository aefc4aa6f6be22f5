import base64
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import svix.webhooks

from kit.webhooks import SignatureRefused, WebhookKeyUnfit, new_key_pair, new_secret, sign, verify

BODY = '{"type":"ping","data":{"challenge":"añb"}}'.encode()


def now() -> datetime:
    # The public verifiers look at the machine's clock themselves.
    return datetime.now(UTC)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
def test_public_verifiers_take_our_signatures(library: type[standardwebhooks.Webhook]) -> None:
    old, new, (private, _) = new_secret(), new_secret(), new_key_pair()
    headers = sign(message_id="msg_1", at=now(), body=BODY, keys=[new, old, private])
    for secret in (old, new):
        library(secret).verify(BODY, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library(new_secret()).verify(BODY, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library(new).verify(BODY + b" ", headers)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
def test_we_take_public_signers_signatures(library: type[standardwebhooks.Webhook]) -> None:
    secret, at = new_secret(), now()
    headers = {
        "Webhook-Id": "msg_2",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": library(secret).sign("msg_2", at, BODY.decode()),
    }
    assert verify(headers=headers, body=BODY, keys=[new_secret(), secret], now=at) == "msg_2"


def test_the_specification_s_example_holds() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify(
        headers=headers, body=b'{"test": 2432232314}', keys=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], now=at
    )


def test_ed25519_signatures_hold_under_the_public_key_alone() -> None:
    private, public = new_key_pair()
    at = now()
    headers = sign(message_id="msg_3", at=at, body=BODY, keys=[private])
    assert headers["webhook-signature"].startswith("v1a,")
    assert verify(headers=headers, body=BODY, keys=[public], now=at) == "msg_3"
    with pytest.raises(SignatureRefused):
        verify(headers=headers, body=BODY, keys=[new_key_pair()[1], new_secret()], now=at)
    with pytest.raises(WebhookKeyUnfit):
        sign(message_id="msg_3", at=at, body=BODY, keys=[public])


def test_a_public_key_is_never_taken_for_a_shared_secret() -> None:
    _, public = new_key_pair()
    at = now()
    forged = sign(message_id="msg_4", at=at, body=BODY, keys=["whsec_" + public.removeprefix("whpk_")])
    with pytest.raises(SignatureRefused):
        verify(headers=forged, body=BODY, keys=[public], now=at)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "msg_6"}, "no signature"),
        ({"webhook-id": "a.b"}, "headers"),
        ({"webhook-id": ""}, "headers"),
        ({"webhook-timestamp": ""}, "headers"),
        ({"webhook-timestamp": "1e9"}, "headers"),
        ({"webhook-timestamp": "1614265330\n"}, "headers"),
        ({"webhook-id": "msg_5\n"}, "headers"),
        ({"webhook-timestamp": "٣"}, "headers"),
        ({"webhook-timestamp": "99999999999"}, "five minutes"),
        ({"webhook-signature": ""}, "no signature"),
        ({"webhook-signature": "v1"}, "no signature"),
        ({"webhook-signature": "v1,"}, "no signature"),
        ({"webhook-signature": "v1,****"}, "no signature"),
        ({"webhook-signature": "v1,é"}, "no signature"),
        ({"webhook-signature": "v1a,QUFBQQ=="}, "no signature"),
        ({"webhook-signature": "v1,QUFBQQ== " * 11}, "too many"),
    ],
)
def test_altered_headers_are_refused(change: dict[str, str], why: str) -> None:
    secret, at = new_secret(), now()
    headers = sign(message_id="msg_5", at=at, body=BODY, keys=[secret]) | change
    with pytest.raises(SignatureRefused, match=why):
        verify(headers=headers, body=BODY, keys=[secret], now=at)


def test_five_minutes_are_tolerated_either_way_and_no_more() -> None:
    secret, at = new_secret(), datetime(2026, 7, 1, tzinfo=UTC)
    headers = sign(message_id="msg_7", at=at, body=BODY, keys=[secret])
    for drift in (timedelta(minutes=5), timedelta(minutes=-5)):
        assert verify(headers=headers, body=BODY, keys=[secret], now=at + drift) == "msg_7"
    for drift in (timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1)):
        with pytest.raises(SignatureRefused):
            verify(headers=headers, body=BODY, keys=[secret], now=at + drift)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "whsec_",
        "secret",
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsk_" + base64.b64encode(bytes(31)).decode(),
    ],
)
def test_unfit_keys_are_refused(key: str) -> None:
    with pytest.raises(WebhookKeyUnfit):
        sign(message_id="msg_8", at=now(), body=BODY, keys=[key])


def test_a_message_has_at_least_one_key_and_a_fit_id() -> None:
    with pytest.raises(WebhookKeyUnfit):
        sign(message_id="msg_9", at=now(), body=BODY, keys=[])
    with pytest.raises(ValueError, match="message id"):
        sign(message_id="a.b", at=now(), body=BODY, keys=[new_secret()])
