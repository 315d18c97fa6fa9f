-- Version 3 did not keep which config was in force. Everything else stays as it is.

-- schema of revisions --
-- schema of gaps --
