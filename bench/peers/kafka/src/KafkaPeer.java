import bench.Bench;
import bench.Consumer;
import bench.Env;
import bench.Peer;
import bench.Producer;
import bench.Settings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Apache Kafka: one node that is broker and controller, and Java clients, each in a process of its own. */
public final class KafkaPeer implements Peer {
    static final TopicPartition PARTITION = new TopicPartition("bench", 0);

    public static void main(String[] args) {
        Bench.main(new KafkaPeer(), args);
    }

    @Override
    public String name() {
        return "kafka";
    }

    @Override
    public String version() {
        return "Apache Kafka " + System.getProperty("bench.version") + ", Java " + System.getProperty("java.version");
    }

    @Override
    public boolean keeps() {
        return true;
    }

    @Override
    public boolean checksums() {
        return true; // CRC-32C of each batch of records, by the producer, the broker and the consumer
    }

    @Override
    public double warmSeconds() {
        return 10; // broker and client both have much to compile
    }

    @Override
    public String inapplicable(Settings s) {
        return s.spin ? "a Kafka consumer waits at the broker, which does not poll" : null;
    }

    @Override
    public String notes(Settings s) {
        return s.verify ? "checked by Kafka's own CRC-32C of each batch instead of xxhash64" : "Kafka's CRC-32C stays on";
    }

    /** Has the kernel choose the ports of broker and controller. */
    @Override
    public void setup(Env env) throws IOException {
        InetAddress local = InetAddress.getLoopbackAddress();
        try (ServerSocket broker = new ServerSocket(0, 1, local); ServerSocket controller = new ServerSocket(0, 1, local)) {
            env.set("broker", "127.0.0.1:" + broker.getLocalPort());
            env.set("controller", "127.0.0.1:" + controller.getLocalPort());
        }
    }

    @Override
    public boolean hasServer() {
        return true;
    }

    @Override
    public AutoCloseable serve(Env env) throws Exception {
        return Broker.start(env);
    }

    @Override
    public void produce(Env env, Producer producer) throws Exception {
        Properties p = new Properties();
        p.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, env.get("broker"));
        p.put(ProducerConfig.ACKS_CONFIG, "all");
        p.put(ProducerConfig.BATCH_SIZE_CONFIG, 128 << 10);
        p.put(ProducerConfig.LINGER_MS_CONFIG, env.settings.durable || env.settings.is("latency") ? 0 : 5);
        p.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 64 << 20);
        p.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "none");
        AtomicReference<Exception> failure = new AtomicReference<>();
        try (KafkaProducer<byte[], byte[]> client =
                new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer())) {
            client.partitionsFor(PARTITION.topic());
            byte[] payload = new byte[env.settings.size]; // send copies it
            ProducerRecord<byte[], byte[]> record =
                    new ProducerRecord<>(PARTITION.topic(), PARTITION.partition(), null, payload);
            Callback callback = (metadata, e) -> {
                if (e != null) {
                    failure.compareAndSet(null, e);
                }
            };
            producer.ready();
            while (producer.more() && failure.get() == null) {
                producer.fill(payload);
                if (env.settings.durable) {
                    client.send(record).get();
                } else {
                    client.send(record, callback);
                }
            }
            client.flush();
            producer.finish();
        }
        if (failure.get() != null) {
            throw failure.get();
        }
    }

    @Override
    public void consume(Env env, Consumer consumer) {
        Properties p = new Properties();
        p.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, env.get("broker"));
        p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        p.put(ConsumerConfig.CHECK_CRCS_CONFIG, true);
        p.put(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, 1);
        p.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 8 << 20);
        p.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000);
        try (KafkaConsumer<byte[], byte[]> client =
                new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            client.assign(List.of(PARTITION));
            client.seekToBeginning(List.of(PARTITION));
            client.position(PARTITION); // has it looked up now
            if (env.settings.is("replay")) {
                for (int i = 0; i < 3; i++) {
                    consumer.rehearse();
                    read(client, consumer);
                    client.seek(PARTITION, 0);
                }
            }
            consumer.ready();
            read(client, consumer);
        }
    }

    private static void read(KafkaConsumer<byte[], byte[]> client, Consumer consumer) {
        while (!consumer.done()) {
            for (ConsumerRecord<byte[], byte[]> record : client.poll(Duration.ofMillis(500))) {
                consumer.take(record.value());
            }
        }
    }
}
