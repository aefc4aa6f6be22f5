-- A batch that names one new row for two books opened it for either, as its plan had it: now for the first that names it.
CREATE OR REPLACE FUNCTION post(
    ids text[], kinds text[], pendings text[], books text[], lines text[], rounds text[], awards text[], persons text[],
    amounts bigint[], reasons text[], actors text[], workflows text[], occurred timestamptz[], fingerprints bytea[],
    cost_lines text[] DEFAULT NULL, links text[] DEFAULT NULL
) RETURNS TABLE (place integer, code text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER
-- A plan made while a year's journal was empty must not read all of it when it is full.
SET search_path = payments, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    wanted CONSTANT integer := cardinality(ids);
    batch_max CONSTANT integer := 2000;
    lines_of_cost CONSTANT text[] := coalesce(cost_lines, array_fill('tuition'::text, ARRAY[wanted]));
    linked CONSTANT text[] := coalesce(links, array_fill(NULL::text, ARRAY[wanted]));
    codes text[] := array_fill(NULL::text, ARRAY[wanted]);
    outcomes text[] := array_fill(NULL::text, ARRAY[wanted]);
    is_new boolean[] := array_fill(true, ARRAY[wanted]);
    new_left bigint[] := array_fill(0::bigint, ARRAY[wanted]);
    new_uncorrected bigint[] := array_fill(0::bigint, ARRAY[wanted]);
    level_codes CONSTANT text[] := ARRAY['over_person', 'over_award', 'over_round', 'over_program'];
    years integer[];
    touched text[];
    opens boolean;
    all_permitted boolean;
    row_ids text[];
    row_available bigint[];
    known_ids text[];
    known_outcomes text[];
    known_fingerprints bytea[];
    pending_ids text[];
    pending_scopes text[];
    pending_credits text[];
    pending_left bigint[];
    link_ids text[];
    link_left bigint[];
    debits text[];
    credits text[];
    moves_on boolean[];
    permitted boolean[];
    scopes text[];
    known_at integer[];
    first_at integer[];
    pending_at integer[];
    pending_new integer[];
    link_at integer[];
    link_new integer[];
    rows_at integer[];
    verdict text;
    at integer;
    before integer;
    written integer;
BEGIN
    IF wanted = 0 THEN
        RETURN;
    ELSIF wanted > batch_max THEN
        RAISE EXCEPTION 'a batch of % transfers: at most % are decided at once', wanted, batch_max
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    SELECT bool_or(r.debit = 'authority'), count(r.kind) INTO opens, written
    FROM unnest(kinds) AS k(kind) LEFT JOIN posting_rule AS r ON r.kind = k.kind;
    IF written <> wanted THEN
        RAISE EXCEPTION 'a transfer is of a kind that has no rule' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    years := ARRAY(SELECT DISTINCT fiscal_year_of(b) FROM unnest(books) AS t(b));
    PERFORM open_journal(y) FROM unnest(years) AS t(y) WHERE to_regclass('transfer_' || y) IS NULL;

    -- What is corrected may be another book's: that one is locked too, so that two corrections see each other.
    touched := ARRAY(
        SELECT DISTINCT id FROM unnest(books || lines || rounds || awards || persons) AS t(id) WHERE id IS NOT NULL
        UNION SELECT t.book FROM transfer AS t WHERE t.id = ANY (linked)
    );
    SELECT array_agg(b.id), array_agg(b.available_cents) INTO row_ids, row_available
    FROM (SELECT id, available_cents FROM balance WHERE id = ANY (touched) ORDER BY lock_order, id FOR UPDATE) AS b;

    -- Authority opens the rows it credits, each for the book of the first that names it. Only after the locks: an
    -- insert would wait for a rival's insert.
    IF opens THEN
        INSERT INTO balance (id, book, level)
        SELECT DISTINCT ON (s.id) s.id, g.book, s.level
        FROM unnest(kinds, books, lines, rounds, awards, persons)
            WITH ORDINALITY AS g(kind, book, line, round, award, person, place)
        JOIN posting_rule AS r ON r.kind = g.kind AND r.debit = 'authority'
        CROSS JOIN LATERAL (
            VALUES (g.line, 'line'), (g.round, 'round'), (g.award, 'award'), (g.person, 'person')
        ) AS s(id, level)
        WHERE s.id IS NOT NULL AND (s.level <> 'line' OR s.id = g.book)
            AND NOT EXISTS (SELECT FROM balance AS b WHERE b.id = s.id)
        ORDER BY s.id, g.place
        ON CONFLICT (id) DO NOTHING;
        SELECT array_agg(b.id), array_agg(b.available_cents) INTO row_ids, row_available
        FROM (SELECT id, available_cents FROM balance WHERE id = ANY (touched) ORDER BY lock_order, id FOR UPDATE) AS b;
    END IF;
    -- A rival with the same id in another book is waited for here; in the order of ids, so that two never wait crosswise.
    INSERT INTO journal_id (id) SELECT DISTINCT t.id FROM unnest(ids) AS t(id) ORDER BY t.id ON CONFLICT DO NOTHING;

    -- Looked up after the locks: before them, a rival's uncommitted entry with the same id would not be seen.
    SELECT array_agg(t.id), array_agg(t.outcome), array_agg(t.fingerprint)
    INTO known_ids, known_outcomes, known_fingerprints
    FROM transfer AS t WHERE t.id = ANY (ids);

    SELECT array_agg(p.id), array_agg(p.scope), array_agg(p.credit), array_agg(p.left_cents)
    INTO pending_ids, pending_scopes, pending_credits, pending_left
    FROM (
        SELECT t.id, t.credit,
            concat_ws(' ', t.book, t.line_id, t.round_id, t.award_id, t.person_id, t.cost_line) AS scope,
            t.amount_cents - coalesce((
                SELECT sum(m.amount_cents) FROM transfer AS m
                WHERE m.pending_id = t.id AND m.outcome = 'ok' AND m.fiscal_year = ANY (years)
            ), 0)::bigint AS left_cents
        FROM transfer AS t WHERE t.id = ANY (pendings) AND t.outcome = 'ok' AND t.fiscal_year = ANY (years)
    ) AS p;

    -- What its year's phase or another year's rows forbid: money is never moved in a book that a row does not belong to.
    SELECT array_agg(q.fine ORDER BY q.n), bool_and(q.fine) INTO permitted, all_permitted
    FROM (
        SELECT g.n, coalesce(CASE b.phase WHEN 'soft_closed' THEN r.when_soft_closed
                WHEN 'hard_closed' THEN r.when_hard_closed ELSE true END, true)
            AND coalesce(g.line = g.book, true) AND coalesce(rounds_row.book = g.book, true)
            AND coalesce(awards_row.book = g.book, true) AND coalesce(persons_row.book = g.book, true) AS fine
        FROM unnest(kinds, books, lines, rounds, awards, persons)
            WITH ORDINALITY AS g(kind, book, line, round, award, person, n)
        JOIN posting_rule AS r ON r.kind = g.kind
        LEFT JOIN balance AS b ON b.id = g.book
        LEFT JOIN balance AS rounds_row ON rounds_row.id = g.round
        LEFT JOIN balance AS awards_row ON awards_row.id = g.award
        LEFT JOIN balance AS persons_row ON persons_row.id = g.person
    ) AS q;

    IF known_ids IS NULL AND all_permitted AND links IS NULL
        AND wanted = (SELECT count(DISTINCT id) FROM unnest(ids) AS t(id))
        AND NOT EXISTS (
            SELECT FROM (
                SELECT s.id, sum(g.amount) AS cents
                FROM unnest(kinds, lines, rounds, awards, persons, amounts) AS g(kind, line, round, award, person, amount)
                JOIN posting_rule AS r ON r.kind = g.kind AND r.debit = 'available' AND NOT r.from_pending
                CROSS JOIN LATERAL (VALUES (g.line), (g.round), (g.award), (g.person)) AS s(id)
                WHERE s.id IS NOT NULL GROUP BY s.id
            ) AS d LEFT JOIN unnest(row_ids, row_available) AS b(id, cents) ON b.id = d.id
            WHERE b.cents IS NULL OR b.cents < d.cents
        )
        AND NOT EXISTS (
            SELECT FROM (
                SELECT g.pending, r.debit, sum(g.amount) AS cents,
                    concat_ws(' ', g.book, g.line, g.round, g.award, g.person, g.cost_line) AS scope
                FROM unnest(kinds, pendings, books, lines, rounds, awards, persons, amounts, lines_of_cost)
                    AS g(kind, pending, book, line, round, award, person, amount, cost_line)
                JOIN posting_rule AS r ON r.kind = g.kind AND r.from_pending
                GROUP BY g.pending, r.debit, scope
            ) AS d LEFT JOIN unnest(pending_ids, pending_scopes, pending_credits, pending_left)
                AS p(id, scope, credit, cents) ON p.id = d.pending AND p.scope = d.scope AND p.credit = d.debit
            WHERE p.cents IS NULL OR p.cents < d.cents
        )
    THEN
        codes := array_fill('ok'::text, ARRAY[wanted]);
        outcomes := codes;
    ELSE
        SELECT array_agg(l.id), array_agg(l.left_cents) INTO link_ids, link_left
        FROM (
            SELECT t.id, t.amount_cents - coalesce((
                SELECT sum(m.amount_cents) FROM transfer AS m WHERE m.links_to = t.id AND m.outcome = 'ok'
            ), 0)::bigint AS left_cents
            FROM transfer AS t WHERE t.id = ANY (linked) AND t.outcome = 'ok'
        ) AS l;
        -- All that the loop asks, as numbers: it compares no text with arrays.
        SELECT array_agg(r.debit ORDER BY g.n), array_agg(r.credit ORDER BY g.n), array_agg(r.from_pending ORDER BY g.n),
            array_agg(concat_ws(' ', g.book, g.line, g.round, g.award, g.person, g.cost_line) ORDER BY g.n),
            array_agg(known.at ORDER BY g.n), array_agg(own.at ORDER BY g.n),
            array_agg(pending.at ORDER BY g.n), array_agg(pending_own.at ORDER BY g.n),
            array_agg(link.at ORDER BY g.n), array_agg(link_own.at ORDER BY g.n),
            array_agg(ARRAY[persons_row.at, awards_row.at, rounds_row.at, lines_row.at] ORDER BY g.n)
        INTO debits, credits, moves_on, scopes, known_at, first_at, pending_at, pending_new, link_at, link_new, rows_at
        FROM unnest(ids, kinds, pendings, linked, books, lines, rounds, awards, persons, lines_of_cost)
            WITH ORDINALITY AS g(id, kind, pending, link, book, line, round, award, person, cost_line, n)
        JOIN posting_rule AS r ON r.kind = g.kind
        LEFT JOIN places_of(known_ids) AS known ON known.id = g.id
        LEFT JOIN places_of(ids) AS own ON own.id = g.id
        LEFT JOIN places_of(pending_ids) AS pending ON pending.id = g.pending
        LEFT JOIN places_of(ids) AS pending_own ON pending_own.id = g.pending
        LEFT JOIN places_of(link_ids) AS link ON link.id = g.link
        LEFT JOIN places_of(ids) AS link_own ON link_own.id = g.link
        LEFT JOIN places_of(row_ids) AS persons_row ON persons_row.id = g.person
        LEFT JOIN places_of(row_ids) AS awards_row ON awards_row.id = g.award
        LEFT JOIN places_of(row_ids) AS rounds_row ON rounds_row.id = g.round
        LEFT JOIN places_of(row_ids) AS lines_row ON lines_row.id = g.line;

        FOR i IN 1 .. wanted LOOP
            -- Decided before, in the journal or earlier in this batch?
            IF known_at[i] IS NOT NULL OR first_at[i] < i THEN
                is_new[i] := false;
                IF known_at[i] IS NOT NULL AND known_fingerprints[known_at[i]] = fingerprints[i] THEN
                    codes[i] := 'replay';
                    outcomes[i] := known_outcomes[known_at[i]];
                ELSIF known_at[i] IS NULL AND fingerprints[first_at[i]] = fingerprints[i] THEN
                    codes[i] := 'replay';
                    outcomes[i] := outcomes[first_at[i]];
                ELSE
                    codes[i] := 'conflict';
                END IF;
                CONTINUE;
            END IF;

            verdict := 'ok';
            IF NOT permitted[i] THEN
                verdict := 'closed';
            ELSIF moves_on[i] THEN
                at := pending_at[i];
                before := pending_new[i];
                IF at IS NOT NULL AND pending_scopes[at] = scopes[i] AND pending_credits[at] = debits[i] THEN
                    IF pending_left[at] < amounts[i] THEN
                        verdict := 'already_resolved';
                    ELSE
                        pending_left[at] := pending_left[at] - amounts[i];
                    END IF;
                ELSIF before < i AND is_new[before] AND codes[before] = 'ok' AND scopes[before] = scopes[i]
                    AND credits[before] = debits[i]
                THEN
                    IF new_left[before] < amounts[i] THEN
                        verdict := 'already_resolved';
                    ELSE
                        new_left[before] := new_left[before] - amounts[i];
                    END IF;
                ELSE
                    verdict := 'pending_not_found';
                END IF;
            ELSIF debits[i] = 'available' THEN
                -- A limit that waiting cannot lift (the person's) is named before those that it can.
                FOR level IN 1 .. 4 LOOP
                    CONTINUE WHEN verdict = 'closed'
                        OR CASE level WHEN 1 THEN persons[i] WHEN 2 THEN awards[i] WHEN 3 THEN rounds[i] ELSE lines[i] END IS NULL;
                    at := rows_at[i][level];
                    IF at IS NULL THEN
                        verdict := 'closed';
                    ELSIF row_available[at] < amounts[i] AND verdict = 'ok' THEN
                        verdict := level_codes[level];
                    END IF;
                END LOOP;
            END IF;

            IF verdict = 'ok' AND linked[i] IS NOT NULL THEN
                at := link_at[i];
                before := link_new[i];
                IF at IS NOT NULL THEN
                    IF link_left[at] < amounts[i] THEN
                        verdict := 'already_resolved';
                    ELSE
                        link_left[at] := link_left[at] - amounts[i];
                    END IF;
                ELSIF before < i AND is_new[before] AND codes[before] = 'ok' THEN
                    IF new_uncorrected[before] < amounts[i] THEN
                        verdict := 'already_resolved';
                    ELSE
                        new_uncorrected[before] := new_uncorrected[before] - amounts[i];
                    END IF;
                ELSE
                    verdict := 'pending_not_found';
                END IF;
                IF verdict <> 'ok' AND moves_on[i] THEN
                    IF pending_at[i] IS NOT NULL THEN
                        pending_left[pending_at[i]] := pending_left[pending_at[i]] + amounts[i];
                    ELSE
                        new_left[pending_new[i]] := new_left[pending_new[i]] + amounts[i];
                    END IF;
                END IF;
            END IF;

            IF verdict = 'ok' THEN
                new_left[i] := amounts[i];
                new_uncorrected[i] := amounts[i];
                FOR level IN 1 .. 4 LOOP
                    at := rows_at[i][level];
                    CONTINUE WHEN at IS NULL;
                    row_available[at] := row_available[at]
                        + CASE WHEN credits[i] = 'available' THEN amounts[i] ELSE 0 END
                        - CASE WHEN debits[i] = 'available' THEN amounts[i] ELSE 0 END;
                END LOOP;
            END IF;
            codes[i] := verdict;
            outcomes[i] := verdict;
        END LOOP;
    END IF;

    INSERT INTO transfer (
        id, fiscal_year, outcome, kind, debit, credit, cost_line, pending_id, links_to, book, line_id, round_id, award_id,
        person_id, amount_cents, reason, actor, workflow_id, occurred_at, fingerprint
    )
    SELECT g.id, fiscal_year_of(g.book), g.outcome, g.kind, r.debit, r.credit, g.cost_line, g.pending, g.link, g.book,
        g.line, g.round, g.award, g.person, g.amount, g.reason, g.actor, g.workflow, g.occurred, g.fingerprint
    FROM unnest(
        ids, outcomes, is_new, kinds, pendings, books, lines, rounds, awards, persons, amounts, reasons, actors, workflows,
        occurred, fingerprints, lines_of_cost, linked
    ) WITH ORDINALITY AS g(
        id, outcome, is_new, kind, pending, book, line, round, award, person, amount, reason, actor, workflow, occurred,
        fingerprint, cost_line, link, place
    )
    JOIN posting_rule AS r ON r.kind = g.kind
    WHERE g.is_new
    ORDER BY g.place;

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
            coalesce(sum(m.transfers) FILTER (WHERE m.account = 'authority'), 0) AS appropriations,
            coalesce(sum(-m.cents) FILTER (WHERE m.account = 'authority'), 0) AS appropriated,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'available'), 0) AS available,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'held'), 0) AS held,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'encumbered'), 0) AS encumbered,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'payable'), 0) AS payable,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'in_transit'), 0) AS in_transit,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'disbursed'), 0) AS disbursed,
            coalesce(sum(m.cents) FILTER (WHERE m.account = 'lapsed'), 0) AS lapsed
        FROM (
            SELECT s.id, r.debit, r.credit, sum(g.amount) AS amount, count(*) AS transfers
            FROM unnest(outcomes, is_new, kinds, lines, rounds, awards, persons, amounts)
                AS g(outcome, is_new, kind, line, round, award, person, amount)
            JOIN posting_rule AS r ON r.kind = g.kind
            CROSS JOIN LATERAL (VALUES (g.line), (g.round), (g.award), (g.person)) AS s(id)
            WHERE g.is_new AND g.outcome = 'ok' AND s.id IS NOT NULL
            GROUP BY s.id, r.debit, r.credit
        ) AS g
        CROSS JOIN LATERAL (
            VALUES (g.id, g.debit, -g.amount, g.transfers), (g.id, g.credit, g.amount, g.transfers)
        ) AS m(id, account, cents, transfers)
        GROUP BY m.id
    ) AS d
    WHERE b.id = d.id;

    RETURN QUERY SELECT n, codes[n], outcomes[n] FROM generate_series(1, wanted) AS n;
END
$$;
