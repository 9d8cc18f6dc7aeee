/**
 * What a caller was asked for: pictures, and where it is. Two large buttons, since they hold the telephone besides.
 * Fetched only by a page that a link opens for it, and on its own, as `proof.ts` is.
 */
import { element } from "./element";

const zh = {
  title: "工作人员请您发送现场照片和位置，通话可以继续。",
  picture: "发照片",
  location: "发送位置",
  locating: "正在定位…",
};
const en: Record<keyof typeof zh, string> = {
  title: "Please send pictures of the place, and where it is. You can go on talking.",
  picture: "Send pictures",
  location: "Send my location",
  locating: "Finding the place…",
};

const STYLE = `
.asked { flex: none; padding: var(--space-3) var(--space-4); border-top: 1px solid var(--line); background: var(--surface); }
.asked p { margin: 0 0 var(--space-2); }
.asked-acts { display: grid; grid-template-columns: 1fr 1fr; gap: var(--space-3); }
.asked-acts .act { min-height: 3.25rem; font-size: 1.125rem; }`;

/** What of the conversation it has to do with. */
interface Talk {
  readonly view: { readonly locating: boolean };
  watch(watcher: () => void): () => void;
  attach(file: File): Promise<unknown>;
  sendLocation(): Promise<void>;
}

/** Put it there; again for another language. */
export function show(at: HTMLElement, talk: Talk, language: "zh" | "en"): void {
  const words = language === "zh" ? zh : en;
  const chooser = element("input", { type: "file", id: "asked-pictures", accept: "image/*", multiple: true, hidden: true });
  chooser.onchange = () => {
    for (const file of chooser.files ?? []) void talk.attach(file);
    chooser.value = "";
  };
  const picture = button(words.picture, () => chooser.click());
  const place = button(words.location, () => void talk.sendLocation());
  const draw = (): void => {
    place.disabled = talk.view.locating;
    place.textContent = words[talk.view.locating ? "locating" : "location"];
  };
  const acts = element("div", { className: "asked-acts" }, picture, place);
  const section = element("section", { className: "asked" }, element("p", { textContent: words.title }), acts, chooser);
  section.setAttribute("aria-label", words.title);
  at.replaceChildren(element("style", { textContent: STYLE }), section);
  const stop = talk.watch(() => (section.isConnected ? draw() : stop()));
  draw();
}

function button(words: string, onclick: () => void): HTMLButtonElement {
  return element("button", { type: "button", className: "act act-main", textContent: words, onclick });
}
