import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/**
 * One OpenSearch node on 127.0.0.1, without security: arguments are the HTTP port and a folder. A line "stop" or "start" on standard input
 * stops the node and starts it again with its data; it ends when its standard input does.
 */
public final class SearchNode {
    /** Node's constructor that takes plugins from the class path is protected. */
    private static final class OneNode extends Node {
        OneNode(Settings settings, Path home) {
            super(new Environment(settings, home.resolve("config")), List.of(Netty4Plugin.class), false);
        }
    }

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        Path home = Path.of(arguments[1]).toAbsolutePath();
        Files.createDirectories(home.resolve("config"));
        Settings settings = Settings.builder()
            .put("path.home", home.toString())
            .put("cluster.name", "flumen-tests")
            .put("node.name", "one")
            .put("discovery.type", "single-node")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .put("network.host", "127.0.0.1")
            .put("http.port", port)
            .put("transport.port", 0)
            // A nearly full disk of the machine must not make the index read-only in the middle of a test.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Node node = start(settings, home, port);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            if (line.equals("stop")) {
                node.close();
                System.out.println("stopped");
            } else if (line.equals("start")) {
                node = start(settings, home, port);
            }
        }
        node.close();
        System.exit(0);
    }

    private static Node start(Settings settings, Path home, int port) throws Exception {
        Node node = new OneNode(settings, home);
        node.start();
        System.out.println("ready " + port);
        return node;
    }
}
