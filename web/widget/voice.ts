/**
 * Voice notes (语音留言): recorded in the page, heard before they are sent, and played. Fetched when one is wanted, and on
 * its own, as `proof.ts` is.
 */
import { element } from "./element";

const zh = {
  title: "语音留言",
  asking: "请允许浏览器使用麦克风",
  recording: "正在录音，最长 {s} 秒",
  ending: "还能录 10 秒",
  ready: "录好了。可以先听一遍，再发送。",
  sending: "正在发送…",
  stop: "说完了",
  send: "发送",
  again: "重新录",
  cancel: "取消",
  play: "播放",
  pause: "暂停",
  where: "播放进度",
  unplayable: "这个浏览器放不出这段录音。",
  save: "保存",
  note: "语音留言{s}秒",
  too_short: "录音太短，没有录下来。请按“重新录”，说完再按“说完了”。",
  too_large: "录音太大，没有录下来。请分几段录。",
  no_permission: "没有使用麦克风的权限。请在浏览器的地址栏或设置里允许，再试一次。",
  no_microphone: "没有找到麦克风。请接上麦克风或耳麦后再试。",
  insecure: "当前页面不能使用麦克风，请在新窗口中打开。",
  open: "在新窗口中打开",
  unsupported: "这个浏览器不能录音。可以用手机录好，再按“发送图片或文件”。",
  failed: "录音没有成功，请再试一次。",
};
const en: Record<Word, string> = {
  title: "Voice note",
  asking: "Please let the browser use your microphone",
  recording: "Recording, {s} seconds at most",
  ending: "10 seconds left",
  ready: "Recorded. You may listen to it before you send it.",
  sending: "Sending…",
  stop: "Done",
  send: "Send",
  again: "Record again",
  cancel: "Cancel",
  play: "Play",
  pause: "Pause",
  where: "Position",
  unplayable: "This browser cannot play the recording.",
  save: "Save it",
  note: "Voice note {s} s",
  too_short: "That was too short, nothing was kept. Press “Record again”, speak, then “Done”.",
  too_large: "The recording is too large and was not kept. Please record it in parts.",
  no_permission: "The microphone is not allowed. Allow it in the browser's address bar or settings and try again.",
  no_microphone: "No microphone was found. Plug one in and try again.",
  insecure: "This page cannot use the microphone. Please open it in a new window.",
  open: "Open in a new window",
  unsupported: "This browser cannot record. Record with your phone and use “Send a picture or file”.",
  failed: "The recording failed. Please try again.",
};
type Word = keyof typeof zh;

const STYLE = `
.composer div:not(:empty) + .composer-row { display: none; }
.voice { overflow-y: auto; padding: 0.75rem 1rem; border: 1px solid var(--line-strong); border-radius: var(--radius);
  background: var(--surface-2); }
@media (max-width: 40rem) {
  .voice { position: fixed; right: 0; bottom: 0; left: 0; z-index: 5; max-height: 90vh;
    padding-bottom: calc(0.75rem + env(safe-area-inset-bottom)); border-radius: var(--radius-large) var(--radius-large) 0 0;
    box-shadow: var(--shadow-high); }
}
.voice > p { margin: 0 0 0.5rem; }
.voice-acts { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; }
.voice time, .sound time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.voice[data-stage=recording] time { font-weight: 600; color: var(--red); }
.voice[data-stage=recording] time::before { content: "● "; animation: records 1s infinite alternate; }
@keyframes records { to { opacity: 0.25; } }
@media (prefers-reduced-motion: reduce) { .voice[data-stage=recording] time::before { animation: none; } }
.sound { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; min-width: 0; }
.voice .sound { flex-basis: 100%; }
.sound input { flex: 1 1 6rem; min-width: 4rem; height: 2.75rem; margin: 0; accent-color: var(--blue); }
.sound [hidden] { display: none; }`;

/** As WeChat's own voice messages. */
const LONGEST_S = 60;
/** What is shorter was a slip of the finger. */
const SHORTEST_S = 1;
const ENDING_S = 10;
/** Speech by Opus is clear at this; Safari's AAC may take more. */
const BITS_PER_S = 32_000;
/** The forms that the gateway takes, the smallest first; Safari makes MP4 only. */
const FORMS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
/** Chromium writes no length into what it records: it is found by going to the end, which may take so long. */
const MEASURED_WITHIN_MS = 1_000;
const PAST_EVERY_END_S = 1e7;

/** As the conversation has it; what it holds is fetched to be heard. */
interface Sent {
  readonly id: string;
  readonly name: string;
}

