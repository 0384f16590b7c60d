// The program: @platformatic/kafka's scenarios by name.
import { readFileSync } from "node:fs";
import { consume } from "../node/consume.js";
import { groups } from "../node/groups.js";
import { serve } from "../node/harness.js";
import { member } from "../node/member.js";
import { produce } from "../node/produce.js";
import { restarts } from "../node/restarts.js";
import * as admin from "./admin.js";
import * as basic from "./client.js";
import { outOfRange, pauseResume } from "./streams.js";

const client = { ...basic, outOfRange };
const { version } = JSON.parse(
  readFileSync(
    new URL("../package.json", import.meta.resolve("@platformatic/kafka")),
  ),
);

if (process.argv[2]) {
  await member(client, process.argv[2]);
} else {
  await serve(version, {
    ...produce(client),
    ...consume(client),
    ...groups(client),
    ...admin.scenarios,
    ...restarts(client),
    pause_resume: pauseResume,
  });
}
