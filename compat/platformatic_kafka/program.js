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

const [, , word, argument] = process.argv;
if (word === "member") {
  await member(client, argument);
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
