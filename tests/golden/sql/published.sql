* numeric_literal_integers generic
> SELECT 12, -12, +12
= SELECT ?, ?, ?
: SELECT

* numeric_literal_with_decimal_point generic
> SELECT 12.34, -12.34, +12.34, .01, -.01
= SELECT ?, ?, ?, ?, ?
: SELECT

* numeric_literal_exponential generic
> SELECT 12.34e56, -12.34e56, +12.34e56
= SELECT ?, ?, ?
: SELECT

* numeric_literal_negative_exponential generic
> SELECT 12.34e-56, -12.34e-56, +12.34e-56
= SELECT ?, ?, ?
: SELECT

* arithmetic_on_numeric_literals generic
> SELECT 99+100
= SELECT ??
: SELECT

* hex_literal generic
> SELECT 0xDEADBEEF, 0XdeadBEEF
= SELECT ?, ?
: SELECT

* string_literal generic
> SELECT 'hello'
= SELECT ?
: SELECT

* string_literal_escaped_single_quote generic
> SELECT 'My name''s not important'
= SELECT ?
: SELECT

* string_with_embedded_newline generic
> SELECT 'My name is \n not important'
= SELECT ?
: SELECT

* numbers_in_identifiers generic
> SELECT c3po, r2d2 FROM covid19 WHERE n1h1=1234
= SELECT c3po, r2d2 FROM covid19 WHERE n1h1=?
: SELECT covid19

* periods_in_identifiers generic
> SELECT a FROM dbo.Table JOIN dbo.AnotherTable
= SELECT a FROM dbo.Table JOIN dbo.AnotherTable
: SELECT dbo.Table dbo.AnotherTable

* insert_into generic
> INSERT INTO X VALUES(1, 23456, 123.456, 99+100)
= INSERT INTO X VALUES(?, ?, ?, ??)
: INSERT X

* uuid generic
> SELECT { guid '01234567-89ab-cdef-0123-456789abcdef' }
= SELECT { guid ? }
: SELECT

* in_clause generic
> SELECT * FROM table WHERE value IN (123, 456, 'abc')
= SELECT * FROM table WHERE value IN (?)
= SELECT * FROM table WHERE value IN (?, ?, ?)
: SELECT table

* comments generic
> SELECT column -- end of line comment\nFROM /* block \n comment */ table
= SELECT column \nFROM  table
: SELECT table
! commented

* insert_into_select generic
> INSERT INTO shipping_details\n(order_id,\naddress)\nSELECT order_id,\naddress\nFROM   orders\nWHERE  order_id = 1
= INSERT INTO shipping_details\n(order_id,\naddress)\nSELECT order_id,\naddress\nFROM   orders\nWHERE  order_id = ?
: INSERT shipping_details SELECT orders

* select_nested_query generic
> SELECT order_date\nFROM   (SELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)
= SELECT order_date\nFROM   (SELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)
: SELECT SELECT orders customers

* select_nested_query_case_preserved generic
> SELEcT order_date\nFROM   (sELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)
= SELEcT order_date\nFROM   (sELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)
: SELEcT sELECT orders customers

* case_preserved generic
> SELEcT order_date\nFROM ORders
= SELEcT order_date\nFROM ORders
: SELEcT ORders

* cross_join generic
> SELECT * FROM Orders o CROSS JOIN OrderDetails od
= SELECT * FROM Orders o CROSS JOIN OrderDetails od
: SELECT Orders OrderDetails

* cross_join_comma_separated_syntax generic
> SELECT * FROM Orders o, OrderDetails od
= SELECT * FROM Orders o, OrderDetails od
: SELECT Orders OrderDetails

* create_table generic
> CREATE  TABLE MyTable (\n    ID NOT NULL IDENTITY(1,1) PRIMARY KEY\n)
= CREATE  TABLE MyTable (\n    ID NOT NULL IDENTITY(?,?) PRIMARY KEY\n)
: CREATE TABLE MyTable

* alter_table generic
> ALTER  TABLE MyTable ADD Name varchar(255)
= ALTER  TABLE MyTable ADD Name varchar(?)
= ALTER  TABLE MyTable ADD Name varchar(255)
: ALTER TABLE MyTable

