* empty postgresql
> 
= 
: 
# 0

* blanks_and_semicolons postgresql
> \n ; ;; \t
= \n ; ;; \t
: 
# 0

* with postgresql
> WITH a AS (SELECT * FROM t), "B" (c, d) AS MATERIALIZED (SELECT 1) SELECT * FROM a JOIN B ON true, u
= WITH a AS (SELECT * FROM t), "B" (c, d) AS MATERIALIZED (SELECT ?) SELECT * FROM a JOIN B ON ?, u
: SELECT t SELECT SELECT u

* with_recursive postgresql
> WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r
= WITH RECURSIVE r AS (SELECT ? UNION ALL SELECT n + ? FROM r) SELECT * FROM r
: SELECT SELECT

* with_schema_is_no_with_name postgresql
> WITH a AS (SELECT 1) SELECT * FROM s.a, a
= WITH a AS (SELECT ?) SELECT * FROM s.a, a
: SELECT SELECT s.a

* with_changes_data postgresql
> WITH d AS (DELETE FROM t WHERE a = 1 RETURNING *) INSERT INTO u SELECT * FROM d
= WITH d AS (DELETE FROM t WHERE a = ? RETURNING *) INSERT INTO u SELECT * FROM d
: DELETE t INSERT u SELECT

* with_update postgresql
> WITH a AS (SELECT 1) UPDATE t SET x = a.y FROM a, b
= WITH a AS (SELECT ?) UPDATE t SET x = a.y FROM a, b
: SELECT UPDATE t b

* insert_with postgresql
> INSERT INTO t WITH a AS (SELECT * FROM u) SELECT * FROM a
= INSERT INTO t WITH a AS (SELECT * FROM u) SELECT * FROM a
: INSERT t SELECT u SELECT

* with_inside postgresql
> SELECT * FROM (WITH a AS (SELECT * FROM t) SELECT * FROM a) x, y
= SELECT * FROM (WITH a AS (SELECT * FROM t) SELECT * FROM a) x, y
: SELECT SELECT t SELECT y

* functions_with_from postgresql
> SELECT extract(year FROM a), trim(both ' ' FROM b), substring(c FROM 2 FOR 3), a IS DISTINCT FROM d FROM t
= SELECT extract(year FROM a), trim(both ? FROM b), substring(c FROM ? FOR ?), a IS DISTINCT FROM d FROM t
: SELECT t

* function_as_table postgresql
> SELECT * FROM generate_series(1, 10) g, LATERAL f(g) h, ROWS x
= SELECT * FROM generate_series(?, ?) g, LATERAL f(g) h, ROWS x
: SELECT generate_series f ROWS

* join_list postgresql
> SELECT * FROM a LEFT OUTER JOIN b USING (i) NATURAL JOIN c CROSS JOIN d, e AS f, g h WHERE i IN (SELECT j FROM k, l)
= SELECT * FROM a LEFT OUTER JOIN b USING (i) NATURAL JOIN c CROSS JOIN d, e AS f, g h WHERE i IN (SELECT j FROM k, l)
: SELECT a b c d e g SELECT k l

* parenthesised_join postgresql
> SELECT * FROM ((a JOIN b ON a.i = b.i) LEFT JOIN (c CROSS JOIN d) ON true), e
= SELECT * FROM ((a JOIN b ON a.i = b.i) LEFT JOIN (c CROSS JOIN d) ON ?), e
: SELECT a b c d e

* set_operations postgresql
> (SELECT a FROM t) UNION ALL (SELECT a FROM u) EXCEPT SELECT a FROM v ORDER BY 1
= (SELECT a FROM t) UNION ALL (SELECT a FROM u) EXCEPT SELECT a FROM v ORDER BY ?
: SELECT t u v

* only postgresql
> SELECT * FROM ONLY t, ONLY u
= SELECT * FROM ONLY t, ONLY u
: SELECT t u

* for_update postgresql
> SELECT a FROM t WHERE b = 1 FOR UPDATE OF t, u
= SELECT a FROM t WHERE b = ? FOR UPDATE OF t, u
: SELECT t

* scalar_subquery postgresql
> SELECT (SELECT max(a) FROM t), b FROM u GROUP BY b, c
= SELECT (SELECT max(a) FROM t), b FROM u GROUP BY b, c
: SELECT SELECT t u

