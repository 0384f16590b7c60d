import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.zip.ZipFile;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.Readable;

/**
 * Apache Kafka's own message classes as an oracle.
 *
 * Input lines:  message name, version, bytes in hex (tab separated).
 * Output lines: how many bytes were read, the bytes Kafka writes for what it read, the same as JSON;
 *               or "error" and the reason.
 * With the argument "errors": the error codes and their names.
 * With the argument "defaults": class, field and value of every field of a new message or nested struct.
 */
public class Oracle {
    private static final HexFormat HEX = HexFormat.of();

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        if (arguments.length == 1 && arguments[0].equals("errors")) {
            for (Errors error : Errors.values()) out.println(error.code() + "\t" + error.name());
        } else if (arguments.length == 1 && arguments[0].equals("defaults")) {
            for (String converter : converters().values()) {
                Class<?> type = Class.forName(converter.substring(0, converter.length() - "JsonConverter".length()));
                String name = type.getSimpleName().replaceFirst("(Request|Response|Header)Data$", "$1");
                defaults(out, name, type);
                for (Class<?> nested : type.getDeclaredClasses())
                    if (Message.class.isAssignableFrom(nested)) defaults(out, name + "." + nested.getSimpleName(), nested);
            }
        } else {
            Map<String, String> converters = converters();
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
            for (String line = in.readLine(); line != null; line = in.readLine()) out.println(answer(converters, line));
        }
        out.flush();
    }

    /** Simple name of a message class to the full name of its JSON converter. */
    private static Map<String, String> converters() throws Exception {
        Map<String, String> found = new HashMap<>();
        for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!path.contains("org/apache/kafka") || !path.endsWith(".jar")) continue;
            try (ZipFile jar = new ZipFile(path)) {
                for (var entry : Collections.list(jar.entries())) {
                    String name = entry.getName();
                    if (!name.endsWith("JsonConverter.class") || name.contains("$")) continue;
                    String full = name.substring(0, name.length() - ".class".length()).replace('/', '.');
                    String simple = full.substring(full.lastIndexOf('.') + 1);
                    found.put(simple.substring(0, simple.length() - "JsonConverter".length()), full);
                }
            }
        }
        return found;
    }

    private static void defaults(PrintStream out, String name, Class<?> type) throws Exception {
        Constructor<?> constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        Object made = constructor.newInstance();
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.getName().equals("_unknownTaggedFields")) continue;
            if (field.getName().equals("next") || field.getName().equals("prev")) continue;
            field.setAccessible(true);
            out.println(name + "\t" + field.getName() + "\t" + words(field.get(made)));
        }
    }

    private static String words(Object value) {
        if (value instanceof String text) return '"' + text + '"';
        if (value instanceof byte[] bytes) return "bytes " + bytes.length;
        if (value instanceof ByteBuffer buffer) return "bytes " + buffer.remaining();
        return value instanceof Message ? "{}" : String.valueOf(value);
    }

    private static String answer(Map<String, String> converters, String line) {
        String[] words = line.split("\t", -1);
        short version = Short.parseShort(words[1]);
        ByteBuffer buffer = ByteBuffer.wrap(HEX.parseHex(words[2]));
        try {
            String name = converters.containsKey(words[0]) ? words[0] : words[0] + "Data";
            Class<?> converter = Class.forName(converters.get(name));
            String full = converter.getName();
            Class<?> type = Class.forName(full.substring(0, full.length() - "JsonConverter".length()));
            Constructor<?> constructor = type.getConstructor(Readable.class, short.class);
            Message message = (Message) constructor.newInstance(new ByteBufferAccessor(buffer), version);
            int read = buffer.position();
            ByteBuffer written = MessageUtil.toByteBufferAccessor(message, version).buffer();
            byte[] bytes = new byte[written.remaining()];
            written.get(bytes);
            Method write = converter.getMethod("write", type, short.class, boolean.class);
            JsonNode json = (JsonNode) write.invoke(null, message, version, false);
            return read + "\t" + HEX.formatHex(bytes) + "\t" + json;
        } catch (ReflectiveOperationException | RuntimeException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            return "error\t" + cause.toString().replaceAll("\\s+", " ");
        }
    }
}