* drop_table generic
> DROP  TABLE MyTable
= DROP  TABLE MyTable
: DROP TABLE MyTable

* keyword_prefix_for_target generic
> SELECT * FROM SelectedData
= SELECT * FROM SelectedData
: SELECT SelectedData

* summary_truncated generic
> SELECT * FROM Vecnzotjejucwitzgrfifscuevittljlnrlpbruvkezeptqciyvbjhsytmbucbhwttidayecnthaztxbyppbyztcqccedeirgkxzrfezjxfwbtuqxeusroqgbvulgmsvnelovkxqsaqmlogomkhtjuirzhaocxlrmerihnmwaelullionarkmxwdamhduwrbooknqsnilurutgyerxphokeqnnoumbpcfjtmqrbpukjllofiwaltyoawkp o, OrderDetails od
= SELECT * FROM Vecnzotjejucwitzgrfifscuevittljlnrlpbruvkezeptqciyvbjhsytmbucbhwttidayecnthaztxbyppbyztcqccedeirgkxzrfezjxfwbtuqxeusroqgbvulgmsvnelovkxqsaqmlogomkhtjuirzhaocxlrmerihnmwaelullionarkmxwdamhduwrbooknqsnilurutgyerxphokeqnnoumbpcfjtmqrbpukjllofiwaltyoawkp o, OrderDetails od
: SELECT

* create_unique_clustered_index generic
> CREATE UNIQUE CLUSTERED INDEX IX_Employee_Email ON Employees (Email);
= CREATE UNIQUE CLUSTERED INDEX IX_Employee_Email ON Employees (Email);
: CREATE INDEX IX_Employee_Email

* create_unique_index generic
> CREATE UNIQUE INDEX IX_Employee_Email ON Employees (Email);
= CREATE UNIQUE INDEX IX_Employee_Email ON Employees (Email);
: CREATE INDEX IX_Employee_Email

* select_distinct generic
> SELECT DISTINCT Country FROM Countries
= SELECT DISTINCT Country FROM Countries
: SELECT Countries

* select_distinct_with_join generic
> SELECT DISTINCT o.Id FROM Orders o JOIN Customers c ON o.CustomerId = c.Id
= SELECT DISTINCT o.Id FROM Orders o JOIN Customers c ON o.CustomerId = c.Id
: SELECT Orders Customers

* create_table_with_if_not_exists generic
> CREATE TABLE IF NOT EXISTS Users (Id INT PRIMARY KEY, Name NVARCHAR(100));
= CREATE TABLE IF NOT EXISTS Users (Id INT PRIMARY KEY, Name NVARCHAR(?));
: CREATE TABLE Users

* create_view_with_select generic
> CREATE VIEW ActiveUsers AS SELECT * FROM Users WHERE IsActive = 1;
= CREATE VIEW ActiveUsers AS SELECT * FROM Users WHERE IsActive = ?;
: CREATE VIEW ActiveUsers

* alter_table_add_column generic
> ALTER TABLE Orders ADD COLUMN OrderStatus NVARCHAR(50);
= ALTER TABLE Orders ADD COLUMN OrderStatus NVARCHAR(?);
: ALTER TABLE Orders

* alter_table_rename_column generic
> ALTER TABLE Orders RENAME COLUMN OldName TO NewName;
= ALTER TABLE Orders RENAME COLUMN OldName TO NewName;
: ALTER TABLE Orders

* create_procedure_with_params generic
> CREATE PROCEDURE GetUserById @UserId INT AS SELECT * FROM Users WHERE Id = @UserId;
= CREATE PROCEDURE GetUserById @UserId INT AS SELECT * FROM Users WHERE Id = @UserId;
: CREATE PROCEDURE GetUserById

* alter_view_as_select generic
> ALTER VIEW ActiveUsers AS SELECT * FROM Users WHERE IsActive = 1;
= ALTER VIEW ActiveUsers AS SELECT * FROM Users WHERE IsActive = ?;
: ALTER VIEW ActiveUsers

* create_trigger_on_table generic
> CREATE TRIGGER trg_UpdateTimestamp ON Orders AFTER UPDATE AS BEGIN UPDATE Orders SET UpdatedAt = GETDATE() WHERE Id IN (SELECT Id FROM inserted); END;
= CREATE TRIGGER trg_UpdateTimestamp ON Orders AFTER UPDATE AS BEGIN UPDATE Orders SET UpdatedAt = GETDATE() WHERE Id IN (SELECT Id FROM inserted); END;
: CREATE TRIGGER trg_UpdateTimestamp

