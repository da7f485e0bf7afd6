"""The tables of the index of near-duplicates, and what is asked of them; ``index`` says what it means."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE leaf(id INTEGER PRIMARY KEY, tree TEXT, path BLOB, digest TEXT, UNIQUE(tree, path));
CREATE TABLE text(id INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER, kind INTEGER,
  exact INTEGER, first TEXT, context TEXT, state INTEGER DEFAULT 0);
CREATE INDEX text_new ON text(id) WHERE state = 0;
CREATE INDEX text_waiting ON text(key) WHERE state < 2;
CREATE UNIQUE INDEX text_settled ON text(key) WHERE state = 2;
CREATE TABLE item(leaf INTEGER, number INTEGER, text INTEGER, line INTEGER, col INTEGER, shown TEXT,
  answer TEXT, PRIMARY KEY(leaf, number)) WITHOUT ROWID;
CREATE INDEX item_text ON item(text);
CREATE TABLE signature(hash INTEGER, text INTEGER, PRIMARY KEY(hash, text)) WITHOUT ROWID;
CREATE TABLE delta(hash INTEGER, text INTEGER, PRIMARY KEY(hash, text)) WITHOUT ROWID;
CREATE TABLE gone(id INTEGER PRIMARY KEY);
CREATE TABLE pair(a INTEGER, b INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE meta(name TEXT PRIMARY KEY, value);
INSERT INTO meta VALUES('settled', 0);
"""

# States of a text: not compared yet; compared, and its signatures in `delta`; settled, they are in place.
NEW, WAITING, SETTLED = range(3)
TEXT = "SELECT id, kind, exact, first, context FROM text"
HELD = "SELECT max(id) - (SELECT value FROM meta WHERE name = 'settled') FROM text"
UNCOMPARED = f"{TEXT} WHERE state = 0 AND id > ? ORDER BY id LIMIT ?"
KNOWN = """
SELECT id FROM text WHERE key = :key AND state = 2 AND id NOT IN (SELECT id FROM gone)
UNION ALL
SELECT id FROM text WHERE key = :key AND state < 2 AND id NOT IN (SELECT id FROM gone)
"""

# What is odd, a short text's words but one, says more than a run of three words: it counts twice.
# Ids grow, and who compares compares all that is new: what has the lower id was there before.
CANDIDATES = """
WITH telling AS MATERIALIZED (
  SELECT hash FROM (SELECT DISTINCT hash FROM temp.probe) one WHERE (
    SELECT count(*) FROM (
      SELECT 1 FROM signature s WHERE s.hash = one.hash AND s.text NOT IN (SELECT id FROM gone)
      UNION ALL
      SELECT 1 FROM delta d WHERE d.hash = one.hash AND d.text NOT IN (SELECT id FROM gone)
      LIMIT :common + 1)
  ) BETWEEN 2 AND :common),
mark AS (
  SELECT s.hash AS hash, p.text AS mine, s.text AS other FROM telling
  CROSS JOIN temp.probe p ON p.hash = telling.hash CROSS JOIN signature s ON s.hash = telling.hash
  UNION ALL
  SELECT d.hash, p.text, d.text FROM telling
  CROSS JOIN temp.probe p ON p.hash = telling.hash
  CROSS JOIN delta d ON d.hash = telling.hash)
SELECT m.mine, m.other FROM mark m WHERE m.other < m.mine AND m.other NOT IN (SELECT id FROM gone)
GROUP BY m.mine, m.other HAVING sum(1 + (m.hash & 1)) >= 2
ORDER BY m.mine, sum(1 + (m.hash & 1)) DESC, m.other
"""

TWINNED = """
SELECT tree, path FROM leaf WHERE id IN (
  SELECT leaf FROM item WHERE text IN (
    SELECT text FROM item GROUP BY text HAVING min(leaf) < max(leaf) UNION SELECT a FROM pair))
ORDER BY tree, path
"""
