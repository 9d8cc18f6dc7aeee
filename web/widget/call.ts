/**
 * A call from the page, or to it (语音通话): the microphone, an offer over the chat's own socket, and what is shown of it.
 * Fetched when it is wanted, and on its own, as `proof.ts` is: it shares no code with the page, which would grow by the
 * sharing.
 *
 * The call outlives the socket, and the page: one that is loaded anew within the tab finds by `KEPT` which it was in.
 */
import { element } from "./element";

const zh = {
  title: "语音通话",
  rings: "工作人员邀请您语音通话，文字聊天不会中断",
  accept: "接听",
  decline: "拒绝",
  incoming: "☎ 来电 · ",
  missed: "有一个语音通话没有接听。可以点击“语音通话”打回，或在这里继续留言。",
  declined: "已拒绝通话，可以在这里继续留言。",
  cancelled: "工作人员已取消呼叫，可以在这里继续留言。",
  elsewhere: "已在另一个窗口接听。",
  asking: "请允许浏览器使用麦克风",
  connecting: "正在接通…",
  line: "已接入热线，正在为您转接工作人员",
  talking: "通话中",
  away: "网络不稳，正在恢复通话…",
  mute: "静音",
  muted: "已静音，对方听不到您",
  unmute: "取消静音",
  hang_up: "挂断",
  keys: "按键",
  over: "通话已结束，可以在这里继续留言。",
  lost: "通话中断了。可以再次呼叫，或在这里继续留言。",
  no_permission: "没有使用麦克风的权限。请在浏览器的地址栏或设置里允许，再次点击“语音通话”。",
  no_microphone: "没有找到麦克风。请接上麦克风或耳麦后再试。",
  insecure: "当前页面不能使用麦克风，请在新窗口中打开。",
  open: "在新窗口中打开",
  closed: "现在不是人工服务时间，请在这里留言，我们会尽快回复。",
  full: "现在线路繁忙，请稍后再试，或在这里留言。",
  one_call: "您已经在另一个窗口里通话。",
  failed: "没有接通。请稍后再试，或直接拨打 12345。",
};
const en: Record<keyof typeof zh, string> = {
  title: "Voice call",
  rings: "A member of staff is calling you; the chat stays open",
  accept: "Answer",
  decline: "Decline",
  incoming: "☎ Call · ",
  missed: "You missed a voice call. Press “Voice call” to call back, or go on here in writing.",
  declined: "You declined the call. You can go on here in writing.",
  cancelled: "The call was cancelled. You can go on here in writing.",
  elsewhere: "Answered in another window.",
  asking: "Please let the browser use your microphone",
  connecting: "Connecting…",
  line: "You are on the line; a member of staff will be with you",
  talking: "In a call",
  away: "The network is unsteady, getting the call back…",
  mute: "Mute",
  muted: "Muted: you are not heard",
  unmute: "Unmute",
  hang_up: "Hang up",
  keys: "Keys",
  over: "The call has ended. You can go on here in writing.",
  lost: "The call broke off. Call again, or go on here in writing.",
  no_permission: "The microphone is not allowed. Allow it in the browser's address bar or settings and press “Voice call” again.",
  no_microphone: "No microphone was found. Plug one in and try again.",
  insecure: "This page cannot use the microphone. Please open it in a new window.",
  open: "Open in a new window",
  closed: "Nobody answers at this hour. Leave a message here; we write back soon.",
  full: "All lines are busy. Try again later, or leave a message here.",
  one_call: "You are in a call in another window.",
  failed: "The call could not be made. Try again later, or dial 12345.",
};
type Word = keyof typeof zh;

