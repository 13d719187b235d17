import java.sql.*;

public class Client {
	public static void main(String[] args) throws Exception {
		Connection db = DriverManager.getConnection("jdbc:mariadb://127.0.0.1:" + args[0]
			+ "/d1?user=t&password=pw&allowMultiQueries=true" + args[1]);
		PreparedStatement stmt = db.prepareStatement("select v from t where id = ?");
		for (int id = 1; id < 4; id++) {
			stmt.setInt(1, id);
			ResultSet rows = stmt.executeQuery();
			rows.next();
			System.out.println(rows.getString(1));
		}
		stmt.close();
		Statement plain = db.createStatement();
		try {
			plain.execute("insert into t values (1, 'x')");
		} catch (SQLException e) {
			System.out.println(e.getErrorCode());
		}
		plain.execute("create temporary table many(i int)");
		stmt = db.prepareStatement("insert into many values (?)");
		for (int i = 0; i < 200; i++) {
			stmt.setInt(1, i);
			stmt.addBatch();
		}
		System.out.println(stmt.executeBatch().length);
		stmt.close();
		db.setCatalog("mysql");
		plain.executeQuery("select 4");
		db.close();
	}
}