* values_as_table postgresql
> SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(a, b), t
= SELECT * FROM (VALUES (?, ?), (?, ?)) AS v(a, b), t
: SELECT t

* values_alone postgresql
> VALUES (1, 'a')
= VALUES (?, ?)
: VALUES

* table_command postgresql
> TABLE t
= TABLE t
: TABLE t

* words_as_names postgresql
> SELECT user, type, role FROM role, type t, comment
= SELECT user, type, role FROM role, type t, comment
: SELECT role type comment

* dotted_words postgresql
> SELECT t.select, t.from, t.where FROM s.values, s.join
= SELECT t.select, t.from, t.where FROM s.values, s.join
: SELECT s.values s.join

* update_from postgresql
> UPDATE ONLY t AS x SET a = u.b, c = 2 FROM u JOIN v ON true WHERE x.i = u.i
= UPDATE ONLY t AS x SET a = u.b, c = ? FROM u JOIN v ON ? WHERE x.i = u.i
: UPDATE t u v

* update_subquery postgresql
> UPDATE t SET a = (SELECT max(b) FROM u), c = 1
= UPDATE t SET a = (SELECT max(b) FROM u), c = ?
: UPDATE t SELECT u

* delete_using postgresql
> DELETE FROM t USING u, v WHERE t.i = u.i
= DELETE FROM t USING u, v WHERE t.i = u.i
: DELETE t u v

* insert_conflict postgresql
> INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING id, a
= INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING id, a
: INSERT t

* insert_default_values postgresql
> INSERT INTO s.t DEFAULT VALUES
= INSERT INTO s.t DEFAULT VALUES
: INSERT s.t

* truncate postgresql
> TRUNCATE a, b CASCADE
= TRUNCATE a, b CASCADE
: TRUNCATE a b

* truncate_table postgresql
> TRUNCATE TABLE ONLY a
= TRUNCATE TABLE ONLY a
: TRUNCATE TABLE a

* copy_from postgresql
> COPY s.t (a, b) FROM STDIN WITH (FORMAT csv)
= COPY s.t (a, b) FROM STDIN WITH (FORMAT csv)
: COPY s.t

* copy_query postgresql
> COPY (SELECT a FROM t) TO STDOUT
= COPY (SELECT a FROM t) TO STDOUT
: COPY SELECT t

* create_index_without_a_name postgresql
> CREATE INDEX CONCURRENTLY ON t (a)
= CREATE INDEX CONCURRENTLY ON t (a)
: CREATE INDEX t

* create_table_as postgresql
> CREATE TEMP TABLE t AS SELECT * FROM u
= CREATE TEMP TABLE t AS SELECT * FROM u
: CREATE TABLE t SELECT u

* create_or_replace postgresql
> CREATE OR REPLACE FUNCTION s.f(a int) RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT 2 $$
= CREATE OR REPLACE FUNCTION s.f(a int) RETURNS int LANGUAGE sql AS ?
: CREATE FUNCTION s.f

* create_materialized_view postgresql
> CREATE MATERIALIZED VIEW IF NOT EXISTS s.v AS SELECT * FROM t
= CREATE MATERIALIZED VIEW IF NOT EXISTS s.v AS SELECT * FROM t
: CREATE VIEW s.v

* drop_list postgresql
> DROP TABLE IF EXISTS a, s.b CASCADE
= DROP TABLE IF EXISTS a, s.b CASCADE
: DROP TABLE a s.b

* alter_table_list postgresql
> ALTER TABLE IF EXISTS ONLY s.t ADD a int, ADD b int
= ALTER TABLE IF EXISTS ONLY s.t ADD a int, ADD b int
: ALTER TABLE s.t

* refresh postgresql
> REFRESH MATERIALIZED VIEW CONCURRENTLY v
= REFRESH MATERIALIZED VIEW CONCURRENTLY v
: REFRESH VIEW v

* comment_on postgresql
> COMMENT ON TABLE t IS 'secret'
= COMMENT ON TABLE t IS ?
: COMMENT

* grant postgresql
> GRANT SELECT, INSERT ON t TO u
= GRANT SELECT, INSERT ON t TO u
: GRANT

