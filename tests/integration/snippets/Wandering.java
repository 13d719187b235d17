// Wandering PORT BACKEND: a handler notes the request and gives its thread back; some thread of the same pool calls the
// backend and answers 5 ms later.
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.util.concurrent.*;

public class Wandering {
	public static void main(String[] args) throws Exception {
		var pool = Executors.newScheduledThreadPool(4);
		var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 1000);
		server.setExecutor(pool);
		server.createContext("/", exchange -> pool.schedule(() -> {
			try {
				var url = new URL("http://127.0.0.1:" + args[1] + exchange.getRequestURI());
				byte[] body = ((HttpURLConnection) url.openConnection()).getInputStream().readAllBytes();
				exchange.sendResponseHeaders(200, body.length);
				exchange.getResponseBody().write(body);
				exchange.close();
			} catch (Exception e) {
				e.printStackTrace();
			}
		}, 5, TimeUnit.MILLISECONDS));
		server.start();
	}
}
