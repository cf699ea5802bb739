import bench.Env;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;

/** One Kafka node, with the topic that the clients use. */
final class Broker {
    private Broker() {
    }

    static AutoCloseable start(Env env) throws IOException, InterruptedException, ExecutionException {
        Properties p = properties(env);
        Path file = env.shared.resolve("server.properties");
        try (Writer w = Files.newBufferedWriter(file)) {
            p.store(w, null);
        }
        format(file);
        KafkaRaftServer server = new KafkaRaftServer(KafkaConfig.fromProps(p, false), Time.SYSTEM);
        server.startup();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", env.get("broker")))) {
            NewTopic topic = new NewTopic(KafkaPeer.PARTITION.topic(), Optional.of(1), Optional.empty());
            if (env.settings.durable) {
                topic.configs(Map.of("flush.messages", "1"));
            }
            admin.createTopics(List.of(topic)).all().get();
        }
        return () -> { }; // its files are thrown away: no need to end it with care
    }

    private static Properties properties(Env env) {
        Properties p = new Properties();
        p.put("process.roles", "broker,controller");
        p.put("node.id", "1");
        p.put("controller.quorum.bootstrap.servers", env.get("controller"));
        p.put("controller.listener.names", "CONTROLLER");
        p.put("listeners", "PLAINTEXT://" + env.get("broker") + ",CONTROLLER://" + env.get("controller"));
        p.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
        p.put("log.dirs", env.dir.resolve("kafka").toString());
        p.put("offsets.topic.replication.factor", "1");
        p.put("transaction.state.log.replication.factor", "1");
        p.put("transaction.state.log.min.isr", "1");
        return p;
    }

    private static void format(Path properties) throws IOException {
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
        int status = StorageTool.execute(new String[] {"format", "--standalone", "-t", Uuid.randomUuid().toString(),
            "-c", properties.toString()}, nowhere);
        if (status != 0) {
            throw new IOException("kafka-storage format ended with status " + status);
        }
    }
}
