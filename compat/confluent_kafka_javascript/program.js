// The program: confluent-kafka-javascript's scenarios by name.
import { createRequire } from "node:module";
import confluent from "@confluentinc/kafka-javascript";
import { consume } from "../node/consume.js";
import { groups } from "../node/groups.js";
import { serve } from "../node/harness.js";
import { member } from "../node/member.js";
import { produce } from "../node/produce.js";
import { restarts } from "../node/restarts.js";
import * as admin from "./admin.js";
import * as client from "./client.js";

const { version } = createRequire(import.meta.url)(
  "@confluentinc/kafka-javascript/package.json",
);

if (process.argv[2]) {
  await member(client, process.argv[2]);
} else {
  await serve(`${version} (librdkafka ${confluent.librdkafkaVersion})`, {
    ...produce(client),
    ...consume(client),
    ...groups(client),
    ...admin.scenarios,
    ...restarts(client),
  });
}
