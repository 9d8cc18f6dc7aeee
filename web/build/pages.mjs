/** The three builds, each for the browsers it must run in. Where they land is the gateway's folder of static files. */
import vue from "@vitejs/plugin-vue";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const STATIC = here("../../gateway/static/");

/** Phones in citizens' hands are old; these are the oldest that still get security updates or WeChat's own kernel. */
const CITIZENS_TARGET = ["chrome87", "safari14"];

const shared = {
  configFile: false,
  logLevel: "warn",
  publicDir: false,
  resolve: { alias: { "@shared": here("../shared") } },
};

/** The citizen's page: `index.html`. */
export const citizen = {
  ...shared,
  root: here("../widget"),
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: STATIC,
    emptyOutDir: false,
    target: CITIZENS_TARGET,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
};

/** What another site puts into its pages: `widget.js`, an IIFE, since a module's names would leak into the host page. */
export const loader = {
  ...shared,
  root: here("../widget"),
  build: {
    outDir: STATIC,
    emptyOutDir: false,
    target: CITIZENS_TARGET,
    lib: { entry: here("../widget/loader.ts"), formats: ["iife"], name: "Yihao", fileName: () => "widget.js" },
  },
};

/** What a citizen's page fetches when it is wanted, each apart, so that the page is no larger: `proof.js` and so on. */
export const parts = ["proof", "call", "asked", "identity", "voice", "more", "refused", "word"].map((name) => ({
  ...shared,
  root: here("../widget"),
  build: {
    outDir: STATIC,
    emptyOutDir: false,
    target: CITIZENS_TARGET,
    lib: { entry: here(`../widget/${name}.ts`), formats: ["es"], fileName: () => `${name}.js` },
  },
}));

/** The agent's desk: `desk/index.html`. */
export const desk = {
  ...shared,
  root: here(".."),
  base: "/",
  plugins: [vue()],
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    __VUE_I18N_FULL_INSTALL__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __INTLIFY_PROD_DEVTOOLS__: "false",
  },
  build: {
    outDir: STATIC,
    emptyOutDir: false,
    target: ["chrome109", "safari16", "firefox115"],
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    rollupOptions: { input: here("../desk/index.html") },
  },
};
