-- Version 3 did not keep which config was active. Everything else stays as it is.

-- schema of revisions --
-- schema of gaps --
-- from version 5 on --
