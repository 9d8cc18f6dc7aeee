/**
 * Every word that a page says stands in a table of its language: `const zh = {…}`, and `const en = {…}` beside it or in the
 * file next to it. So a page that speaks English says nothing in Chinese, and a test may ask the table what a page says.
 *
 * Fails for Chinese anywhere else in a page's source, for a word that one of both tables does not have, for one whose
 * places (`{time}`) differ, and for English that is Chinese.
 */
import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "@babel/parser";
import { parse as parseComponent } from "vue/compiler-sfc";

const WEB = fileURLToPath(new URL("..", import.meta.url));
/** Its characters, and the signs that stand between them. */
const CHINESE = /[\u3400-\u9fff\u3001\u3002\u300c\u300d\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]/;
/** What holds words of both languages, or what is kept in Chinese whatever the page speaks. */
const TABLES = new Set(["zh", "en", "EMOJI", "SUBJECTS"]);
/** The sign of the switch of languages. */
const MEANT = new Set(["文"]);
/** What is said in the other language on purpose: its own name, and the page's in it. */
const OTHER = new Set(["language", "other_language", "other_title"]);

const files = (await Promise.all(["desk", "widget", "shared"].map(sourcesIn))).flat();
const tables = { zh: new Map(), en: new Map() };
const faults = (await Promise.all(files.map(faultsOf))).flat();
for (const [word, said] of tables.zh) faults.push(...differences(word, said, tables.en.get(word)));
for (const word of tables.en.keys()) if (!tables.zh.has(word)) faults.push(`${word} is said in English only`);
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
console.log(`${tables.zh.size} words, each in Chinese and in English, and none beside the tables`);

async function sourcesIn(folder) {
  const names = await readdir(`${WEB}${folder}`, { recursive: true });
  return names.filter((name) => /\.(ts|tsx|vue)$/.test(name)).map((name) => `${folder}/${name}`);
}

async function faultsOf(file) {
  const source = await readFile(`${WEB}${file}`, "utf8");
  const found = [];
  const plugins = file.endsWith(".tsx") ? ["typescript", "jsx"] : ["typescript"];
  const script = (text) => walk(parse(text, { sourceType: "module", plugins }).program, file, found);
  if (file.endsWith(".vue")) {
    const { script: plain, scriptSetup, template } = parseComponent(source).descriptor;
    for (const part of [plain, scriptSetup]) if (part) script(part.content);
    if (template) shown(template.ast, found);
  } else script(source);
  return found.filter((text) => CHINESE.test(text) && !MEANT.has(text.trim())).map((text) => `${file}: “${text.trim()}” stands in no table`);
}

/** Every text of a script, but of its tables. */
function walk(node, file, found) {
  const name = node.id?.name ?? node.key?.name;
  if (TABLES.has(name) && (node.type === "VariableDeclarator" || node.type === "ObjectProperty")) {
    if (node.type === "VariableDeclarator" && name in tables) collect(node.init, table(file), tables[name]);
    return;
  }
  if (node.type === "StringLiteral" || node.type === "JSXText") found.push(node.value);
  if (node.type === "TemplateElement") found.push(node.value.raw);
  for (const part of Object.values(node)) {
    if (Array.isArray(part)) for (const one of part) one?.type && walk(one, file, found);
    else if (part?.type) walk(part, file, found);
  }
}

/** Every text of a component's template: between its tags, in its attributes, in what is reckoned. */
function shown(node, found) {
  if (typeof node.content === "string") found.push(node.type === 3 ? "" : node.content);
  else if (node.content) found.push(node.content.content);
  for (const { value, exp } of node.props ?? []) found.push(value?.content ?? exp?.content ?? "");
  for (const child of node.children ?? []) shown(child, found);
}

/** The desk's first table lies in two files, one a language. */
function table(file) {
  return file.replace(/words\/(zh|en)\.ts$/, "words");
}

function collect(node, path, said) {
  if (node.type === "ObjectExpression") for (const { key, value } of node.properties) collect(value, `${path} ${key.name ?? key.value}`, said);
  else if (node.type === "ArrayExpression") node.elements.forEach((one, place) => collect(one, `${path} ${place}`, said));
  else if (node.type === "StringLiteral") said.set(path, node.value);
}

function differences(word, zh, en) {
  if (en === undefined) return [`${word} is said in Chinese only`];
  if (CHINESE.test(en) && !OTHER.has(word.split(" ").at(-1))) return [`${word} is Chinese in English: “${en}”`];
  const places = (text) => [...new Set(text.match(/\{\w+\}/g))].sort().join();
  return places(zh) === places(en) ? [] : [`${word} has other places in Chinese than in English`];
}
