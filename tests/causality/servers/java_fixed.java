// java_fixed - com.sun's HttpServer, a pool of 64 threads, HttpURLConnection.
// rig: needs=java javac
// rig: calls=3
// rig: warm=400
// rig: options=-Xmx512m -XX:TieredStopAtLevel=1
import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.sql.*;
import java.util.concurrent.*;

class Rig {
	interface Call { void to(URI uri) throws Exception; }
	static final ThreadLocal<Connection> connection = new ThreadLocal<>();

	public static void main(String[] arguments) throws Exception {
		String back = arguments[1], pool = System.getProperty("pool", "fixed");
		HttpClient client = HttpClient.newHttpClient();
		String database = System.getProperty("database"); // its URL, and how it sleeps
		Call call = database != null ? uri -> ask(database.replace("BACK", back), System.getProperty("sleep"), uri.getPath())
			: System.getProperty("client", "url").equals("url") ? Rig::blocking
			: uri -> client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 4096);
		server.setExecutor(pool.equals("cached") ? Executors.newCachedThreadPool()
			: pool.equals("virtual") ? (Executor) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null) // of Java 21
			: Executors.newFixedThreadPool(64));
		server.createContext("/", exchange -> {
			String[] part = exchange.getRequestURI().getPath().split("/");
			try {
				for (int i = 1; i <= Integer.parseInt(part[3]); i++) {
					pause();
					try {
						call.to(URI.create("http://127.0.0.1:" + back + "/d/" + part[2] + "/" + i));
					} finally {
						few.release();
					}
				}
			} catch (Exception e) {
				exchange.sendResponseHeaders(502, -1);
				return;
			}
			byte[] body = ("done " + part[2] + "\n").getBytes();
			exchange.sendResponseHeaders(200, body.length);
			exchange.getResponseBody().write(body);
			exchange.close();
		});
		server.start();
	}

	/* A wait that nobody sees who does not see the JVM's own scheduler: for one of so many, for a moment. */
	static final Semaphore few = new Semaphore(Integer.getInteger("few", 1 << 30));
	static final int moment = Integer.getInteger("moment", 0);

	static void pause() throws Exception {
		if (moment > 0)
			Thread.sleep(ThreadLocalRandom.current().nextInt(moment));
		few.acquire();
	}

	static void ask(String database, String sleep, String path) throws Exception {
		if (connection.get() == null)
			connection.set(DriverManager.getConnection(database));
		try (Statement statement = connection.get().createStatement();
				ResultSet answer = statement.executeQuery("SELECT '" + path + "', " + sleep)) {
			answer.next();
		}
	}

	static void blocking(URI uri) throws Exception {
		try (InputStream answer = uri.toURL().openStream()) {
			answer.readAllBytes();
		}
	}
}
