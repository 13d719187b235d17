* quote_doubled postgresql
> SELECT 'it''s', 'b'
= SELECT ?, ?
: SELECT

* backslash_is_plain postgresql
> SELECT 'C:\\', 'b' FROM t
= SELECT ?, ? FROM t
: SELECT t

* backslash_escapes_when_told postgresql backslash
> SELECT 'C:\\'', 'b' FROM t
= SELECT ?, ? FROM t
: SELECT t

* escape_string postgresql
> SELECT E'it\\'s', e'\\\\', 'x' FROM t
= SELECT ?, ?, ? FROM t
: SELECT t

* escape_string_goes_on postgresql
> SELECT E'a'\n  'b\\'c' , 'd' FROM t
= SELECT ?\n  ? , ? FROM t
: SELECT t

* escape_string_goes_on_behind_comment postgresql
> SELECT E'a' -- it's\n  'b\\'c' , 'd' FROM t
= SELECT ? \n  ? , ? FROM t
: SELECT t
! commented

* escape_string_ends_with_its_line postgresql
> SELECT E'a' 'b\\' , 'c' FROM t
= SELECT ? ? , ? FROM t
: SELECT t

* escape_string_ends_before_a_comment_in_between postgresql
> SELECT E'a' /* x */\n 'b\\' , 'c' FROM t
= SELECT ? \n ? , ? FROM t
: SELECT t
! commented

* plain_string_goes_on postgresql
> SELECT 'a'\n  'b\\' , 'd' FROM t
= SELECT ?\n  ? , ? FROM t
: SELECT t

* string_kinds postgresql
> SELECT B'101', X'1F', N'x', U&'d\\0061t', u&"d\\0061t" FROM t
= SELECT ?, ?, ?, U&?, u&"d\\0061t" FROM t
: SELECT t

* word_before_string postgresql
> SELECT date'2020-01-01', ab'x' FROM t
= SELECT date?, ab? FROM t
: SELECT t

* dollar_quoted postgresql
> SELECT $$it's$$, $a$ $$ ' $b$ $a$ FROM t
= SELECT ?, ? FROM t
: SELECT t

* dollar_tag_restarts postgresql
> SELECT $ab$ $a$ab$, 'x'
= SELECT ?, ?
: SELECT

* dollar_in_a_name postgresql
> SELECT a$b$c, 'x', d$ FROM t$1
= SELECT a$b$c, ?, d$ FROM t$1
: SELECT t$1

* dollar_tag_of_letters postgresql
> SELECT $été$it's$été$, 'x'
= SELECT ?, ?
: SELECT

* dollar_tag_too_long postgresql
> SELECT $aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$x$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$, 'x'
= SELECT ?
: SELECT
! cut doubtful open

* do_block postgresql
> DO $$ BEGIN PERFORM 'x'; END $$; SELECT 1
= DO ?; SELECT ?
: BATCH
# 2

* placeholders postgresql
> SELECT * FROM t WHERE a = $1 AND b=$22::int AND c ? 'x' AND d ?| $3
= SELECT * FROM t WHERE a = $1 AND b=$22::int AND c ? ? AND d ?| $3
: SELECT t

* slices postgresql
> SELECT a[1:2], b[x:3], ARRAY[1,2,'x'] FROM t
= SELECT a[?:?], b[x:?], ARRAY[?,?,?] FROM t
: SELECT t

* casts postgresql
> SELECT '1'::int, 2::numeric(10,2), x::text::varchar(5) FROM t
= SELECT ?::int, ?::numeric(?,?), x::text::varchar(?) FROM t
: SELECT t

* json_operators postgresql
> SELECT a->'k', b->>1, c->-1, d#>'{a,1}', e#>>'{b}', f @> '{"x":1}' FROM t
= SELECT a->?, b->>?, c->?, d#>?, e#>>?, f @> ? FROM t
: SELECT t

* numbers postgresql
> SELECT 1, -1, +1, 1.5e-3, 0x1F, 0b11, 0o17, 1_000, .5, 5., - 1, a-1, a -1, a - 1, (a)-1, 'x'-1 FROM t1
= SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, - ?, a-?, a ?, a - ?, (a)-?, ?? FROM t1
: SELECT t1

* minus_minus_is_a_comment postgresql
> SELECT 1--1 it's\n, 'x'
= SELECT ?\n, ?
: SELECT
! commented

