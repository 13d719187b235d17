* double_quoted_names sqlite
> SELECT "a", "t"."b" FROM "t" AS "x" WHERE "x"."a" = "t"."b" ORDER BY "a"
= SELECT "a", "t"."b" FROM "t" AS "x" WHERE "x"."a" = "t"."b" ORDER BY "a"
: SELECT "t"

* double_quoted_values sqlite
> SELECT a FROM t WHERE a = "x" AND b LIKE "y" AND c IN ("z", 'w') AND d BETWEEN "p" AND "q" AND "e" = 1
= SELECT a FROM t WHERE a = ? AND b LIKE ? AND c IN (?) AND d BETWEEN ? AND ? AND "e" = ?
: SELECT t

* double_quoted_insert sqlite
> INSERT INTO "t" ("a", "b") VALUES ("x", lower("y")), ("z", 1) ON CONFLICT ("a") DO UPDATE SET "b" = "w"
= INSERT INTO "t" ("a", "b") VALUES (?, lower(?)), (?, ?) ON CONFLICT ("a") DO UPDATE SET "b" = ?
: INSERT "t"

* double_quoted_arguments sqlite
> SELECT coalesce("a", "t"."b", 'c') FROM t
= SELECT coalesce(?, "t"."b", ?) FROM t
: SELECT t

* double_quoted_case sqlite
> SELECT CASE "a" WHEN "x" THEN "y" ELSE "z" END FROM t
= SELECT CASE "a" WHEN ? THEN ? ELSE ? END FROM t
: SELECT t

* create_table sqlite
> CREATE TABLE IF NOT EXISTS "t" ("id" INTEGER PRIMARY KEY, "a" TEXT DEFAULT "x", UNIQUE ("a"))
= CREATE TABLE IF NOT EXISTS "t" ("id" INTEGER PRIMARY KEY, "a" TEXT DEFAULT ?, UNIQUE ("a"))
: CREATE TABLE "t"

* brackets sqlite
> SELECT [a b], [it's] FROM [t u].[v] WHERE [a b] = 'x'
= SELECT [a b], [it's] FROM [t u].[v] WHERE [a b] = ?
: SELECT [t u].[v]

* backticks sqlite
> SELECT `a` FROM `t`
= SELECT `a` FROM `t`
: SELECT `t`

* backslash_is_plain sqlite
> SELECT 'C:\\', 'x' FROM t
= SELECT ?, ? FROM t
: SELECT t

* placeholders sqlite
> SELECT ?, ?1, :a, @b, $c, $d::e, :1 FROM t
= SELECT ?, ?1, :a, @b, $c, $d::e, :1 FROM t
: SELECT t

* comments sqlite
> SELECT 1 -- it's\n, /* a /* b */ 'x' FROM t
= SELECT ? \n,  ? FROM t
: SELECT t
! commented

* blob sqlite
> INSERT INTO t VALUES (x'1F', X'2e')
= INSERT INTO t VALUES (?, ?)
: INSERT t

* insert_or sqlite
> INSERT OR REPLACE INTO t (a) VALUES (1)
= INSERT OR REPLACE INTO t (a) VALUES (?)
: INSERT t

* update_or sqlite
> UPDATE OR ROLLBACK t SET a = 1
= UPDATE OR ROLLBACK t SET a = ?
: UPDATE t

* replace sqlite
> REPLACE INTO t VALUES (1)
= REPLACE INTO t VALUES (?)
: REPLACE t

* pragma sqlite
> PRAGMA journal_mode = WAL
= PRAGMA journal_mode = WAL
: PRAGMA journal_mode

* attach sqlite
> ATTACH DATABASE 'secret.db' AS aux
= ATTACH DATABASE ? AS aux
: ATTACH

* virtual_table sqlite
> CREATE VIRTUAL TABLE t USING fts5(a, b)
= CREATE VIRTUAL TABLE t USING fts5(a, b)
: CREATE TABLE t

* trigger sqlite
> CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON t BEGIN UPDATE u SET a = CASE WHEN b = 1 THEN 2 END; DELETE FROM v; END; SELECT 1
= CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON t BEGIN UPDATE u SET a = CASE WHEN b = ? THEN ? END; DELETE FROM v; END; SELECT ?
: BATCH
# 2

* match sqlite
> SELECT a FROM f WHERE f MATCH "x"
= SELECT a FROM f WHERE f MATCH ?
: SELECT f

* begin sqlite
> BEGIN IMMEDIATE; SAVEPOINT s1; RELEASE s1; COMMIT
= BEGIN IMMEDIATE; SAVEPOINT s1; RELEASE s1; COMMIT
: BATCH
# 4

* vacuum sqlite
> VACUUM
= VACUUM
: VACUUM

* unterminated_value sqlite
> SELECT a FROM t WHERE b = "secret
= SELECT a FROM t WHERE b = ?
: SELECT t
! open

* double_quoted_parentheses sqlite
> SELECT a FROM t WHERE ("a" = 1 AND ("b" > "x" OR "c" IS "y"))
= SELECT a FROM t WHERE ("a" = ? AND ("b" > ? OR "c" IS ?))
: SELECT t
