"""Guards of the posting function switched off, one by one, under the drill `model`."""

from cairn.drills.drill import Fault, changes_schema, drops_constraint, edits_function, together

# The last line would turn some of these into errors; a drill that sees only those would not see the wrong answers.
_CHECKS_GONE = drops_constraint("balance", "stages_not_negative", "commitments_within_credits", "stages_add_up")


def _post(guard: str, instead: str):
    return edits_function("post", guard, instead)


_IN_LOOP = "FOR level IN 1 .. 4 LOOP\n                    CONTINUE WHEN verdict"
_BY_SETS = "(VALUES (g.line), (g.round), (g.award), (g.person)) AS s(id)\n                WHERE s.id IS NOT NULL"
_POSTED = "(VALUES (g.line), (g.round), (g.award), (g.person)) AS s(id)\n            WHERE g.is_new"
_NO_ROW = "IF at IS NULL THEN\n                        verdict := 'closed';"
_BEGINS = "verdict := 'ok';\n            IF NOT permitted[i]"

FAULTS = (
    Fault(
        "pending-sum-not-checked",
        "More can be moved on than an entry brought.",
        "model",
        together(
            _CHECKS_GONE,
            _post("WHERE p.cents IS NULL OR p.cents < d.cents", "WHERE p.cents IS NULL"),
            _post("IF pending_left[at] < amounts[i] THEN", "IF false THEN"),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "pending-of-another-account",
        "Money is moved on from a stage that it is not in.",
        "model",
        together(
            _CHECKS_GONE,
            _post("AND pending_credits[at] = debits[i] THEN", "THEN"),
            _post("AND p.scope = d.scope AND p.credit = d.debit", "AND p.scope = d.scope"),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "pending-of-other-rows",
        "Money of one award is moved on in another.",
        "model",
        together(
            _CHECKS_GONE,
            _post("AND pending_scopes[at] = scopes[i] AND", "AND"),
            _post("AND p.scope = d.scope AND p.credit", "AND p.credit"),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "wrong-account-credited",
        "A late return becomes available instead of payable.",
        "model",
        changes_schema("UPDATE posting_rule SET credit = 'available' WHERE kind = 'return_late'"),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "award-not-posted",
        "Provider awards are guarded, but their rows do not move.",
        "model",
        _post(_POSTED, _POSTED.replace("(g.award), ", "")),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "person-cap-not-guarded",
        "What one person may have is posted but not guarded.",
        "model",
        together(
            _CHECKS_GONE,
            _post(_IN_LOOP, _IN_LOOP.replace("1 .. 4", "2 .. 4")),
            _post(_BY_SETS, _BY_SETS.replace(", (g.person)", "")),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "round-not-guarded",
        "A round's money is posted but not guarded.",
        "model",
        together(
            _CHECKS_GONE,
            _post(
                "ELSIF row_available[at] < amounts[i] AND verdict",
                "ELSIF level <> 3 AND row_available[at] < amounts[i] AND verdict",
            ),
            _post(_BY_SETS, _BY_SETS.replace("(g.round), ", "")),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "row-without-money-passes",
        "A row that nobody appropriated limits nothing.",
        "model",
        together(
            _CHECKS_GONE,
            _post(_NO_ROW, "IF at IS NULL THEN\n                        verdict := verdict;"),
            _post("WHERE b.cents IS NULL OR b.cents < d.cents", "WHERE b.cents < d.cents"),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "closed-year-still-takes",
        "The phase of a fiscal year is not looked at.",
        "model",
        together(
            _post("IF NOT permitted[i] THEN", "IF false THEN"),
            _post("known_ids IS NULL AND all_permitted", "known_ids IS NULL"),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "corrections-without-end",
        "Corrections are not added up against what they correct.",
        "model",
        together(
            _post("IF link_left[at] < amounts[i] THEN", "IF false THEN"),
            _post("IF new_uncorrected[before] < amounts[i] THEN", "IF false THEN"),
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "cost-line-forgotten",
        "Money for tuition is moved on as money for books.",
        "model",
        together(
            _post(", g.person, g.cost_line)", ", g.person)"), _post(", t.person_id, t.cost_line)", ", t.person_id)")
        ),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "ids-of-one-year-only",
        "An id is looked up in the fiscal year of the request alone, so another year takes it again.",
        "model",
        _post("WHERE t.id = ANY (ids);", "WHERE t.id = ANY (ids) AND t.fiscal_year = ANY (years);"),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "one-refusal-sinks-its-batch",
        "A transfer after a refused one is refused too.",
        "model",
        _post(_BEGINS, _BEGINS.replace("IF NOT", "IF i > 1 AND codes[i - 1] LIKE 'over%' OR NOT")),
        check="steps in which ledger and model differ",
    ),
    Fault(
        "rows-of-another-year",
        "A row is moved in the book of a year that it does not belong to.",
        "model",
        _post(
            "coalesce(g.line = g.book, true) AND coalesce(rounds_row.book = g.book, true)",
            "coalesce(g.line = g.book, true)",
        ),
        check="steps in which ledger and model differ",
    ),
)