const STYLE = `
.call { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 0.75rem; padding: 0.75rem 1rem;
  border-bottom: 1px solid var(--line); background: var(--surface); flex: none; max-height: 50vh; overflow-y: auto; }
.call p { flex: 1 1 10rem; margin: 0; }
.call time { font-variant-numeric: tabular-nums; font-weight: 600; }
.call details { flex-basis: 100%; }
.call summary { min-height: 2.75rem; line-height: 2.75rem; cursor: pointer; }
.call-keys { display: grid; grid-template-columns: repeat(3, minmax(2.75rem, 6rem)); gap: 0.375rem; }
.call [hidden], .call time:empty, .call-door[hidden] { display: none; }
.call small { display: block; }
.call[data-stage=rings] p { flex-basis: 100%; }
.call .call-accept { border-color: #1b6e36; background: #1b6e36; color: #fff; }
.call[data-stage=rings] { animation: rings 1s infinite alternate; }
@keyframes rings { to { background: var(--line); } }
@media (prefers-reduced-motion: reduce) { .call[data-stage=rings] { animation: none; } }
.call .call-end, .call .call-decline { border-color: #b3261e; background: #b3261e; color: #fff; }
.call .call-end:hover, .call .call-decline:hover { background: #8c1d18; }`;

/** What announcements offer by a key is chosen by one (RFC 4733). */
const KEYS = "123456789*0#";
const KEPT = "yihao.call";
const ANSWERED_WITHIN_MS = 15_000;
/** As China's exchanges ring (GB 3380): 450 Hz, one second of every five. */
const RING_HZ = 450;
const RING_EVERY = 5;
/** A way that is cut this long is looked for anew. */
const MENDS_ITSELF_MS = 2_500;

type Frame =
  | { readonly t: "call.answer"; readonly call: string; readonly description: string }
  | { readonly t: "call.taken"; readonly call: string }
  | { readonly t: "call.over"; readonly call: string; readonly reason: string }
  | { readonly t: "refused"; readonly code: string };

/** What of the conversation a call has to do with. */
interface Talk {
  readonly client: { send(command: object): unknown };
  readonly view: { readonly state: { readonly call: string; readonly call_failed: string | null; readonly rings: string | null } };
  watch(watcher: () => void): () => void;
  onCall: ((frame: object) => void) | null;
}

type Stage = "rings" | "asking" | "connecting" | "up" | "away" | "over";

/** One call, from the press of the button, or the first ring, until it is over. */
class Call {
  stage: Stage = "asking";
  /** Why it is over, or never was. */
  why: Word = "over";
  isMuted = false;
  private microphone: MediaStream | null = null;
  private connection: RTCPeerConnection | null = null;
  private sender: RTCRtpSender | undefined;
  private readonly speaker = new Audio();
  private waiting = 0;
  /** It was not begun here, and has not been answered yet. */
  private isRung = false;
  private silence = (): void => {};
  private unwatch = (): void => {};

  constructor(
    private readonly talk: Talk,
    private readonly draw: () => void,
    private id: string | null,
  ) {
    this.speaker.autoplay = true;
    talk.onCall = (frame) => void this.hear(frame as Frame);
  }

  /** Let it ring until somebody answers, here or elsewhere, or it is over. */
  ring(incoming: string): void {
    this.isRung = true;
    this.stage = "rings";
    this.silence = ringAloud(incoming);
    this.unwatch = this.talk.watch(() => this.ringsOn());
  }

  accept(): void {
    this.go("asking");
    void this.begin();
  }

  decline(): void {
    this.refuse("declined", "declined");
  }

  async begin(): Promise<void> {
    if (!navigator.mediaDevices || !window.RTCPeerConnection) return this.without("insecure");
    try {
      this.microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      return this.without((error as Error).name === "NotFoundError" ? "no_microphone" : "no_permission");
    }
    if (this.stage === "over") return this.release();
    this.go("connecting");
    await this.offer();
  }

  mute(): void {
    this.isMuted = !this.isMuted;
    this.microphone?.getAudioTracks().forEach((track) => (track.enabled = !this.isMuted));
    this.draw();
  }

  press(key: string): void {
    this.sender?.dtmf?.insertDTMF(key);
  }

  hangUp(): void {
    if (this.id) this.talk.client.send({ t: "call.end", call: this.id });
    this.end("over");
  }

  /** There is no microphone. Whoever calls is told, too. */
  private without(why: Word): void {
    if (this.isRung) this.refuse("no_microphone", why);
    else this.end(why);
  }

  private refuse(reason: "declined" | "no_microphone", why: Word): void {
    this.talk.client.send({ t: "call.decline", call: this.id, reason });
    this.end(why);
  }