* alter_procedure_with_params generic
> ALTER PROCEDURE UpdateUserEmail @UserId INT, @Email NVARCHAR(100) AS UPDATE Users SET Email = @Email WHERE Id = @UserId;
= ALTER PROCEDURE UpdateUserEmail @UserId INT, @Email NVARCHAR(?) AS UPDATE Users SET Email = @Email WHERE Id = @UserId;
: ALTER PROCEDURE UpdateUserEmail

* create_index_with_include generic
> CREATE INDEX IX_Orders_CustomerId ON Orders (CustomerId) INCLUDE (OrderDate, TotalAmount);
= CREATE INDEX IX_Orders_CustomerId ON Orders (CustomerId) INCLUDE (OrderDate, TotalAmount);
: CREATE INDEX IX_Orders_CustomerId

* alter_table_drop_column generic
> ALTER TABLE Orders DROP COLUMN TempColumn;
= ALTER TABLE Orders DROP COLUMN TempColumn;
: ALTER TABLE Orders

* drop_trigger generic
> DROP TRIGGER IF EXISTS trg_AfterInsert;
= DROP TRIGGER IF EXISTS trg_AfterInsert;
: DROP TRIGGER trg_AfterInsert

* alter_trigger generic
> ALTER TRIGGER trg_AfterInsert ON Employees AFTER INSERT AS BEGIN INSERT INTO AuditLog (EmployeeId, Action) SELECT Id, 'INSERT' FROM inserted; END;
= ALTER TRIGGER trg_AfterInsert ON Employees AFTER INSERT AS BEGIN INSERT INTO AuditLog (EmployeeId, Action) SELECT Id, ? FROM inserted; END;
: ALTER TRIGGER trg_AfterInsert

* create_procedure_with_multiple_params generic
> CREATE PROCEDURE AddEmployee @Name NVARCHAR(100), @Email NVARCHAR(100) AS INSERT INTO Employees (Name, Email) VALUES (@Name, @Email);
= CREATE PROCEDURE AddEmployee @Name NVARCHAR(?), @Email NVARCHAR(?) AS INSERT INTO Employees (Name, Email) VALUES (@Name, @Email);
: CREATE PROCEDURE AddEmployee

* drop_procedure generic
> DROP PROCEDURE IF EXISTS RemoveEmployee;
= DROP PROCEDURE IF EXISTS RemoveEmployee;
: DROP PROCEDURE RemoveEmployee

* alter_procedure_add_param generic
> ALTER PROCEDURE UpdateEmployeeEmail @EmployeeId INT, @Email NVARCHAR(100) AS UPDATE Employees SET Email = @Email WHERE Id = @EmployeeId;
= ALTER PROCEDURE UpdateEmployeeEmail @EmployeeId INT, @Email NVARCHAR(?) AS UPDATE Employees SET Email = @Email WHERE Id = @EmployeeId;
: ALTER PROCEDURE UpdateEmployeeEmail

* select_with_multiple_joins_and_group_by generic
> SELECT o.Id, c.Name, SUM(oi.Quantity) FROM Orders o JOIN Customers c ON o.CustomerId = c.Id JOIN OrderItems oi ON o.Id = oi.OrderId GROUP BY o.Id, c.Name;
= SELECT o.Id, c.Name, SUM(oi.Quantity) FROM Orders o JOIN Customers c ON o.CustomerId = c.Id JOIN OrderItems oi ON o.Id = oi.OrderId GROUP BY o.Id, c.Name;
: SELECT Orders Customers OrderItems

* select_with_distinct_and_window_function generic
> SELECT DISTINCT Department, COUNT(*) OVER (PARTITION BY Department) AS DeptCount FROM Employees;
= SELECT DISTINCT Department, COUNT(*) OVER (PARTITION BY Department) AS DeptCount FROM Employees;
: SELECT Employees

