-- An issuer acts on enrollments in the credentials it is listed for, and on nothing else. Whoever attested one may be
-- another issuer of the same credential: its statement is seen too, or the second would think there is none.
CREATE POLICY as_issuer ON application USING (
    nullif(current_setting('cairn.issuer_id', true), '') IS NOT NULL
    AND EXISTS (
        SELECT FROM listed_credential AS l
        WHERE l.program_id = application.program_id AND l.credential_id = application.credential_id
            AND current_setting('cairn.issuer_id', true) = ANY (l.issuers)
    )
);
CREATE POLICY as_issuer ON enrollment USING (
    nullif(current_setting('cairn.issuer_id', true), '') IS NOT NULL
    AND EXISTS (
        SELECT FROM listed_credential AS l
        WHERE l.program_id = enrollment.program_id AND l.credential_id = enrollment.credential_id
            AND current_setting('cairn.issuer_id', true) = ANY (l.issuers)
    )
);
CREATE POLICY as_issuer ON attestation USING (
    nullif(current_setting('cairn.issuer_id', true), '') IS NOT NULL
    AND EXISTS (SELECT FROM enrollment AS e WHERE e.enrollment_id = attestation.enrollment_id)
);
