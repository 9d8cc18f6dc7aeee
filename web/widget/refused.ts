/**
 * What it means that a link opens nothing, and what to do. Both languages, since nobody has chosen one yet. Fetched only
 * by a page that a link opens, beside the asking: so it is there where the network goes meanwhile.
 */
const zh = {
  forged: "这个链接无效。请从短信里完整地打开它，不要手工输入。",
  used: "这个链接已经在别的浏览器里打开过。请回到那个页面继续。如果不是您本人打开的，请直接拨打 12345。",
  expired: "这个链接已经过期。",
  over: "这次诉求已经结束，链接不再有效。",
  rate: "打开得太频繁了，请过一会儿再试。",
  failed: "网络不通，暂时打不开。请稍后刷新本页。",
  kept: "您的排队位置和已经说过的内容都不会丢失。您可以随时拨打 12345。",
};
const en: Record<keyof typeof zh, string> = {
  forged: "This link is not valid. Please open it from the text message as it is.",
  used: "This link was opened in another browser before. Go on there; if it was not you, please dial 12345.",
  expired: "This link has expired.",
  over: "The matter has ended, and the link with it.",
  rate: "Too many attempts. Please try again in a while.",
  failed: "No connection now. Please reload the page later.",
  kept: "Neither your place in line nor what you have told us is lost. You may dial 12345 at any time.",
};

const STYLE = `
.refusal { width: min(34rem, 100%); margin: var(--space-5) auto; padding: var(--space-5); font-size: 1.125rem; line-height: 1.6; }
.refusal h2 { margin: 0 0 var(--space-2); font-size: 1.25rem; }
.refusal section { margin-bottom: var(--space-5); }`;

export type Refused = Exclude<keyof typeof zh, "kept">;

/** Put it there. */
export function showRefused(at: HTMLElement, why: Refused): void {
  const told = [zh, en].map((words) => {
    const section = document.createElement("section");
    section.lang = words === zh ? "zh-CN" : "en";
    const title = document.createElement("h2");
    title.textContent = words[why];
    const kept = document.createElement("p");
    kept.textContent = words.kept;
    section.append(title, kept);
    return section;
  });
  const style = document.createElement("style");
  style.textContent = STYLE;
  at.prepend(style, ...told);
}