* select_with_union_and_order_by generic
> SELECT Id, Name FROM Customers UNION SELECT Id, Name FROM Suppliers ORDER BY Name;
= SELECT Id, Name FROM Customers UNION SELECT Id, Name FROM Suppliers ORDER BY Name;
: SELECT Customers Suppliers

* create_database generic
> CREATE DATABASE TestDb;
= CREATE DATABASE TestDb;
: CREATE DATABASE TestDb

* alter_database generic
> ALTER DATABASE TestDb MODIFY NAME = NewTestDb;
= ALTER DATABASE TestDb MODIFY NAME = NewTestDb;
: ALTER DATABASE TestDb

* drop_database generic
> DROP DATABASE IF EXISTS TestDb;
= DROP DATABASE IF EXISTS TestDb;
: DROP DATABASE TestDb

* create_schema generic
> CREATE SCHEMA Reporting;
= CREATE SCHEMA Reporting;
: CREATE SCHEMA Reporting

* alter_schema generic
> ALTER SCHEMA Reporting TRANSFER dbo.OldTable;
= ALTER SCHEMA Reporting TRANSFER dbo.OldTable;
: ALTER SCHEMA Reporting

* drop_schema generic
> DROP SCHEMA IF EXISTS Reporting;
= DROP SCHEMA IF EXISTS Reporting;
: DROP SCHEMA Reporting

* create_sequence generic
> CREATE SEQUENCE SalesSeq START WITH 1 INCREMENT BY 1;
= CREATE SEQUENCE SalesSeq START WITH ? INCREMENT BY ?;
: CREATE SEQUENCE SalesSeq

* alter_sequence generic
> ALTER SEQUENCE SalesSeq RESTART WITH 100;
= ALTER SEQUENCE SalesSeq RESTART WITH ?;
: ALTER SEQUENCE SalesSeq

* drop_sequence generic
> DROP SEQUENCE SalesSeq;
= DROP SEQUENCE SalesSeq;
: DROP SEQUENCE SalesSeq

* create_function_tsql generic
> CREATE FUNCTION dbo.GetTotal(@a INT, @b INT) RETURNS INT AS BEGIN RETURN @a + @b; END;
= CREATE FUNCTION dbo.GetTotal(@a INT, @b INT) RETURNS INT AS BEGIN RETURN @a + @b; END;
: CREATE FUNCTION dbo.GetTotal

* alter_function_tsql generic
> ALTER FUNCTION dbo.GetTotal(@a INT, @b INT) RETURNS INT AS BEGIN RETURN @a * @b; END;
= ALTER FUNCTION dbo.GetTotal(@a INT, @b INT) RETURNS INT AS BEGIN RETURN @a * @b; END;
: ALTER FUNCTION dbo.GetTotal

* drop_function_tsql generic
> DROP FUNCTION dbo.GetTotal;
= DROP FUNCTION dbo.GetTotal;
: DROP FUNCTION dbo.GetTotal

* create_user generic
> CREATE USER johndoe WITH PASSWORD = 'password';
= CREATE USER johndoe WITH PASSWORD = ?;
: CREATE USER johndoe

* alter_user generic
> ALTER USER johndoe WITH PASSWORD = 'newpassword';
= ALTER USER johndoe WITH PASSWORD = ?;
: ALTER USER johndoe

* drop_user generic
> DROP USER IF EXISTS johndoe;
= DROP USER IF EXISTS johndoe;
: DROP USER johndoe

* create_role generic
> CREATE ROLE app_admin;
= CREATE ROLE app_admin;
: CREATE ROLE app_admin

* alter_role generic
> ALTER ROLE app_admin ADD MEMBER johndoe;
= ALTER ROLE app_admin ADD MEMBER johndoe;
: ALTER ROLE app_admin

* drop_role generic
> DROP ROLE IF EXISTS app_admin;
= DROP ROLE IF EXISTS app_admin;
: DROP ROLE app_admin

* alter_index generic
> ALTER INDEX IX_Employee_Email ON Employees REBUILD;
= ALTER INDEX IX_Employee_Email ON Employees REBUILD;
: ALTER INDEX IX_Employee_Email

* exec_sp_rename_table_tsql generic
> EXEC sp_rename 'OldTable', 'NewTable';
= EXEC sp_rename ?, ?;
: EXEC sp_rename

