-- Version 4 kept no gaps. Everything else stays as it is.

-- schema of gaps --
-- from version 5 on --
