/**
 * `npm run webview`: what a citizen's phone is given runs in the oldest browsers that it may have (`CITIZENS_TARGET`: WeChat's
 * kernel of Chrome 87, Safari 14). Reads what `npm run build` has made: its syntax, and the interfaces that it uses by name.
 *
 * Vite lowers syntax and adds nothing: a method that the browser does not know is ours to leave alone, or to ask for first.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "@babel/parser";
import { STATIC, parts } from "./pages.mjs";

/** Syntax that Safari 14.0 or Chrome 87 cannot read; one such token, and nothing of the file runs. */
const SYNTAX = {
  ClassPrivateProperty: "private fields (Safari 14.1)",
  ClassPrivateMethod: "private methods (Safari 15)",
  StaticBlock: "static blocks (Chrome 94, Safari 16.4)",
  ImportAttribute: "import attributes (Chrome 123, Safari 17.2)",
};
/** Interfaces that came later than both, by the names under which they are used. */
const LATER = new Set([
  ...["at", "findLast", "findLastIndex", "toSorted", "toReversed", "toSpliced", "fromAsync", "hasOwn", "groupBy"],
  ...["isWellFormed", "toWellFormed", "withResolvers", "structuredClone", "randomUUID", "WeakRef", "FinalizationRegistry"],
  ...["requestIdleCallback", "scheduler", "BroadcastChannel", "Segmenter", "canParse", "timeout", "checkVisibility", "inert"],
  ...["adoptedStyleSheets", "showModal", "showPopover", "startViewTransition", "locks", "MediaRecorder", "AudioWorkletNode"],
  ...["setSinkId", "reportError", "CompressionStream", "URLPattern", "OffscreenCanvas", "wakeLock", "navigation"],
]);
/** Where one is asked for before it is used, and what happens without it. */
const ASKED_FOR_FIRST = {
  showModal: "standing.tsx opens the dialog by hand",
  MediaRecorder: "voice.ts says that the browser cannot record",
};
/** What a style sheet may not lean on: without it the page would be unusable, not only plainer. */
const STYLES = /@layer|@container|@scope|:has\(|color-mix\(|oklch\(|aspect-ratio:|subgrid|&\s*[.:>]/g;

const page = await readFile(join(STATIC, "index.html"), "utf8");
const linked = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, file]) => file);
const fetched = parts.map(({ build }) => build.lib.fileName());
const files = ["widget.js", ...fetched, ...linked];

const faults = (await Promise.all(files.map(faultsOf))).flat();
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
console.log(`${files.length} files of the citizen's page run in Chrome 87 and Safari 14`);

async function faultsOf(file) {
  const text = await readFile(join(STATIC, file), "utf8");
  if (file.endsWith(".css")) return [...text.matchAll(STYLES)].map(([found]) => `${file}: ${found} in a style sheet`);
  if (!file.endsWith(".js")) return [];
  const found = new Set();
  walk(parse(text, { sourceType: file === "widget.js" ? "script" : "module" }).program, found);
  return [...found].map((what) => `${file}: ${what}`);
}

function walk(node, found) {
  if (node.type in SYNTAX) found.add(SYNTAX[node.type]);
  if (node.type === "RegExpLiteral" && /\(\?<[=!]/.test(node.pattern)) found.add("lookbehind in a pattern (Safari 16.4)");
  if (node.type === "RegExpLiteral" && /[dv]/.test(node.flags)) found.add(`a pattern's flag ${node.flags} (Safari 15, 17)`);
  const name = nameOf(node);
  if (name && LATER.has(name) && !(name in ASKED_FOR_FIRST)) found.add(`${name} is not known there`);
  for (const part of Object.values(node)) {
    if (Array.isArray(part)) for (const one of part) one?.type && walk(one, found);
    else if (part?.type) walk(part, found);
  }
}

/** What is read of an object by its name, or is a name of all; a name that the file itself gives (`at = …`) is its own. */
function nameOf(node) {
  const isMember = ["MemberExpression", "OptionalMemberExpression"].includes(node.type) && !node.computed;
  if (isMember) return node.property.name;
  return node.type === "NewExpression" || node.type === "CallExpression" ? node.callee.name : undefined;
}