* exec_stored_procedure_no_params generic
> EXEC GetAllEmployees;
= EXEC GetAllEmployees;
: EXEC GetAllEmployees

* exec_stored_procedure_with_params generic
> EXEC GetEmployeeById @EmployeeId = 42;
= EXEC GetEmployeeById @EmployeeId = ?;
: EXEC GetEmployeeById

* insert_values_parenthesized_number generic
> INSERT INTO T (A) VALUES (123)
= INSERT INTO T (A) VALUES (?)
: INSERT T

* parenthesized_constant_select generic
> SELECT (123) AS C;
= SELECT (?) AS C;
: SELECT

* update_set_parenthesized_constant generic
> UPDATE T SET A = (999);
= UPDATE T SET A = (?);
: UPDATE T

* create_table_default_parenthesized_constant generic
> CREATE TABLE T (A INT DEFAULT (123));
= CREATE TABLE T (A INT DEFAULT (?));
: CREATE TABLE T

* nested_parentheses_constant_select generic
> SELECT ((123)) AS C;
= SELECT ((?)) AS C;
: SELECT

* function_arg_parenthesized_constant generic
> SELECT ABS((123));
= SELECT ABS((?));
: SELECT

* between_parenthesized_constants generic
> SELECT * FROM T WHERE Amount BETWEEN (10) AND (20);
= SELECT * FROM T WHERE Amount BETWEEN (?) AND (?);
: SELECT T

* coalesce_first_arg_parenthesized_constant generic
> SELECT * FROM T WHERE Id = COALESCE((123), 0);
= SELECT * FROM T WHERE Id = COALESCE((?), ?);
: SELECT T

* cast_parenthesized_constant generic
> SELECT CAST((123) AS INT);
= SELECT CAST((?) AS INT);
: SELECT

* valid_type_length_specifiers_varchar_char generic
> CREATE TABLE Table (Name VARCHAR(255), Code CHAR(10));
= CREATE TABLE Table (Name VARCHAR(?), Code CHAR(?));
: CREATE TABLE Table

* valid_type_length_specifiers_varbinary_datetime2_time generic
> CREATE TABLE Table (Payload VARBINARY(16), EventTime DATETIME2(7), Duration TIME(7));
= CREATE TABLE Table (Payload VARBINARY(?), EventTime DATETIME2(?), Duration TIME(?));
: CREATE TABLE Table

* valid_top_with_parentheses generic
> SELECT TOP (10) * FROM Employees
= SELECT TOP (?) * FROM Employees
: SELECT Employees

* sanitized_top_without_parentheses generic
> SELECT TOP 10 * FROM Employees
= SELECT TOP ? * FROM Employees
: SELECT Employees

* in_clause_starting_with_negative_literal generic
> SELECT * FROM table WHERE value IN (-123, .456, 'abc', 0.12, 1e10)
= SELECT * FROM table WHERE value IN (?)
= SELECT * FROM table WHERE value IN (?, ?, ?, ?, ?)
: SELECT table

* in_clause_starting_with_hex_literal generic
> SELECT * FROM table WHERE value IN (0xAB, .456, 'abc', 0.12, 1e10)
= SELECT * FROM table WHERE value IN (?)
= SELECT * FROM table WHERE value IN (?, ?, ?, ?, ?)
: SELECT table

* in_clause_starting_with_string_literal generic
> SELECT * FROM table WHERE value IN ('abc', 0xAB, .456, 0.12, 1e10)
= SELECT * FROM table WHERE value IN (?)
= SELECT * FROM table WHERE value IN (?, ?, ?, ?, ?)
: SELECT table

* malformed_in_clause generic
> SELECT * FROM table WHERE value IN ('abc', 0xAB, .456,
= SELECT * FROM table WHERE value IN (?, ?, ?,
: SELECT table

* malformed_alter_table_example_one generic
> ALTER  TABLE MyTable ADD Name varchar(255) 'mypassword' 1234
= ALTER  TABLE MyTable ADD Name varchar(?) ? ?
: ALTER TABLE MyTable

* malformed_alter_table_example_two generic
> ALTER  TABLE MyTable 'mypassword' ADD 123 Name varchar(255)
= ALTER  TABLE MyTable ? ADD ? Name varchar(?)
: ALTER TABLE MyTable
