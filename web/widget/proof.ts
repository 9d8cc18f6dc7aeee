/**
 * Who one is (身份核验): a number by a code that is sent to it, or WeChat by a scan. Nobody has to, so it is fetched only
 * when it is opened, and stands on its own: it shares no code with the page, which would grow by the sharing.
 */
import { element } from "./element";

type Ask = (what: "send" | "prove" | "scan", body: object) => Promise<{ error?: string; svg?: string }>;

const zh = {
  why: "核验后，您的电话、短信和微信会接在一起，不必重复说明。",
  number: "手机号",
  send: "发送验证码",
  sent: "验证码已发送，5 分钟内有效。",
  code: "6 位验证码",
  confirm: "确定",
  other: "换个号码",
  done: "已核验，谢谢。",
  scan: "到微信里继续",
  scan_now: "请用微信扫描二维码，在微信里继续这个对话；10 分钟内有效，请勿让他人扫描",
  bad_number: "这不是能收短信的手机号。",
  wrong_code: "验证码不对或已过期。",
  code_spent: "输错次数过多，请重新获取验证码。",
  too_many_codes: "获取得太频繁，请稍后再试。",
  no_code: "现在不能用微信核验。",
  failed: "没有成功，请稍后再试。",
  call_ask: "请给我打电话",
  call_anyone: "不等了，换一位坐席打给我",
  call_waiting: "即将给您打电话，请留意手机；这个对话不会中断。",
  call_ringing: "正在拨打您的电话，请接听。",
  call_line: "您的电话已接入，正在为您转接工作人员。",
  call_talking: "通话中，您仍可以在这里发送文字和图片。",
  call_busy: "刚才给您打电话时占线，可以在这里继续。",
  call_no_answer: "刚才给您打电话无人接听，可以在这里继续。",
  call_failed: "电话没有打通，可以在这里继续。",
  number_unproven: "请先核验手机号，我们只拨打经过核验的号码。",
};
const en: Record<keyof typeof zh, string> = {
  why: "Your calls, texts and WeChat are then one matter; you need not explain it again.",
  number: "Mobile number",
  send: "Send a code",
  sent: "A code was sent; it is good for 5 minutes.",
  code: "6-digit code",
  confirm: "Confirm",
  other: "Another number",
  done: "Verified, thank you.",
  scan: "Go on in WeChat",
  scan_now: "Scan this with WeChat within 10 minutes to go on there; let nobody else scan it",
  bad_number: "This number cannot take texts.",
  wrong_code: "The code is wrong or too old.",
  code_spent: "Too many wrong tries; ask for a new code.",
  too_many_codes: "Too often; please try again later.",
  no_code: "WeChat cannot be used for this now.",
  failed: "That did not work; please try again later.",
  call_ask: "Call me",
  call_anyone: "Let another agent call me instead",
  call_waiting: "We will call you in a moment; this chat stays open.",
  call_ringing: "We are calling you now, please pick up.",
  call_line: "You are on the line; a member of staff will be with you.",
  call_talking: "You are on the phone; you can still write and send pictures here.",
  call_busy: "Your line was busy; let us go on here.",
  call_no_answer: "Nobody answered our call; let us go on here.",
  call_failed: "The call came to nothing; let us go on here.",
  number_unproven: "Please verify your number first: we only call numbers that are proven.",
};

const STYLE = `
.proof { padding: 0 1rem 0.5rem; }
.proof form { display: flex; flex-wrap: wrap; align-items: end; gap: 0.5rem; margin-bottom: 0.5rem; }
.proof label { flex: 1 1 10rem; min-width: 0; }
.proof input { width: 100%; min-height: 2.75rem; padding: 0 0.75rem; border: 1px solid var(--line-strong); border-radius: 0.5rem;
  background: var(--surface); color: inherit; font: inherit; }
.proof img { display: block; width: 12rem; margin: 0.5rem 0; background: #fff; }
.proof [hidden] { display: none; }`;

/** What of the conversation a call has to do with. */
interface Talk {
  readonly prove: Ask;
  readonly view: {
    readonly state: { readonly phase: string; readonly call: string; readonly call_failed: string | null };
  };
  readonly client: { send(command: object): unknown };
  watch(watcher: () => void): () => void;
}

/** Put it where it was opened; again for another language. */
export function show(at: HTMLElement, talk: Talk, language: "zh" | "en"): void {
  const words = language === "zh" ? zh : en;
  const told = element("p", {});
  told.setAttribute("role", "status");
  const picture = element("img", { alt: words.scan_now, hidden: true });
  const tell = (word: keyof typeof zh) => (told.textContent = words[word]);

  async function tried(what: Parameters<Ask>[0], body: object, done: keyof typeof zh): Promise<boolean> {
    const { error, svg } = await talk.prove(what, body);
    tell(error === undefined ? done : error in zh ? (error as keyof typeof zh) : "failed");
    if (svg) {
      picture.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
      picture.hidden = false;
    }
    return error === undefined;
  }

  const number = element("input", { type: "tel", autocomplete: "tel", maxLength: 32, required: true });
  const code = element("input", { inputMode: "numeric", autocomplete: "one-time-code", maxLength: 6, pattern: "[0-9]{6}", required: true });
  const sending = element("form", {}, element("label", { textContent: words.number }, number), button(words.send, "act act-main"));
  const other = button(words.other, "act act-quiet", () => turn(false));
  const proving = element("form", { hidden: true }, element("label", { textContent: words.code }, code), button(words.confirm, "act act-main"), other);

  function turn(isSent: boolean): void {
    sending.hidden = isSent;
    proving.hidden = !isSent;
    (isSent ? code : number).focus();
  }
  sending.onsubmit = (event) => {
    event.preventDefault();
    void tried("send", { number: number.value }, "sent").then((isSent) => isSent && turn(true));
  };
  proving.onsubmit = (event) => {
    event.preventDefault();
    void tried("prove", { code: code.value }, "done").then((isDone) => isDone && turn(false));
  };
  const scan = button(words.scan, "act", () => void tried("scan", {}, "scan_now"));
  const why = element("p", { textContent: words.why });
  at.replaceChildren(element("style", { textContent: STYLE }), element("div", { className: "proof" }, why, sending, proving, scan, picture, told, ...calling(talk, words)));
}

/** The chat becomes a call: the wish, how far it has come, and that it came to nothing. */
function calling(talk: Talk, words: Record<keyof typeof zh, string>): Node[] {
  const told = element("p", {});
  told.setAttribute("role", "status");
  const wish = button(words.call_ask, "act", () => talk.client.send({ t: "call.ask", anyone: isWaitingForOne() }));
  const isWaitingForOne = () => talk.view.state.call === "waiting" && talk.view.state.phase === "talking";
  const draw = () => {
    const { state } = talk.view;
    const failed = state.call_failed;
    const reason = failed === "number_unproven" ? failed : `call_${failed}` in zh ? `call_${failed}` : "call_failed";
    const isCalling = state.phase !== "new" && state.call !== "none";
    const word = isCalling ? `call_${state.call}` : failed ? reason : null;
    told.textContent = word ? words[word as keyof typeof zh] : "";
    wish.textContent = words[isWaitingForOne() ? "call_anyone" : "call_ask"];
    wish.hidden = ["new", "ended"].includes(state.phase) || (state.call !== "none" && !isWaitingForOne());
  };
  const stop = talk.watch(() => (told.isConnected ? draw() : stop()));
  draw();
  return [wish, told];
}

function button(words: string, className: string, onclick?: () => void): HTMLButtonElement {
  return element("button", { type: onclick ? "button" : "submit", className, textContent: words, onclick: onclick ?? null });
}
