// java_fixed - com.sun's HttpServer, a pool of 64 threads, HttpURLConnection.
// rig: needs=java javac
// rig: calls=3
// rig: warm=400
// rig: options=-Xmx512m -XX:TieredStopAtLevel=1
import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.util.concurrent.*;

class Rig {
	interface Call { void to(URI uri) throws Exception; }

	public static void main(String[] arguments) throws Exception {
		String back = arguments[1], pool = System.getProperty("pool", "fixed");
		HttpClient client = HttpClient.newHttpClient();
		Call call = System.getProperty("client", "url").equals("url") ? Rig::blocking
			: uri -> client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 4096);
		server.setExecutor(pool.equals("cached") ? Executors.newCachedThreadPool() : Executors.newFixedThreadPool(64));
		server.createContext("/", exchange -> {
			String[] part = exchange.getRequestURI().getPath().split("/");
			try {
				for (int i = 1; i <= Integer.parseInt(part[3]); i++)
					call.to(URI.create("http://127.0.0.1:" + back + "/d/" + part[2] + "/" + i));
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

	static void blocking(URI uri) throws Exception {
		try (InputStream answer = uri.toURL().openStream()) {
			answer.readAllBytes();
		}
	}
}
