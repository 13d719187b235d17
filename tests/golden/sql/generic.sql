* sql_server_brackets generic
> SELECT [a b].[c]]d] FROM [dbo].[My Table] AS [x] WHERE [a b] = N'it''s'
= SELECT [a b].[c]]d] FROM [dbo].[My Table] AS [x] WHERE [a b] = ?
: SELECT [dbo].[My Table]

* bracket_with_quote generic
> SELECT [it's] FROM t WHERE a = 'secret'
= SELECT ?
: SELECT
! cut doubtful open

* subscripts generic
> SELECT ARRAY['a','b'], a[1], b[x] FROM t
= SELECT ARRAY[?,?], a[?], b[x] FROM t
: SELECT t

* temporary_tables generic
> SELECT * FROM #t a JOIN ##u b ON a.i = b.i
= SELECT * FROM #t a JOIN ##u b ON a.i = b.i
: SELECT #t ##u

* three_parts generic
> SELECT * FROM db..t, srv.db.dbo.u
= SELECT * FROM db..t, srv.db.dbo.u
: SELECT db..t srv.db.dbo.u

* money generic
> SELECT $12.50, $7 FROM t
= SELECT ?, ? FROM t
: SELECT t

* placeholders generic
> SELECT ?, :name, :1, @p1, @@rowcount FROM t
= SELECT ?, :name, :1, @p1, @@rowcount FROM t
: SELECT t

* oracle_q_quote generic
> SELECT q'[it's]', Q'!it's!', nq'{a'b}', q'<x>' FROM dual
= SELECT ?, ?, ?, ? FROM dual
: SELECT dual

* oracle_q_quote_open generic
> SELECT q'[it's secret
= SELECT ?
: SELECT
! open

* oracle_q_quote_odd generic
> SELECT q' it's ', 'secret'
= SELECT ?
: SELECT
! cut doubtful open

* backslash_in_doubt generic
> SELECT 'C:\\' , 'secret' FROM t
= SELECT ?
: SELECT
! cut doubtful open

* backslash_harmless generic
> SELECT 'C:\\\\', 'a\\b', 'x' FROM t
= SELECT ?, ?, ? FROM t
: SELECT t

* backslash_known generic backslash
> SELECT 'it\\'s', 'x' FROM t
= SELECT ?, ? FROM t
: SELECT t

* backslash_known_plain generic no_backslash
> SELECT 'C:\\', 'x' FROM t
= SELECT ?, ? FROM t
: SELECT t

* double_quotes_in_doubt generic
> SELECT "a" FROM "song list" WHERE "b" = "x" AND "t"."c" = "u"."d"
= SELECT "a" FROM "song list" WHERE "b" = ? AND "t"."c" = "u"."d"
: SELECT "song list"

* double_quotes_known generic double_string
> SELECT "a" FROM t WHERE "b" = "it's"
= SELECT ? FROM t WHERE ? = ?
: SELECT t

* name_with_backslash_in_doubt generic
> SELECT "a\\"b", 'secret' FROM t
= SELECT ?
: SELECT
! cut doubtful open

* comments_in_doubt generic
> SELECT /* a /* b */ 'secret' */ 'x' FROM t
= SELECT 
: SELECT
! cut doubtful open commented

* top generic
> UPDATE TOP (10) t SET a = 1; DELETE TOP (5) FROM u
= UPDATE TOP (?) t SET a = ?; DELETE TOP (?) FROM u
: BATCH
# 2

* exec generic
> EXEC @r = dbo.p @a = 'x', @b = 2
= EXEC @r = dbo.p @a = ?, @b = ?
: EXEC dbo.p

* execute_immediate generic
> EXECUTE IMMEDIATE 'DROP TABLE secret'
= EXECUTE IMMEDIATE ?
: EXECUTE

* odbc_call generic
> {call p(?, 'x')}
= {call p(?, ?)}
: call p

* odbc_call_with_result generic
> {? = call d.p(?)}
= {? = call d.p(?)}
: call d.p

* odbc_escapes generic
> SELECT {fn UCASE('x')}, {d '2020-01-01'}, {ts '2020-01-01 00:00:00'} FROM {oj a LEFT OUTER JOIN b ON a.i = b.i}
= SELECT {fn UCASE(?)}, {d ?}, {ts ?} FROM {oj a LEFT OUTER JOIN b ON a.i = b.i}
: SELECT a b

* merge generic
> MERGE INTO t USING (SELECT * FROM s WHERE x = 1) AS n ON t.i = n.i WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT (i) VALUES (2);
= MERGE INTO t USING (SELECT * FROM s WHERE x = ?) AS n ON t.i = n.i WHEN MATCHED THEN UPDATE SET a = ? WHEN NOT MATCHED THEN INSERT (i) VALUES (?);
: MERGE t SELECT s

* table_hints generic
> INSERT INTO t WITH (TABLOCK) SELECT a FROM u WITH (NOLOCK), v WHERE b = 'x'
= INSERT INTO t WITH (TABLOCK) SELECT a FROM u WITH (NOLOCK), v WHERE b = ?
: INSERT t SELECT u v

* cross_apply generic
> SELECT * FROM t CROSS APPLY dbo.f(t.a) x
= SELECT * FROM t CROSS APPLY dbo.f(t.a) x
: SELECT t dbo.f

* plsql_call generic
> BEGIN pkg.proc(:1, 'x'); COMMIT; END;
= BEGIN pkg.proc(:1, ?); COMMIT; END;
: BEGIN pkg.proc

* tsql_block generic
> BEGIN TRY UPDATE t SET a = 1; END TRY BEGIN CATCH ROLLBACK; END CATCH
= BEGIN TRY UPDATE t SET a = ?; END TRY BEGIN CATCH ROLLBACK; END CATCH
: BEGIN TRY

* transaction generic
> BEGIN TRAN; UPDATE t SET a = 1; COMMIT
= BEGIN TRAN; UPDATE t SET a = ?; COMMIT
: BATCH
# 3

* delete_alias generic
> DELETE o FROM Orders o JOIN c ON c.i = o.i WHERE c.x = 'y'
= DELETE o FROM Orders o JOIN c ON c.i = o.i WHERE c.x = ?
: DELETE Orders c

* delete_without_from generic
> DELETE Orders WHERE a = 1
= DELETE Orders WHERE a = ?
: DELETE Orders

* minus generic
> SELECT a FROM t MINUS SELECT a FROM u
= SELECT a FROM t MINUS SELECT a FROM u
: SELECT t u

* dollar_quotes generic
> SELECT $$it's$$, $a$it's$a$, 'x' FROM t
= SELECT ?, ?, ? FROM t
: SELECT t

* password_like_a_name generic
> ALTER USER scott IDENTIFIED BY tiger; CREATE USER a IDENTIFIED BY "ti ger" ACCOUNT LOCK
= ALTER USER scott IDENTIFIED BY ?; CREATE USER a IDENTIFIED BY ? ACCOUNT LOCK
: BATCH
# 2
