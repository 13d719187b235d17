import java.sql.*;

public class Client {
	public static void main(String[] args) throws Exception {
		Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/d1?sslmode=disable",
			System.getenv("PGUSER"), "");
		Statement s = c.createStatement();
		s.execute("create temp table t(a int primary key, b text)");
		PreparedStatement p = c.prepareStatement("insert into t values (?, ?)");
		for (int i = 0; i < 10; i++) {
			p.setInt(1, i);
			p.setString(2, "secret");
			p.executeUpdate();
		}
		try {
			p.setInt(1, 1);
			p.executeUpdate();
		} catch (SQLException e) {
			System.out.println(e.getSQLState());
		}
		for (int i = 20; i < 30; i++) {
			p.setInt(1, i);
			p.setString(2, "secret");
			p.addBatch();
		}
		System.out.println(p.executeBatch().length);
		s.execute("select 1; select 2");
		c.setAutoCommit(false);
		PreparedStatement q = c.prepareStatement("select * from t where a >= ?");
		q.setFetchSize(5);
		q.setInt(1, 0);
		ResultSet r = q.executeQuery();
		int n = 0;
		while (r.next())
			n++;
		System.out.println(n);
		r.close();
		c.commit();
		try {
			s.executeQuery("select nope");
		} catch (SQLException e) {
			System.out.println(e.getSQLState());
		}
		c.rollback();
		c.close();
	}
}