/** What of the conversation a note has to do with. */
interface Talk {
  readonly view: { readonly limits: { readonly file_bytes: number } };
  attach(file: File): Promise<boolean>;
  fetchFile(id: string): Promise<Blob>;
}

type Stage = "asking" | "recording" | "ready" | "sending" | "refused";

/** Record one note, and show it there, in the place of what writes; on a phone over all else, which the largest letters need. */
export function showVoice(at: HTMLElement, talk: Talk): void {
  if (at.firstChild) return; // pressed twice, while this was on its way
  const opener = document.activeElement as HTMLElement | null;
  const told = element("p", {});
  told.setAttribute("role", "status");
  const clock = element("time", {});
  const acts = element("div", { className: "voice-acts" });
  const panel = element("section", { className: "voice" }, told, acts);
  panel.setAttribute("aria-label", said("title"));
  const longest_s = Math.min(LONGEST_S, Math.floor((talk.view.limits.file_bytes * 8) / BITS_PER_S));
  let recording: Recording | null = null;
  let note: File | null = null;

  const close = (): void => {
    recording?.drop();
    at.replaceChildren();
    opener?.focus();
  };
  const cancel = (): HTMLElement => button(said("cancel"), "act act-quiet", close);
  const again = (): HTMLElement => button(said("again"), "act", () => void begin());

  /** Show a stage; the first of its acts gets the keyboard, since what had it is gone. */
  function go(stage: Stage, word: Word, ...parts: HTMLElement[]): void {
    panel.dataset["stage"] = stage;
    told.textContent = said(word, longest_s);
    acts.replaceChildren(...parts);
    acts.querySelector<HTMLElement>("button:not([disabled]), a")?.focus();
  }

  function refuse(word: Word): void {
    const elsewhere = element("a", { href: location.href, target: "_blank", rel: "noopener", textContent: said("open") });
    go("refused", word, ...(word === "insecure" ? [elsewhere] : word === "unsupported" ? [] : [again()]), cancel());
  }

  async function begin(): Promise<void> {
    note = null;
    go("asking", "asking", cancel());
    const begun = await Recording.begin(longest_s, tick, (sound, seconds) => void judge(sound, seconds));
    if (typeof begun === "string") return panel.isConnected ? refuse(begun) : undefined;
    recording = begun;
    if (!panel.isConnected) return begun.drop();
    tick(0);
    go("recording", "recording", clock, button(said("stop"), "act act-main", () => begun.stop()), cancel());
  }

  function tick(seconds: number): void {
    clock.textContent = minutes(seconds);
    if (Math.ceil(longest_s - seconds) === ENDING_S) told.textContent = said("ending");
  }

  function judge(sound: Blob | null, seconds: number): void {
    recording = null;
    if (!panel.isConnected) return;
    if (!sound) return refuse("failed");
    if (seconds < SHORTEST_S) return refuse("too_short");
    if (sound.size > talk.view.limits.file_bytes) return refuse("too_large");
    const suffix = sound.type.slice("audio/".length).replace(/;.*/, "");
    note = new File([sound], `${said("note", Math.round(seconds))}.${suffix === "mp4" ? "m4a" : suffix}`, { type: sound.type });
    offer(note);
  }

  function offer(whole: File): void {
    const sending = button(said("send"), "act act-main", () => void send(whole));
    go("ready", "ready", player(() => Promise.resolve(whole), whole.name), sending, again(), cancel());
  }

  /** What could not be sent is still there. */
  async function send(whole: File): Promise<void> {
    go("sending", "sending");
    if (await talk.attach(whole)) close();
    else offer(whole);
  }

  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  });
  at.replaceChildren(element("style", { textContent: STYLE }), panel);
  void begin();
}

/** A sound of the conversation. */
export function showSound(at: HTMLElement, file: Sent, talk: Talk): void {
  at.replaceChildren(element("style", { textContent: STYLE }), player(() => talk.fetchFile(file.id), file.name));
}

/** What the microphone hears, from the citizen's word until theirs, or until the time is over. */
class Recording {
  private readonly pieces: Blob[] = [];
  private readonly began = performance.now();
  private readonly ticking: number;
  private isDropped = false;

  private constructor(
    private readonly recorder: MediaRecorder,
    longest_s: number,
    onTick: (seconds: number) => void,
    onDone: (sound: Blob | null, seconds: number) => void,
  ) {
    let seconds = 0;
    recorder.ondataavailable = ({ data }) => this.pieces.push(data);
    recorder.onstop = () => {
      this.release();
      if (!this.isDropped) onDone(new Blob(this.pieces, { type: recorder.mimeType || this.pieces[0]?.type || "" }), seconds);
    };
    recorder.onerror = () => {
      this.drop();
      onDone(null, 0);
    };
    this.ticking = window.setInterval(() => {
      seconds = (performance.now() - this.began) / 1000;
      if (seconds >= longest_s) this.stop();
      else onTick(seconds);
    }, 100);
    recorder.start();
  }

