import java.net.HttpURLConnection;
import java.net.URL;

/** HttpURLConnection, one URL after the other. */
public class Urls {
    public static void main(String[] urls) throws Exception {
        for (String url : urls) {
            HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
            connection.getInputStream().readAllBytes();
        }
    }
}
