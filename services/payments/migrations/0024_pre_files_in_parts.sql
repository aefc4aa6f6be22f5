-- Long files of the finance system are applied part by part, each in a transaction of its own.
ALTER TABLE confirmation_file ADD COLUMN next_word integer CHECK (next_word >= 0);
COMMENT ON COLUMN confirmation_file.next_word IS
    'From which of the file''s readable lines on it is still to be applied, counted from 0; null once it is applied whole';