* explain postgresql
> EXPLAIN ANALYZE SELECT * FROM t
= EXPLAIN ANALYZE SELECT * FROM t
: EXPLAIN SELECT t

* explain_options postgresql
> EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t WHERE a = 1
= EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t WHERE a = ?
: EXPLAIN DELETE t

* explain_with postgresql
> EXPLAIN WITH a AS (SELECT 1) SELECT * FROM a, t
= EXPLAIN WITH a AS (SELECT ?) SELECT * FROM a, t
: EXPLAIN SELECT SELECT t

* cursors postgresql
> DECLARE c CURSOR FOR SELECT * FROM t; FETCH FORWARD 10 FROM c; CLOSE c
= DECLARE c CURSOR FOR SELECT * FROM t; FETCH FORWARD ? FROM c; CLOSE c
: BATCH
# 3

* fetch_clause postgresql
> SELECT a FROM t ORDER BY b FETCH FIRST 5 ROWS ONLY
= SELECT a FROM t ORDER BY b FETCH FIRST ? ROWS ONLY
: SELECT t

* prepare postgresql
> PREPARE p (int) AS SELECT * FROM t WHERE a = $1
= PREPARE p (int) AS SELECT * FROM t WHERE a = $1
: PREPARE SELECT t

* execute postgresql
> EXECUTE p (1, 'x')
= EXECUTE p (?, ?)
: EXECUTE p

* set postgresql
> SET search_path TO a, b
= SET search_path TO a, b
: SET

* show postgresql
> SHOW server_version
= SHOW server_version
: SHOW

* listen postgresql
> LISTEN ch
= LISTEN ch
: LISTEN

* vacuum postgresql
> VACUUM (FULL, VERBOSE) t
= VACUUM (FULL, VERBOSE) t
: VACUUM t

* vacuum_analyze postgresql
> VACUUM ANALYZE s.t
= VACUUM ANALYZE s.t
: VACUUM s.t

* savepoint postgresql
> SAVEPOINT s1
= SAVEPOINT s1
: SAVEPOINT

* rollback_to postgresql
> ROLLBACK TO SAVEPOINT s1
= ROLLBACK TO SAVEPOINT s1
: ROLLBACK

* begin_isolation postgresql
> BEGIN ISOLATION LEVEL SERIALIZABLE
= BEGIN ISOLATION LEVEL SERIALIZABLE
: BEGIN

* call postgresql
> CALL s.p(1, 'x')
= CALL s.p(?, ?)
: CALL s.p

* batch_of_equals postgresql
> INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);
= INSERT INTO t VALUES (?); INSERT INTO t VALUES (?);
: BATCH INSERT t
# 2

* batch_of_others postgresql
> INSERT INTO t VALUES (1); SELECT a FROM t
= INSERT INTO t VALUES (?); SELECT a FROM t
: BATCH
# 2

* batch_differs_in_case postgresql
> SELECT a FROM t; SELECT a FROM T
= SELECT a FROM t; SELECT a FROM T
: BATCH
# 2

* unknown_operation postgresql
> FROBNICATE t 'x'
= FROBNICATE t ?
: FROBNICATE

* no_word postgresql
> 'x'
= ?
: 

* quoted_batch postgresql
> SELECT 1 FROM "a;b"; SELECT ';' FROM "a;b"
= SELECT ? FROM "a;b"; SELECT ? FROM "a;b"
: BATCH SELECT "a;b"
# 2

* quoting_kept generic
> SELECT * FROM "song list", [my table], `x y`.`z`
= SELECT * FROM "song list", [my table], `x y`.`z`
: SELECT "song list" [my table] `x y`.`z`

* target_over_lines postgresql
> SELECT *\nFROM s .\n t\nJOIN "s" . "u" ON true
= SELECT *\nFROM s .\n t\nJOIN "s" . "u" ON ?
: SELECT s.t "s"."u"

* target_split_by_comment postgresql
> SELECT * FROM /* a */ s/* b */./* c */t
= SELECT * FROM  s . t
: SELECT s.t
! commented

* dangling_dot postgresql
> SELECT * FROM a.x'f', b, c.* WHERE d
= SELECT * FROM a.?, b, c.* WHERE d
: SELECT b
