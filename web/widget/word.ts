/**
 * Where nobody answers now, out of hours or in a full line, one leaves word (留言): what it is about, and where one may be
 * called, and by which name. Fetched only then, and on its own, as `proof.ts` is. What is sent without a connection lies in the page's outbox.
 */
import { element } from "./element";

const zh = {
  closed: "现在不是人工服务时间",
  full: "现在咨询的人很多",
  why: "请留言，工作人员会逐条办理并答复。",
  about: "您要反映的事情",
  hint: "请写清楚时间、地点和经过",
  name: "怎么称呼您",
  name_why: "（可不填）",
  number: "联系电话",
  number_why: "工作人员会打这个电话答复您。",
  optional: "（已核验过手机号，可不填）",
  send: "提交留言",
  sending: "正在提交…",
  kept: "没有连上网络。您的留言已保存在这个页面里，一天内连上网络就会自动提交，不用再写一遍。",
  received: "已收到您的留言。",
  from: "工作人员将从{time}起办理并答复您。",
  free: "工作人员一有空就办理并答复您。",
  more: "还要补充，直接在下面写就可以。",
};
const en: Record<keyof typeof zh, string> = {
  closed: "Our staff are not here at this hour",
  full: "Very many people are writing to us now",
  why: "Please leave word: our staff work off every message and answer it.",
  about: "What it is about",
  hint: "Say when and where it happened",
  name: "Your name",
  name_why: " (optional)",
  number: "Your telephone number",
  number_why: "Our staff call this number to answer you.",
  optional: " (optional: you have verified one)",
  send: "Leave word",
  sending: "Sending…",
  kept: "There is no connection. Your words are kept in this page and go by themselves once it is back within a day; you need not write them again.",
  received: "We have received your words.",
  from: "Our staff take them up from {time} on, and answer you.",
  free: "Our staff take them up as soon as somebody is free, and answer you.",
  more: "To add something, just write below.",
};

const STYLE = `
.word { width: min(34rem, 100%); margin: var(--space-4) auto 0; padding: var(--space-4) var(--space-5); border: 1px solid var(--line);
  border-radius: var(--radius-large); background: var(--surface); }
.word h2 { margin: 0 0 var(--space-2); font-size: 1.25rem; }
.word p { margin: 0 0 var(--space-3); }
.word p:empty, .word [hidden] { display: none; }
.word label { display: grid; gap: var(--space-2); margin-bottom: var(--space-3); font-weight: 600; }
.word small { font-size: 1rem; font-weight: 400; color: var(--ink-2); }
.word textarea, .word input { width: 100%; min-height: 3.75rem; padding: var(--space-2) var(--space-3); border: 1px solid var(--line-strong);
  border-radius: var(--radius); background: var(--surface); color: inherit; font: inherit; }
.word textarea { min-height: 7.5rem; resize: vertical; }
.word .act { min-height: 3.75rem; font-size: 1.125rem; }
.nobody-there .standing-new .standing-who { visibility: hidden; }`;

/** The number's line is added to the words by the gateway. */
const LONGEST = 3_800;
const LONGEST_NAME = 64;
const NUMBER = "[0-9+\\(\\) \\-]{5,32}";

/** What of the conversation it has to do with. */
interface Talk {
  readonly view: {
    readonly link: string;
    readonly state: { readonly phase: string };
    readonly absence?: { readonly why: "closed" | "full"; readonly until: number | null; readonly reached: boolean } | null;
  };
  readonly outbox: { readonly pending: readonly { readonly command: { readonly t: string } }[] };
  readonly client: { send(command: object): unknown };
  watch(watcher: () => void): () => void;
}

/** Put it there; again for another language, with what is written in it. */
export function show(at: HTMLElement, talk: Talk, language: "zh" | "en"): void {
  const words = language === "zh" ? zh : en;
  const { absence } = talk.view;
  if (!absence) return;
  const [written, called, named] = [...at.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>("textarea, input")].map(({ value }) => value);
  const about = element("textarea", { rows: 4, required: true, maxLength: LONGEST, placeholder: words.hint, value: written ?? "" });
  const number = element("input", { type: "tel", autocomplete: "tel", maxLength: 32, pattern: NUMBER, required: !absence.reached, value: called ?? "" });
  const send = element("button", { className: "act act-main", textContent: words.send });
  const why = element("small", { textContent: words.number_why + (absence.reached ? words.optional : "") });
  const name = element("input", { autocomplete: "name", maxLength: LONGEST_NAME, value: named ?? "" });
  const optional = element("small", { textContent: words.name_why });
  const form = element("form", {}, label(words.about, about), label(words.number, number, why), label(words.name, name, optional), send);
  const title = element("h2", { textContent: words[absence.why] });
  const reason = element("p", { textContent: words.why });
  const told = element("p", {});
  told.setAttribute("role", "status");
  const section = element("section", { className: "word" }, title, reason, form, told);
  section.setAttribute("aria-label", words.send);

  const draw = (): void => {
    const { link, state } = talk.view;
    const isOnItsWay = talk.outbox.pending.some(({ command }) => command.t === "word.leave");
    const isReceived = state.phase === "parked" && !isOnItsWay;
    // Whoever talks to somebody, or waits for them in the page, needs no form.
    section.hidden = state.phase === "talking" || state.phase === "waiting";
    // Above it the page would say that somebody is there.
    document.body.classList.toggle("nobody-there", !section.hidden);
    title.hidden = reason.hidden = form.hidden = isOnItsWay || isReceived;
    const receipt = `${words.received}${language === "en" ? " " : ""}${answered(absence.until, words, language)}${language === "en" ? " " : ""}${words.more}`;
    const now = isReceived ? receipt : isOnItsWay ? words[link === "open" && navigator.onLine ? "sending" : "kept"] : "";
    if (told.textContent !== now) told.textContent = now;
    if (isReceived) about.value = "";
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!about.value.trim()) return about.focus();
    talk.client.send({ t: "word.leave", about: about.value.trim(), number: number.value.trim(), name: name.value.trim() });
    draw();
  };
  at.replaceChildren(element("style", { textContent: STYLE }), section);
  const stop = talk.watch(() => (section.isConnected ? draw() : stop()));
  draw();
}

/** From when on it is worked off, by the hotline's own clock. */
function answered(until: number | null, words: typeof zh, language: "zh" | "en"): string {
  if (until === null) return words.free;
  const form = { timeZone: "Asia/Shanghai", month: "long", day: "numeric", weekday: "long", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  return words.from.replace("{time}", new Date(until * 1000).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", form));
}

function label(text: string, ...parts: Node[]): HTMLLabelElement {
  return element("label", { textContent: text }, ...parts);
}
