* backslash_escapes mysql
> SELECT 'it\\'s', 'C:\\\\', 'x' FROM t
= SELECT ?, ?, ? FROM t
: SELECT t

* no_backslash mysql no_backslash
> SELECT 'C:\\', 'x' FROM t
= SELECT ?, ? FROM t
: SELECT t

* double_quotes_are_strings mysql
> SELECT "it's", "a\\"b", "a""b", 'x' FROM "t"
= SELECT ?, ?, ?, ? FROM ?
: SELECT

* double_quotes_are_names mysql ansi_quotes
> SELECT "it's", "a""b", 'x' FROM "t"
= SELECT "it's", "a""b", ? FROM "t"
: SELECT "t"

* backticks mysql
> SELECT `a``b`, `it's` FROM `d`.`t 1` x, `u`
= SELECT `a``b`, `it's` FROM `d`.`t 1` x, `u`
: SELECT `d`.`t 1` `u`

* string_kinds mysql
> SELECT N'x', x'1F', b'01', _utf8mb4'x', _latin1 'y', 0x1F, 0b01 FROM t
= SELECT ?, ?, ?, _utf8mb4?, _latin1 ?, ?, ? FROM t
: SELECT t

* dash_comments mysql
> SELECT 5--1, 6 -- it's\n, 'x' --\tit's\n, 'y' --\n
= SELECT ?-?, ? \n, ? \n, ? \n
: SELECT
! commented

* dash_comment_at_the_end mysql
> SELECT 5 --
= SELECT ? 
: SELECT
! open commented

* three_dashes mysql
> SELECT 5--- it's\n1, 'x'
= SELECT ?-\n?, ?
: SELECT
! commented

* dashes_are_no_comment mysql
> SELECT 5--'x'--y
= SELECT ?--?--y
: SELECT

* hash_comment mysql
> SELECT 1 # it's\n, 'x'
= SELECT ? \n, ?
: SELECT
! commented

* comments_do_not_nest mysql
> SELECT /* a /* b */ 'c' FROM t
= SELECT  ? FROM t
: SELECT t
! commented

* hint mysql
> SELECT /*+ MAX_EXECUTION_TIME(1000) */ a FROM t
= SELECT  a FROM t
: SELECT t
! commented

* executed_comment mysql
> /*!40101 SET NAMES 'utf8' */
= /*!40101 SET NAMES ? */
: SET
! commented

* executed_comment_inside mysql
> SELECT /*!50000 STRAIGHT_JOIN */ a, 'x' FROM t /*! USE INDEX (i) */ WHERE b = 1
= SELECT /*!50000 STRAIGHT_JOIN */ a, ? FROM t /*! USE INDEX (i) */ WHERE b = ?
: SELECT t
! commented

* executed_by_mariadb mysql
> CREATE TABLE t (a INT) /*M!100100 ENGINE=Aria */
= CREATE TABLE t (a INT) /*M!100100 ENGINE=Aria */
: CREATE TABLE t
! commented

