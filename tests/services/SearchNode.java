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
 * stops the node and starts it again with its data, after "start" with further settings (NAME=VALUE); it ends when its standard input does.
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
        Node node = start(home, port, new String[0]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("stop")) {
                node.close();
                System.out.println("stopped");
            } else if (words[0].equals("start")) {
                node = start(home, port, words);
            }
        }
        node.close();
        System.exit(0);
    }

    /** Starts a node; of the words those with a "=" are settings. */
    private static Node start(Path home, int port, String[] words) throws Exception {
        Settings.Builder settings = Settings.builder()
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
            .put("cluster.routing.allocation.disk.threshold_enabled", false);
        for (String word : words) {
            String[] setting = word.split("=", 2);
            if (setting.length == 2) {
                settings.put(setting[0], setting[1]);
            }
        }
        Node node = new OneNode(settings.build(), home);
        node.start();
        System.out.println("ready " + port + " " + ProcessHandle.current().pid());
        return node;
    }
}
