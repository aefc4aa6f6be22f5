-- What operators did to keys by hand: who, when and why. Nobody but the owner has any right to it.
CREATE TABLE operator_act (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act text NOT NULL CHECK (act ~ '^[a-z][a-z_]{0,40}$'),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 600),
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
    acted_at timestamptz NOT NULL
);
CREATE INDEX operator_act_subject ON operator_act (subject);
REVOKE ALL ON operator_act FROM PUBLIC;
