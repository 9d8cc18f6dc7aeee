/**
 * What stands behind the plus: emoji, where one is, and the conversation to keep (保存对话). Fetched when it is wanted, and on
 * its own, as `proof.ts` is.
 */
import { element } from "./element";

const zh = {
  title: "更多",
  emoji: "表情",
  place: "发送我的位置",
  placing: "正在定位…",
  save: "保存对话记录",
  copy: "复制对话记录",
  copied: "已复制，可以粘贴到别处保存。",
  failed: "没有成功，请再试一次。",
  close: "收起",
  head: "12345 政务服务便民热线 对话记录",
  citizen: "我",
  agent: "人工",
  bot: "机器人",
  system: "系统",
  file: "文件",
  location: "位置",
};
const en: Record<keyof typeof zh, string> = {
  title: "More",
  emoji: "Emoji",
  place: "Send my location",
  placing: "Finding the place…",
  save: "Save the chat",
  copy: "Copy the chat",
  copied: "Copied; paste it where you keep it.",
  failed: "That did not work, please try again.",
  close: "Close",
  head: "12345 Citizen Service Hotline, chat",
  citizen: "me",
  agent: "staff",
  bot: "robot",
  system: "system",
  file: "file",
  location: "location",
};

/** Those that one needs when something is broken, or was mended; with their names, since a screen reader says them. */
const EMOJI: readonly (readonly [string, string, string])[] = [
  ["😊", "微笑", "smile"],
  ["👍", "赞", "thumbs up"],
  ["🙏", "感谢", "thanks"],
  ["🌹", "玫瑰", "rose"],
  ["👌", "好的", "okay"],
  ["👏", "鼓掌", "applause"],
  ["😟", "担心", "worried"],
  ["😢", "难过", "sad"],
  ["😡", "生气", "angry"],
  ["😷", "生病", "ill"],
  ["❓", "疑问", "question"],
  ["❗", "紧急", "urgent"],
  ["🚰", "用水", "water"],
  ["💡", "照明", "light"],
  ["🔥", "失火", "fire"],
  ["🚗", "车辆", "car"],
  ["🏠", "房屋", "house"],
  ["📷", "照片", "photograph"],
];

const STYLE = `
.more { max-height: 50vh; margin-bottom: 0.5rem; padding: 0.5rem 0.75rem; overflow-y: auto; border: 1px solid var(--line-strong);
  border-radius: var(--radius); background: var(--surface-2); }
.more-emoji { display: grid; grid-template-columns: repeat(auto-fill, minmax(3.75rem, 1fr)); }
.more-emoji button { min-height: 3.75rem; border: 0; border-radius: var(--radius); background: none; font-size: 1.75rem; cursor: pointer; }
.more-emoji button:hover { background: var(--blue-soft); }
.more-acts { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.more p { margin: 0.5rem 0 0; }
.more p:empty { display: none; }`;

/** A message, as far as a record of the talk tells of it. */
interface Said {
  readonly from: "citizen" | "agent" | "bot" | "system";
  readonly name: string;
  readonly ts: number;
  readonly text: string | null;
  readonly file: { readonly name: string } | null;
  readonly location: { readonly latitude: number; readonly longitude: number } | null;
}

/** What of the conversation it has to do with. */
interface Talk {
  readonly view: { readonly locating: boolean; readonly bubbles: readonly Said[] };
  watch(watcher: () => void): () => void;
  sendLocation(): Promise<void>;
}

/** Put it there, or take it away where it stands. `put` puts an emoji behind what is being written. */
export function showMore(at: HTMLElement, talk: Talk, put: (text: string) => void): void {
  const opener = document.activeElement as HTMLElement | null;
  const close = (): void => {
    at.replaceChildren();
    opener?.focus();
  };
  if (at.firstChild) return close();
  const told = element("p", {});
  told.setAttribute("role", "status");
  const isEnglish = document.documentElement.lang === "en";
  const faces = EMOJI.map(([emoji, name, english]) => {
    const one = button(emoji, "", () => put(emoji));
    one.setAttribute("aria-label", isEnglish ? english : name);
    return one;
  });
  const emoji = element("div", { className: "more-emoji" }, ...faces);
  emoji.setAttribute("role", "group");
  emoji.setAttribute("aria-label", said("emoji"));
  const place = button(said("place"), "act", () => void talk.sendLocation());
  const draw = (): void => {
    place.disabled = talk.view.locating;
    place.textContent = said(talk.view.locating ? "placing" : "place");
  };
  const copy = async (): Promise<void> => {
    const isDone = await navigator.clipboard?.writeText(record(talk.view.bubbles)).then(
      () => true,
      () => false,
    );
    told.textContent = said(isDone ? "copied" : "failed");
  };
  const acts = element("div", { className: "more-acts" }, place, button(said("save"), "act more-save", () => keep(record(talk.view.bubbles))));
  // WeChat's browser saves no files.
  acts.append(button(said("copy"), "act", () => void copy()), button(said("close"), "act act-quiet", close));
  const panel = element("section", { className: "more" }, emoji, acts, told);
  panel.setAttribute("aria-label", said("title"));
  panel.onkeydown = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // the frame around it stays open
    close();
  };
  at.replaceChildren(element("style", { textContent: STYLE }), panel);
  const stop = talk.watch(() => (panel.isConnected ? draw() : stop()));
  draw();
  faces[0]?.focus();
}

/** The talk as text: one line a message, with when and by whom. */
function record(bubbles: readonly Said[]): string {
  const lines = bubbles.map(({ from, name, ts, text, file, location }) => {
    const who = from === "citizen" || !name ? said(from) : `${said(from)} ${name}`;
    const what = text ?? (file ? `[${said("file")} ${file.name}]` : location ? `[${said("location")} ${location.latitude}, ${location.longitude}]` : "");
    return `${new Date(ts * 1000).toLocaleString(document.documentElement.lang)}  ${who}: ${what}`;
  });
  return [said("head"), "", ...lines, ""].join("\r\n");
}

function keep(text: string): void {
  const link = element("a", { href: URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/plain" })), download: "12345.txt" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** In the language of the page as it is now. */
function said(word: keyof typeof zh): string {
  return (document.documentElement.lang === "en" ? en : zh)[word];
}

function button(words: string, className: string, onclick: () => void): HTMLButtonElement {
  return element("button", { type: "button", className, textContent: words, onclick });
}
