// Builds a policy written in JavaScript or TypeScript into a component: node build.mjs ENTRY.js|ENTRY.ts OUT.wasm
//
// The tool is the npm package componentize-qjs: the JavaScript engine QuickJS and the policy as they stand after loading, so that an instance
// begins in a fraction of a millisecond. TypeScript is checked by `typescript` and made one script by `esbuild` first. They must be installed
// where ENTRY or this file can find them. `gridbell plugin build` runs this file.
//
// One thing is done that the tool alone does not do. It hands a script 64-bit numbers as doubles, and the calendar's words of 64 days do
// not fit into one; so the policy is built against a contract in which such a word is a pair of 32-bit halves, which lies in memory in the
// same way, and the component's type is then set back to the contract's.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const WORDS = "bits: list<u64>";
const HALVES = "bits: list<tuple<u32, u32>>";

/** The contract: beside this file in a project of its own, else where the repository has it. */
function contract() {
  const file = [join(HERE, "policy.wit"), join(HERE, "../../../wit/policy.wit")].find(existsSync);
  if (!file) throw new Error(`policy.wit is missing beside ${HERE}`);
  const text = readFileSync(file, "utf8");
  if (!text.includes(WORDS)) throw new Error(`${file} has no \`${WORDS}\`: it is of another version than this SDK`);
  return text.replace(WORDS, HALVES);
}

/** The path of a package's entry, looked for from the policy's folder, from this one, and from where the command runs. */
function found(name, entry) {
  for (const from of [entry, join(HERE, "build.mjs"), join(process.cwd(), "x.js")]) {
    try {
      return createRequire(from).resolve(name);
    } catch (problem) {
      if (problem.code !== "MODULE_NOT_FOUND") throw problem;
    }
  }
  throw new Error(`${name.split("/")[0]} is missing: run \`npm install\` in the project's folder, which needs Node.js 18 or later`);
}

async function tool(name, entry) {
  const module = await import(pathToFileURL(found(name, entry)).href);
  return { ...module.default, ...module };
}

/** TypeScript as one script, after its types were checked by the project's own tsconfig.json. */
async function script(entry) {
  if (!entry.endsWith(".ts")) return readFileSync(entry, "utf8");
  const { bin } = JSON.parse(readFileSync(found("typescript/package.json", entry), "utf8"));
  const tsc = join(dirname(found("typescript/package.json", entry)), bin.tsc);
  const checked = spawnSync(process.execPath, [tsc, "--noEmit", "-p", dirname(entry)], { encoding: "utf8" });
  if (checked.status !== 0) throw new Error((checked.stdout + checked.stderr).trim());
  const esbuild = await tool("esbuild", entry);
  const options = { entryPoints: [entry], bundle: true, write: false, format: "esm", platform: "neutral", target: "es2022", logLevel: "silent" };
  return (await esbuild.build(options)).outputFiles[0].text;
}

export async function build(given, out) {
  const entry = resolve(given);
  if (!existsSync(entry)) throw new Error(`${given} does not exist`);
  const { componentize } = await tool("componentize-qjs", entry);
  const work = mkdtempSync(join(tmpdir(), "gridbell-js-"));
  try {
    writeFileSync(join(work, "policy.wit"), contract());
    const { component } = await componentize({
      witPath: join(work, "policy.wit"),
      jsSource: await script(entry),
      jsPath: entry,
      moduleRoot: rootOf(entry),
      world: "policy",
      stubWasi: true,
      // A batch is over before its memory is worth collecting.
      disableGc: true,
      sync: true,
    });
    writeFileSync(out, withWords(component));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The folder under which both the policy and this SDK lie: modules are loaded from nowhere else. */
function rootOf(entry) {
  let root = dirname(entry);
  while (relative(root, HERE).startsWith("..")) root = dirname(root);
  return root;
}

// ---- Halves back to words, in the component's types. ----

const TYPES = 7;
const COMPONENT = 4;
// `tuple<u32, u32>` and `list<…>` as types are written, and the number that stands for u64.
const TUPLE_OF_HALVES = [0x6f, 0x02, 0x79, 0x79];
const LIST = 0x70;
const U64 = 0x77;

function withWords(component) {
  const bytes = Uint8Array.from(component);
  if (sections(bytes, 8, bytes.length) === 0) throw new Error("the component has no calendar: componentize-qjs writes types in another way now");
  return bytes;
}

/** Goes through a component's sections, nested components included; returns how many lists of halves it set back. */
function sections(bytes, from, to) {
  let done = 0;
  for (let at = from; at < to; ) {
    const id = bytes[at];
    const [size, begin] = number(bytes, at + 1);
    if (id === COMPONENT) done += sections(bytes, begin + 8, begin + size);
    if (id === TYPES) done += lists(bytes, begin, begin + size);
    at = begin + size;
  }
  return done;
}

/** A list right behind the tuple of halves is the calendar's: nothing else in the contract is one. */
function lists(bytes, from, to) {
  let done = 0;
  for (let at = from; at + 4 < to; at++) {
    if (!TUPLE_OF_HALVES.every((byte, n) => bytes[at + n] === byte)) continue;
    // In the type of an instance each declaration begins with 1; a type's index below 64 is one byte.
    const list = bytes[at + 4] === 0x01 ? at + 5 : at + 4;
    if (bytes[list] === LIST && bytes[list + 1] < 0x40) {
      bytes[list + 1] = U64;
      done++;
    }
  }
  return done;
}

/** An unsigned LEB128 number and where what follows it begins. */
function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [entry, out] = process.argv.slice(2);
  if (!entry || !out) {
    console.error("usage: node build.mjs ENTRY.js|ENTRY.ts OUT.wasm");
    process.exit(2);
  }
  try {
    await build(entry, out);
  } catch (problem) {
    console.error(problem.message);
    process.exit(1);
  }
}
