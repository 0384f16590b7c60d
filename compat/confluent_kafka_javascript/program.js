// The program: confluent-kafka-javascript's scenarios by name.
import { createRequire } from "node:module";
import confluent from "@confluentinc/kafka-javascript";
import { consume } from "../node/consume.js";
import { groups } from "../node/groups.js";
import { serve } from "../node/harness.js";
import { member } from "../node/member.js";
import { produce } from "../node/produce.js";
import { restarts } from "../node/restarts.js";
import { ownSuite } from "../node/suite.js";
import * as admin from "./admin.js";
import * as client from "./client.js";

const { version } = createRequire(import.meta.url)(
  "@confluentinc/kafka-javascript/package.json",
);

const [, , word, ...words] = process.argv;
if (word === "member") {
  await member(client, words[0]);
} else {
  await serve(`${version} (librdkafka ${confluent.librdkafkaVersion})`, {
    ...produce(client),
    ...consume(client),
    ...groups(client),
    ...admin.scenarios,
    ...restarts(client),
    own_suite: (context) => ownSuite(context, words),
  });
}
