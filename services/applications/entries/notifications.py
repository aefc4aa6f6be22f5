"""Facts of notifications: what the person was told, and who could not be reached."""

# pyright: strict
from contracts.events import notifications as ntf
from services.applications.case import Entry, reason
from services.applications.entries.book import tells


@tells(ntf.NoticeSent)
def _(fact: ntf.NoticeSent, sequence: int) -> Entry:
    return Entry(text=f"A notice was sent to the person: {fact.template.replace('_', ' ')}.")


@tells(ntf.NoticeFailed)
def _(fact: ntf.NoticeFailed, sequence: int) -> Entry:
    return Entry(text="A notice could not be sent to the person.", reasons=[reason(fact.reason)])


@tells(ntf.ClaimDefectsNotified)
def _(fact: ntf.ClaimDefectsNotified, sequence: int) -> Entry:
    return Entry(text=f"The provider was told what its claim lacks, by {fact.way}.")


@tells(ntf.WebhookExhausted)
def _(fact: ntf.WebhookExhausted, sequence: int) -> Entry:
    return Entry(text="The college's system did not take a message.", reasons=[reason(fact.reason)])
