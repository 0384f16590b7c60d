// A client's own test-suite, run and judged by a program of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { check } from "./harness.js";

/** What the command says of the suite, given the broker's address. */
export async function ownSuite({ bootstrap }, [program, ...command]) {
  const child = spawn(program, [...command, bootstrap], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  const [code] = await once(child, "close");
  check(code === 0, said.trim() || `the suite ended with ${code}`);
  return said.trim();
}
