/** `npm run build`: the pages, each text file with its compressed siblings, into gateway/static. */
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "vite";
import { STATIC, citizen, desk, loader, parts } from "./pages.mjs";

const TEXT = /\.(html|js|css|svg|json|txt)$/;
/** Below this, a compressed sibling saves no packet. */
const WORTH_BYTES = 1024;

await rm(STATIC, { recursive: true, force: true });
for (const page of [citizen, loader, ...parts, desk]) await build(page);
await compress();

async function compress() {
  const files = await readdir(STATIC, { recursive: true });
  await Promise.all(files.filter((file) => TEXT.test(file)).map((file) => compressFile(join(STATIC, file))));
}

async function compressFile(path) {
  const text = await readFile(path);
  if (text.length < WORTH_BYTES) return;
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
  await writeFile(`${path}.gz`, await promisify(gzip)(text, { level: 9 }));
  await writeFile(`${path}.br`, await promisify(brotliCompress)(text, { params: quality }));
}