* executed_or_not mysql
> SELECT /*!99999 it's */ 'secret' FROM t
= SELECT /*!99999 it?
: SELECT
! cut doubtful open commented

* executed_with_comment mysql
> SELECT /*!99999 a -- b */ 'secret' FROM t
= SELECT /*!99999 a 
: SELECT
! cut doubtful open commented

* executed_twice mysql
> SELECT /*!99999 a /*! b */ */ 'secret' FROM t
= SELECT /*!99999 a 
: SELECT
! cut doubtful open commented

* executed_with_string_end mysql
> SELECT /*!40101 'a*/', 'secret' FROM t
= SELECT /*!40101 ?
: SELECT
! cut doubtful open commented

* executed_open mysql
> SELECT a FROM t /*!40101 WHERE b = 'x'
= SELECT a FROM t /*!40101 WHERE b = ?
: SELECT t
! open commented

* variables mysql
> SELECT @a, @@session.sql_mode, @'b c', @a := 1 FROM t
= SELECT @a, @@session.sql_mode, @?, @a := ? FROM t
: SELECT t

* placeholders mysql
> SELECT * FROM t WHERE a = ? AND b = ? LIMIT ?
= SELECT * FROM t WHERE a = ? AND b = ? LIMIT ?
: SELECT t

* numbers mysql
> SELECT 1e5, 1.e5, .5, 1st, t.1 FROM t
= SELECT ?, ?, ?, ?, t.? FROM t
: SELECT t

* booleans mysql
> UPDATE t SET a = TRUE, b = b XOR false
= UPDATE t SET a = ?, b = b XOR ?
: UPDATE t

* in_list mysql
> SELECT * FROM t WHERE a IN ('x', "y", 0x1F, -1)
= SELECT * FROM t WHERE a IN (?)
: SELECT t

* gbk_backslash mysql
> SELECT '\xbf\\', 'secret'
= SELECT ?
: SELECT
! cut doubtful open

* utf8_backslash mysql
> SELECT 'é\\'s', 'x' FROM t
= SELECT ?, ? FROM t
: SELECT t

* utf8_cut_backslash mysql
> SELECT 'a\xc3\\', 'secret'
= SELECT ?
: SELECT
! cut doubtful open

* backslash_behind_anything_multibyte mysql multibyte
> SELECT '中\\', 'secret'
= SELECT ?
: SELECT
! cut doubtful open

* plain_multibyte mysql multibyte
> SELECT 'a\\'b', 'x' FROM t
= SELECT ?, ? FROM t
: SELECT t

* account mysql
> GRANT SELECT ON d.* TO 'joe'@'localhost' IDENTIFIED BY 'x'
= GRANT SELECT ON d.* TO ?@? IDENTIFIED BY ?
: GRANT

* raw mysql raw
> SELECT 'a', 1 FROM t -- b
= SELECT 'a', 1 FROM t -- b
: SELECT t
! open commented

* insert_set mysql
> INSERT IGNORE INTO t SET a = 'x', b = 2 ON DUPLICATE KEY UPDATE c = VALUES(c), d = 3
= INSERT IGNORE INTO t SET a = ?, b = ? ON DUPLICATE KEY UPDATE c = VALUES(c), d = ?
: INSERT t

* insert_high_priority mysql
> INSERT HIGH_PRIORITY INTO t VALUES (1)
= INSERT HIGH_PRIORITY INTO t VALUES (?)
: INSERT t

* update_join mysql
> UPDATE LOW_PRIORITY a JOIN b ON a.i = b.i SET a.x = 1, b.y = 2
= UPDATE LOW_PRIORITY a JOIN b ON a.i = b.i SET a.x = ?, b.y = ?
: UPDATE a b

* delete_join mysql
> DELETE a, b FROM a INNER JOIN b ON a.i = b.i WHERE a.x = 1
= DELETE a, b FROM a INNER JOIN b ON a.i = b.i WHERE a.x = ?
: DELETE a b

* replace mysql
> REPLACE INTO t (a) VALUES (REPLACE('x', 'y', 'z'))
= REPLACE INTO t (a) VALUES (REPLACE(?, ?, ?))
: REPLACE t

* straight_join mysql
> SELECT STRAIGHT_JOIN a FROM t STRAIGHT_JOIN u
= SELECT STRAIGHT_JOIN a FROM t STRAIGHT_JOIN u
: SELECT t u

* load_data mysql
> LOAD DATA LOCAL INFILE '/tmp/x' INTO TABLE t FIELDS TERMINATED BY ','
= LOAD DATA LOCAL INFILE ? INTO TABLE t FIELDS TERMINATED BY ?
: LOAD t

* lock_tables mysql
> LOCK TABLES a READ, b AS c WRITE
= LOCK TABLES a READ, b AS c WRITE
: LOCK TABLES a b

* describe mysql
> DESC t
= DESC t
: DESC t

* show mysql
> SHOW FULL TABLES FROM d LIKE 'x%'
= SHOW FULL TABLES FROM d LIKE ?
: SHOW

* procedure mysql
> CREATE PROCEDURE p(IN a INT) BEGIN IF a THEN SELECT 'x'; END IF; CASE a WHEN 1 THEN SELECT 2; END CASE; END; SELECT 3
= CREATE PROCEDURE p(IN a INT) BEGIN IF a THEN SELECT ?; END IF; CASE a WHEN ? THEN SELECT ?; END CASE; END; SELECT ?
: BATCH
# 2

* view_with_definer mysql
> CREATE DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW v AS SELECT 1
= CREATE DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW v AS SELECT ?
: CREATE VIEW v

* start_transaction mysql
> START TRANSACTION READ ONLY
= START TRANSACTION READ ONLY
: START TRANSACTION

* set_variable mysql
> SET SESSION sql_mode = 'ANSI', @a = (SELECT MAX(b) FROM t)
= SET SESSION sql_mode = ?, @a = (SELECT MAX(b) FROM t)
: SET SELECT t

* kill mysql
> KILL QUERY 17
= KILL QUERY ?
: KILL

* use mysql
> USE `shop`
= USE `shop`
: USE `shop`