  static async begin(
    longest_s: number,
    onTick: (seconds: number) => void,
    onDone: (sound: Blob | null, seconds: number) => void,
  ): Promise<Recording | Word> {
    if (!navigator.mediaDevices) return "insecure";
    const form = typeof MediaRecorder === "undefined" ? undefined : FORMS.find((one) => MediaRecorder.isTypeSupported(one));
    if (!form) return "unsupported";
    let microphone: MediaStream | null = null;
    try {
      microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
      const recorder = new MediaRecorder(microphone, { mimeType: form, audioBitsPerSecond: BITS_PER_S });
      return new Recording(recorder, longest_s, onTick, onDone);
    } catch (error) {
      microphone?.getTracks().forEach((track) => track.stop());
      const { name } = error as DOMException;
      return name === "NotAllowedError" ? "no_permission" : name === "NotFoundError" ? "no_microphone" : "failed";
    }
  }

  stop(): void {
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }

  /** Nobody wants it. */
  drop(): void {
    this.isDropped = true;
    this.stop();
    this.release();
  }

  private release(): void {
    clearInterval(this.ticking);
    this.recorder.stream.getTracks().forEach((track) => track.stop());
  }
}

/** Buttons of the page's own size: those of a browser's player do not grow with the letters. */
function player(load: () => Promise<Blob>, name: string): HTMLElement {
  const sound = new Audio();
  let address = "";
  const clock = element("time", { textContent: name });
  const where = element("input", { type: "range", min: "0", max: "1", step: "any", value: "0", hidden: true });
  where.setAttribute("aria-label", said("where"));
  const press = button(`▶ ${said("play")}`, "act", () => void toggle());
  press.setAttribute("aria-label", `${said("play")} ${name}`);
  const box = element("div", { className: "sound" }, press, where, clock);

  async function toggle(): Promise<void> {
    if (!sound.paused) return sound.pause();
    try {
      if (!address) await open();
      await sound.play();
    } catch (error) {
      // Safari wants another press where the sound was long in coming.
      if ((error as DOMException).name !== "NotAllowedError") giveUp();
    }
  }

  async function open(): Promise<void> {
    const whole = await load();
    address = URL.createObjectURL(whole);
    sound.src = address;
    await once("loadedmetadata");
    if (!Number.isFinite(sound.duration)) {
      sound.currentTime = PAST_EVERY_END_S;
      await Promise.race([once("durationchange"), new Promise((done) => setTimeout(done, MEASURED_WITHIN_MS))]);
      sound.currentTime = 0;
    }
    where.hidden = !Number.isFinite(sound.duration);
  }

  function once(event: string): Promise<void> {
    return new Promise((done, failed) => {
      sound.addEventListener(event, () => done(), { once: true });
      sound.addEventListener("error", () => failed(sound.error), { once: true });
    });
  }

  function giveUp(): void {
    const why = element("span", { textContent: said("unplayable") });
    box.replaceChildren(why, ...(address ? [element("a", { href: address, download: name, textContent: said("save") })] : []));
  }

  function draw(): void {
    if (!box.isConnected) {
      sound.pause();
      URL.revokeObjectURL(address);
      return;
    }
    const word = sound.paused ? "play" : "pause";
    press.textContent = `${sound.paused ? "▶" : "❚❚"} ${said(word)}`;
    press.setAttribute("aria-label", `${said(word)} ${name}`);
    const whole_s = Number.isFinite(sound.duration) ? sound.duration : 0;
    clock.textContent = whole_s ? `${minutes(sound.currentTime)} / ${minutes(whole_s)}` : minutes(sound.currentTime);
    where.value = String(whole_s && sound.currentTime / whole_s);
    where.setAttribute("aria-valuetext", clock.textContent);
  }

  for (const event of ["play", "pause", "timeupdate", "ended"]) sound.addEventListener(event, draw);
  where.oninput = () => (sound.currentTime = Number(where.value) * sound.duration);
  return box;
}

function minutes(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** In the language of the page as it is now. */
function said(word: Word, s = 0): string {
  return (document.documentElement.lang === "en" ? en : zh)[word].replace("{s}", String(s));
}

function button(words: string, className: string, onclick: () => void): HTMLElement {
  return element("button", { type: "button", className, textContent: words, onclick });
}