  /** Whoever calls may give it up, also while the browser asks for the microphone. */
  private ringsOn(): void {
    const { rings, call_failed } = this.talk.view.state;
    if (!this.isRung || rings === this.id) return;
    if (this.stage === "rings" || this.stage === "asking") this.end(ENDS[call_failed ?? ""] ?? "missed");
  }

  /** Without candidates: the gateway has an address that is found, and looks for none of ours. */
  private async offer(): Promise<void> {
    this.connection?.close();
    const connection = (this.connection = new RTCPeerConnection());
    this.microphone?.getTracks().forEach((track) => (this.sender = connection.addTrack(track)));
    connection.ontrack = ({ track }) => {
      this.speaker.srcObject = new MediaStream([track]);
      void this.speaker.play();
    };
    connection.onconnectionstatechange = () => this.changed(connection);
    await connection.setLocalDescription(await connection.createOffer());
    const description = connection.localDescription?.sdp;
    this.talk.client.send({ t: "call.offer", description, call: this.id, rings: this.isRung });
    this.within(ANSWERED_WITHIN_MS, () => this.end(this.isRung ? "missed" : this.id ? "lost" : "failed"));
  }

  private changed(connection: RTCPeerConnection): void {
    if (connection !== this.connection || this.stage === "over") return;
    const state = connection.connectionState;
    if (state === "connected") {
      clearTimeout(this.waiting);
      this.go("up");
    } else if (state === "failed" || state === "disconnected") {
      this.go("away");
      this.within(state === "failed" ? 0 : MENDS_ITSELF_MS, () => void this.offer());
    }
  }

  private async hear(frame: Frame): Promise<void> {
    if (frame.t === "refused") {
      const otherwise = this.isRung ? "missed" : this.id ? "lost" : "failed";
      if (this.stage !== "up") this.end(frame.code in zh ? (frame.code as Word) : otherwise);
    } else if (frame.t === "call.taken") {
      if (frame.call === this.id && (this.stage === "rings" || this.stage === "asking")) this.end("elsewhere");
    } else if (frame.t === "call.over") {
      if (frame.call === this.id) this.end(frame.reason === "lost" || frame.reason === "node_lost" ? "lost" : "over");
    } else if (this.stage === "over") {
      this.talk.client.send({ t: "call.end", call: frame.call });
    } else {
      this.id = frame.call;
      this.isRung = false;
      keep(this.id);
      await this.connection?.setRemoteDescription({ type: "answer", sdp: frame.description });
    }
  }

  private within(ms: number, act: () => void): void {
    clearTimeout(this.waiting);
    this.waiting = window.setTimeout(act, ms);
  }

  private go(stage: Stage): void {
    this.stage = stage;
    this.silence();
    if (stage !== "asking") this.unwatch();
    this.draw();
  }

  private end(why: Word): void {
    if (this.stage === "over") return;
    this.why = why;
    keep(null);
    clearTimeout(this.waiting);
    this.release();
    this.go("over");
  }

  private release(): void {
    this.connection?.close();
    this.microphone?.getTracks().forEach((track) => track.stop());
    this.speaker.srcObject = null;
  }
}

/** How a call that rings has ended, by why it came to nothing. */
const ENDS: Record<string, Word> = { declined: "declined", no_agent: "cancelled" };

/** Ring, shake and blink; gives what ends it. A browser that nobody has touched yet is silent. */
function ringAloud(incoming: string): () => void {
  const context = window.AudioContext ? new AudioContext() : null;
  const loudness = context?.createGain();
  if (context && loudness) {
    const bell = context.createOscillator();
    bell.frequency.value = RING_HZ;
    loudness.gain.value = 0;
    bell.connect(loudness).connect(context.destination);
    bell.start();
  }
  let turn = 0;
  const beat = (): void => {
    const isLoud = turn++ % RING_EVERY === 0;
    if (context && loudness) loudness.gain.setTargetAtTime(isLoud ? 0.2 : 0, context.currentTime, 0.02);
    if (isLoud && navigator.userActivation?.hasBeenActive) navigator.vibrate?.(400);
    document.title = document.title.includes(incoming) ? document.title.replace(incoming, "") : incoming + document.title;
  };
  beat();
  const beating = setInterval(beat, 1000);
  // A frame that its host has hidden is shown: nobody answers what they do not see.
  if (window.parent !== window) window.parent.postMessage({ yihao: "ring" }, "*");
  return () => {
    clearInterval(beating);
    void context?.close().catch(() => {});
    document.title = document.title.replace(incoming, "");
  };
}

