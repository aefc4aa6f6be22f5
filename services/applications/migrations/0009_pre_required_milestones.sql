-- Completion is attested once the milestones that the program requires were reported. A listing from before this was
-- kept says nothing of it: there every milestone counts as required, which is a pack's own default.
ALTER TABLE listed_credential ADD COLUMN required_milestones text [] NOT NULL DEFAULT '{}';
UPDATE listed_credential SET required_milestones = milestones;
