ALTER TABLE payee_account ADD COLUMN correct_by date;
COMMENT ON COLUMN payee_account.correct_by IS
    'The last day on which an entry may settle to it as it stands: its bank has notified a change';