function kept(): string | null {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(id: string | null): void {
  try {
    if (id) sessionStorage.setItem(KEPT, id);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Forbidden: only a reload would lose the call.
  }
}

let running: Call | null = null;
let talkingSince = 0;

/** Call, ring, or go on with the call of before a reload (`again`), and show it there; again for another language. */
export function showCall(at: HTMLElement, talk: Talk, language: "zh" | "en", again: string | null): void {
  const words = language === "zh" ? zh : en;
  if (running && running.stage !== "over" && at.lang === language) return;
  at.lang = language;
  const told = element("p", {});
  told.setAttribute("role", "status");
  const clock = element("time", {});
  const accepting = button("accept", "act call-accept", () => running?.accept());
  const declining = button("decline", "act call-decline", () => running?.decline());
  const muting = element("button", { type: "button", className: "act" });
  const ending = element("button", { type: "button", className: "act call-end", textContent: words.hang_up });
  const elsewhere = element("a", { href: location.href, target: "_blank", rel: "noopener", textContent: words.open });
  const keys = [...KEYS].map((key) => {
    return element("button", { type: "button", className: "act", textContent: key, onclick: () => running?.press(key) });
  });
  const pad = element("details", {}, element("summary", { textContent: words.keys }), element("div", { className: "call-keys" }, ...keys));
  const panel = element("section", { className: "call" }, told, clock, accepting, declining, muting, ending, elsewhere, pad);
  panel.setAttribute("aria-label", words.title);

  /** Who is called may read another language than the page's: English stands beside Chinese. */
  function both(word: Word): Node[] {
    const isCalled = words === zh && ["rings", "accept", "decline"].includes(word);
    return [new Text(words[word]), ...(isCalled ? [element("small", { lang: "en", textContent: en[word] })] : [])];
  }
  function button(word: Word, className: string, onclick: () => void): HTMLButtonElement {
    return element("button", { type: "button", className, onclick }, ...both(word));
  }
  const draw = (): void => {
    if (!running) return;
    const { stage, why, isMuted } = running;
    const isTalking = stage === "up" && talk.view.state.call === "talking";
    const word = stage === "over" ? why : stage === "up" ? (!isTalking ? "line" : isMuted ? "muted" : "talking") : stage;
    if (told.dataset["word"] !== word) told.replaceChildren(...both(word));
    told.dataset["word"] = word;
    talkingSince = isTalking ? talkingSince || Date.now() : stage === "over" ? 0 : talkingSince;
    const seconds = Math.floor((Date.now() - talkingSince) / 1000);
    clock.textContent = talkingSince ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "";
    muting.textContent = words[isMuted ? "unmute" : "mute"];
    muting.setAttribute("aria-pressed", String(isMuted));
    const isOver = stage === "over";
    const hadFocus = panel.contains(document.activeElement);
    const door = at.parentElement?.querySelector<HTMLElement>(".call-door");
    if (door) door.hidden = !isOver;
    accepting.hidden = declining.hidden = stage !== "rings";
    muting.hidden = ending.hidden = isOver || stage === "rings";
    pad.hidden = stage !== "up";
    if (isOver && hadFocus) door?.focus();
    elsewhere.hidden = why !== "insecure" || !isOver;
    panel.dataset["stage"] = isTalking ? "talking" : stage;
  };
  muting.onclick = () => running?.mute();
  ending.onclick = () => running?.hangUp();
  const ticking = setInterval(() => (panel.isConnected ? draw() : clearInterval(ticking)), 1000);
  const stop = talk.watch(() => (panel.isConnected ? draw() : stop()));
  at.replaceChildren(element("style", { textContent: STYLE }), panel);
  if (!running || running.stage === "over") {
    running = new Call(talk, () => redraw(), again);
    if (again && again === talk.view.state.rings && again !== kept()) running.ring(words.incoming);
    else void running.begin();
  }
  redraw = draw;
  draw();
  if (!again) ending.focus();
}

let redraw = (): void => {};
