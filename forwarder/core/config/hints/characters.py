"""Characters that get into a config by copying: quotation marks of a word processor, and what nobody sees."""

OPENING = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a\u201b\u2039\u203a"
"""Quotation marks that YAML does not know, as they begin a text in different languages."""
CLOSING = "\u201c\u201d\u201f\u00ab\u00bb\u2018\u2019\u201b\u2039\u203a"
QUOTES = "\"'`" + OPENING
"""All quotation marks."""
ZERO_WIDTH = "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
BLANK = " \t\r\n\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
