// The program: kafkajs's scenarios by name.
import { createRequire } from "node:module";
import { consume } from "../node/consume.js";
import { groups } from "../node/groups.js";
import { serve } from "../node/harness.js";
import { member } from "../node/member.js";
import { produce } from "../node/produce.js";
import { restarts } from "../node/restarts.js";
import * as admin from "./admin.js";
import * as client from "./client.js";

const { version } = createRequire(import.meta.url)("kafkajs/package.json");
// kafkajs has no static members and no cooperative assignor.
const { static_member, cooperative, ...possible } = groups(client);

const [, , word, argument] = process.argv;
if (word === "member") {
  await member(client, argument);
} else {
  await serve(version, {
    ...produce(client),
    ...consume(client),
    ...possible,
    ...admin.scenarios,
    ...restarts(client),
  });
}