* exponent_then_comment postgresql
> SELECT 1e--it's\n, 'x'
= SELECT ?\n, ?
: SELECT
! commented

* comments_nest postgresql
> SELECT /* a /* b */ c' */ 'x' /**/FROM/* */t
= SELECT  ? FROM t
: SELECT t
! commented

* comment_between_words postgresql
> SELECT/**/a/* */,b FROM(/* c */t)
= SELECT a ,b FROM( t)
: SELECT t
! commented

* comment_ends_with_return postgresql
> SELECT 1 -- it's\r, 'x'
= SELECT ? \r, ?
: SELECT
! commented

* comment_alone postgresql
> -- nothing
= 
: 
# 0
! open commented

* comment_first postgresql
> /* app='x' */ SELECT a FROM t
=  SELECT a FROM t
: SELECT t
! commented

* comment_last postgresql
> SELECT a FROM t /*traceparent='00-1-2-01'*/
= SELECT a FROM t 
: SELECT t
! commented

* comment_open postgresql
> SELECT a FROM t /* it's
= SELECT a FROM t 
: SELECT t
! open commented

* string_open postgresql
> SELECT a FROM t WHERE b = 'secret
= SELECT a FROM t WHERE b = ?
: SELECT t
! open

* escape_open postgresql
> SELECT a FROM t WHERE b = E'secret\\
= SELECT a FROM t WHERE b = ?
: SELECT t
! open

* dollar_open postgresql
> SELECT a FROM t WHERE b = $$secret
= SELECT a FROM t WHERE b = ?
: SELECT t
! open

* name_open postgresql
> SELECT a FROM "secret
= SELECT a FROM ?
: SELECT
! open

* name_quoted postgresql
> SELECT "a""b", "c d" FROM "S"."T 1" AS "x", "u"
= SELECT "a""b", "c d" FROM "S"."T 1" AS "x", "u"
: SELECT "S"."T 1" "u"

* hash_is_an_operator postgresql
> SELECT a # 'x', b FROM t
= SELECT a # ?, b FROM t
: SELECT t

* booleans postgresql
> SELECT TRUE, false, t.true, a IS NOT TRUE FROM t WHERE b = True
= SELECT ?, ?, t.true, a IS NOT ? FROM t WHERE b = ?
: SELECT t

* date_and_interval postgresql
> SELECT DATE '2020-01-01', INTERVAL '1' DAY, TIMESTAMP WITH TIME ZONE '2020-01-01 00:00' FROM t
= SELECT DATE ?, INTERVAL ? DAY, TIMESTAMP WITH TIME ZONE ? FROM t
: SELECT t

* in_lists postgresql
> SELECT * FROM t WHERE a IN (1,2,3) AND b NOT IN ('x') AND c IN ($1, $2) AND d IN (1, $1) AND e IN ( 1 , 2 )
= SELECT * FROM t WHERE a IN (?) AND b NOT IN (?) AND c IN ($1, $2) AND d IN (?, $1) AND e IN ( ?)
: SELECT t

* in_list_of_others postgresql
> SELECT * FROM t WHERE a IN (1+2, 3) AND b IN (SELECT 1) AND c IN (TRUE, NULL) AND d IN ((1),(2))
= SELECT * FROM t WHERE a IN (??, ?) AND b IN (SELECT ?) AND c IN (?, NULL) AND d IN ((?),(?))
: SELECT t SELECT

* in_list_with_comment postgresql
> SELECT * FROM t WHERE a IN (1, /* two */ 2, 3 -- x\n)
= SELECT * FROM t WHERE a IN (?)
: SELECT t
! commented

* in_list_cut postgresql
> SELECT * FROM t WHERE a IN (1, 2
= SELECT * FROM t WHERE a IN (?, ?
: SELECT t

* limit_offset postgresql
> SELECT a FROM t LIMIT 10 OFFSET 20
= SELECT a FROM t LIMIT ? OFFSET ?
: SELECT t

* latin1_bytes postgresql
> SELECT 'caf\xe9', caf\xe9 FROM t
= SELECT ?, caf\xe9 FROM t
: SELECT t

* nul_bytes postgresql
> SELECT 'a\x00b', c FROM t
= SELECT ?, c FROM t
: SELECT t

* unicode postgresql
> SELECT 'ключ', имя FROM "таблица" WHERE ключ = 'ж'
= SELECT ?, имя FROM "таблица" WHERE ключ = ?
: SELECT "таблица"
