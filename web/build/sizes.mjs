/** `npm run sizes`: what a citizen's phone must load, held to its budget. Reads what `npm run build` has made. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { STATIC } from "./pages.mjs";

const LOADER_BYTES = 1.5 * 1024;
const FIRST_OPEN_BYTES = 25 * 1024;

const zipped = async (file) => gzipSync(await readFile(join(STATIC, file)), { level: 9 }).length;

const page = await readFile(join(STATIC, "index.html"), "utf8");
const linked = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, file]) => file);
const firstOpen = (await Promise.all(["index.html", ...linked].map(zipped))).reduce((sum, size) => sum + size, 0);

const over = [
  report("widget.js (loader)", await zipped("widget.js"), LOADER_BYTES),
  report("citizen's first open", firstOpen, FIRST_OPEN_BYTES),
];
if (over.includes(true)) process.exit(1);

function report(name, size, budget) {
  const isOver = size > budget;
  console.log(`${name}: ${size} of ${budget} bytes gz${isOver ? ": over its budget" : ""}`);
  return isOver;
}
