-- The only writer of journal and balances. Takes a batch, returns one row per transfer in the order given.
--
-- Every transfer names its book (the budget line) and the balance rows it moves money in. The book is locked first,
-- whatever is touched, so two batches of one book never wait for each other crosswise, and a transaction that posts
-- twice in one book cannot deadlock.
CREATE FUNCTION post(
    ids text[], kinds text[], pendings text[], books text[], lines text[], rounds text[], awards text[], persons text[],
    amounts bigint[], reasons text[], actors text[], workflows text[], occurred timestamptz[], fingerprints bytea[]
) RETURNS TABLE (place integer, code text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = payments, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted CONSTANT integer := cardinality(ids);
    codes text[] := array_fill(NULL::text, ARRAY[wanted]);
    outcomes text[] := array_fill(NULL::text, ARRAY[wanted]);
    is_new boolean[] := array_fill(false, ARRAY[wanted]);
    touched text[];
    row_ids text[];
    row_available bigint[];
    known_ids text[];
    known_outcomes text[];
    known_fingerprints bytea[];
    pending_ids text[];
    pending_scopes text[];
    pending_credits text[];
    pending_left bigint[];
    rule posting_rule;
    scope text;
    verdict text;
    own text[];
    level_codes CONSTANT text[] := ARRAY['over_person', 'over_award', 'over_round', 'over_program'];
    at integer;
    written integer;
BEGIN
    IF wanted = 0 THEN
        RETURN;
    END IF;
    touched := ARRAY(
        SELECT DISTINCT id FROM unnest(books || lines || rounds || awards || persons) AS t(id) WHERE id IS NOT NULL
    );
    PERFORM 1 FROM balance WHERE id = ANY (touched) ORDER BY lock_order, id FOR UPDATE;

    -- An appropriation opens the row it credits. Only after the locks: an insert would wait for a rival's insert.
    INSERT INTO balance (id, book, level)
    SELECT DISTINCT coalesce(g.line, g.round, g.award, g.person), g.book,
        CASE WHEN g.line IS NOT NULL THEN 'line' WHEN g.round IS NOT NULL THEN 'round'
            WHEN g.award IS NOT NULL THEN 'award' ELSE 'person' END
    FROM unnest(kinds, books, lines, rounds, awards, persons) AS g(kind, book, line, round, award, person)
    WHERE g.kind = 'appropriate' AND NOT EXISTS (
        SELECT FROM balance AS b WHERE b.id = coalesce(g.line, g.round, g.award, g.person)
    )
    ON CONFLICT (id) DO NOTHING;

    SELECT array_agg(b.id), array_agg(b.available_cents) INTO row_ids, row_available
    FROM (
        SELECT id, available_cents FROM balance WHERE id = ANY (touched) ORDER BY lock_order, id FOR UPDATE
    ) AS b;

    -- Looked up after the locks: before them, a rival's uncommitted entry with the same id would not be seen.
    SELECT array_agg(t.id), array_agg(t.outcome), array_agg(t.fingerprint)
    INTO known_ids, known_outcomes, known_fingerprints
    FROM transfer AS t WHERE t.id = ANY (ids);

    SELECT array_agg(p.id), array_agg(p.scope), array_agg(p.credit), array_agg(p.left_cents)
    INTO pending_ids, pending_scopes, pending_credits, pending_left
    FROM (
        SELECT t.id, t.credit, concat_ws(' ', t.book, t.line_id, t.round_id, t.award_id, t.person_id) AS scope,
            t.amount_cents - coalesce((
                SELECT sum(m.amount_cents) FROM transfer AS m WHERE m.pending_id = t.id AND m.outcome = 'ok'
            ), 0)::bigint AS left_cents
        FROM transfer AS t WHERE t.id = ANY (pendings) AND t.outcome = 'ok'
    ) AS p;

    FOR i IN 1 .. wanted LOOP
        -- Decided before, in the journal or earlier in this batch?
        at := array_position(known_ids, ids[i]);
        IF at IS NOT NULL THEN
            IF known_fingerprints[at] = fingerprints[i] THEN
                codes[i] := 'replay';
                outcomes[i] := known_outcomes[at];
            ELSE
                codes[i] := 'conflict';
            END IF;
            CONTINUE;
        END IF;

        SELECT * INTO STRICT rule FROM posting_rule AS r WHERE r.kind = kinds[i];
        scope := concat_ws(' ', books[i], lines[i], rounds[i], awards[i], persons[i]);
        own := ARRAY[persons[i], awards[i], rounds[i], lines[i]];
        verdict := 'ok';

        IF rule.from_pending THEN
            at := array_position(pending_ids, pendings[i]);
            IF at IS NULL OR pending_scopes[at] <> scope OR pending_credits[at] <> rule.debit THEN
                verdict := 'pending_not_found';
            ELSIF pending_left[at] < amounts[i] THEN
                verdict := 'already_resolved';
            ELSE
                pending_left[at] := pending_left[at] - amounts[i];
            END IF;
        ELSIF rule.debit = 'available' THEN
            -- A limit that waiting cannot lift (the person's) is named before those that it can.
            FOR level IN 1 .. 4 LOOP
                CONTINUE WHEN own[level] IS NULL OR verdict = 'closed';
                at := array_position(row_ids, own[level]);
                IF at IS NULL THEN
                    verdict := 'closed';
                ELSIF row_available[at] < amounts[i] AND verdict = 'ok' THEN
                    verdict := level_codes[level];
                END IF;
            END LOOP;
        END IF;

        IF verdict = 'ok' THEN
            FOR level IN 1 .. 4 LOOP
                CONTINUE WHEN own[level] IS NULL;
                at := array_position(row_ids, own[level]);
                row_available[at] := row_available[at]
                    + CASE WHEN rule.credit = 'available' THEN amounts[i] ELSE 0 END
                    - CASE WHEN rule.debit = 'available' THEN amounts[i] ELSE 0 END;
            END LOOP;
            IF ids[i] = ANY (pendings) THEN
                pending_ids := array_append(pending_ids, ids[i]);
                pending_scopes := array_append(pending_scopes, scope);
                pending_credits := array_append(pending_credits, rule.credit);
                pending_left := array_append(pending_left, amounts[i]);
            END IF;
        END IF;
        codes[i] := verdict;
        outcomes[i] := verdict;
        is_new[i] := true;
        known_ids := array_append(known_ids, ids[i]);
        known_outcomes := array_append(known_outcomes, verdict);
        known_fingerprints := array_append(known_fingerprints, fingerprints[i]);
    END LOOP;

    INSERT INTO transfer (
        id, outcome, kind, debit, credit, pending_id, book, line_id, round_id, award_id, person_id, amount_cents, reason,
        actor, workflow_id, occurred_at, fingerprint
    )
    SELECT g.id, g.outcome, g.kind, r.debit, r.credit, g.pending, g.book, g.line, g.round, g.award, g.person, g.amount,
        g.reason, g.actor, g.workflow, g.occurred, g.fingerprint
    FROM unnest(
        ids, outcomes, is_new, kinds, pendings, books, lines, rounds, awards, persons, amounts, reasons, actors, workflows,
        occurred, fingerprints
    ) WITH ORDINALITY AS g(
        id, outcome, is_new, kind, pending, book, line, round, award, person, amount, reason, actor, workflow, occurred,
        fingerprint, place
    )
    JOIN posting_rule AS r ON r.kind = g.kind
    WHERE g.is_new
    ORDER BY g.place
    ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> (SELECT count(*) FROM unnest(is_new) AS n(fresh) WHERE fresh) THEN
        -- The same id reached the journal under another book's lock. The next try finds it and answers conflict.
        RAISE EXCEPTION 'a transfer id was used in two books at once' USING ERRCODE = 'serialization_failure';
    END IF;

    UPDATE balance AS b SET
        appropriations = b.appropriations + d.appropriations,
        appropriated_cents = b.appropriated_cents + d.appropriated,
        available_cents = b.available_cents + d.available,
        held_cents = b.held_cents + d.held,
        encumbered_cents = b.encumbered_cents + d.encumbered,
        payable_cents = b.payable_cents + d.payable,
        in_transit_cents = b.in_transit_cents + d.in_transit,
        disbursed_cents = b.disbursed_cents + d.disbursed,
        lapsed_cents = b.lapsed_cents + d.lapsed
    FROM (
        SELECT m.id,
            count(*) FILTER (WHERE m.account = 'authority') AS appropriations,
            coalesce(sum(-m.cents) FILTER (WHERE m.account = 'authority'), 0) AS appropriated,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'available'), 0) AS available,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'held'), 0) AS held,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'encumbered'), 0) AS encumbered,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'payable'), 0) AS payable,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'in_transit'), 0) AS in_transit,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'disbursed'), 0) AS disbursed,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'lapsed'), 0) AS lapsed
        FROM unnest(outcomes, is_new, kinds, lines, rounds, awards, persons, amounts)
            AS g(outcome, is_new, kind, line, round, award, person, amount)
        JOIN posting_rule AS r ON r.kind = g.kind
        CROSS JOIN LATERAL (VALUES (g.line), (g.round), (g.award), (g.person)) AS s(id)
        CROSS JOIN LATERAL (VALUES (s.id, r.debit, -g.amount), (s.id, r.credit, g.amount)) AS m(id, account, cents)
        WHERE g.is_new AND g.outcome = 'ok' AND s.id IS NOT NULL
        GROUP BY m.id
    ) AS d
    WHERE b.id = d.id;

    RETURN QUERY SELECT n, codes[n], outcomes[n] FROM generate_series(1, wanted) AS n;
END
$$;
REVOKE ALL ON FUNCTION post FROM PUBLIC;
GRANT EXECUTE ON FUNCTION post TO cairn_payments;
