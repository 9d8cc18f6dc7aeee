import { Client, type Link } from "@shared/client";
import { Outbox, lastingStore } from "@shared/outbox";
import { type Citizen, LONGEST_TEXT, type Unsent } from "@shared/protocol";
import { isLookedAt, watchLooks } from "./host";
import { type FileRefusal, VISITOR, Visitor } from "./visitor";
import type { Word } from "./words";

type Command = Unsent<Citizen.Command>;

/** A message as it is drawn. Own ones are here before the gateway has them. */
export interface Bubble extends Omit<Citizen.Message, "state"> {
  readonly state: Citizen.Message["state"] | "sending" | "failed";
}

type Content = Partial<Pick<Citizen.Message, "text" | "file" | "location">>;

export interface Uploading {
  readonly key: number;
  readonly name: string;
}

export interface View {
  readonly link: Link;
  /** The page knows what the gateway knows: until then nothing is drawn, so that nothing flickers. */
  readonly known: boolean;
  /** The gateway takes calls from the page. */
  readonly calls: boolean;
  /** Nobody takes what is written now: `word.ts` offers to leave word. */
  readonly absence?: Citizen.Absence | null;
  readonly state: Citizen.Standing;
  readonly bubbles: readonly Bubble[];
  readonly place: { readonly position: number; readonly estimate_s: number | null } | null;
  readonly typing: "agent" | "bot" | null;
  readonly uploads: readonly Uploading[];
  readonly locating: boolean;
  readonly humanAsked: boolean;
  readonly rated: boolean;
  readonly complaint: Word | null;
  readonly limits: { readonly text: number; readonly file_bytes: number };
}

const TYPING_SHOWN_MS = 5_000;
const TYPING_EVERY_MS = 3_000;
const LOCATING = { enableHighAccuracy: true, timeout: 15_000, maximumAge: 60_000 };
const RELOADED = "yihao.reloaded";

const START: View = {
  link: "connecting",
  known: false,
  calls: false,
  // What is left out is as good as said until the gateway says it: every byte here is loaded before anything is seen.
  state: { phase: "new", assignee: null } as Citizen.Standing,
  bubbles: [],
  place: null,
  typing: null,
  uploads: [],
  locating: false,
  humanAsked: false,
  rated: false,
  complaint: null,
  limits: { text: LONGEST_TEXT, file_bytes: 10 * 1024 * 1024 },
};

/** The citizen's conversation: what the socket says, folded into one view that the page draws. */
export class Conversation {
  view = START;
  private readonly visitor: Visitor;
  readonly outbox: Outbox<Command>;
  readonly client: Client<Command>;
  /** Hears of the page's call, once there is one (`call.ts`). */
  onCall: ((frame: object) => void) | null = null;
  private readonly watchers = new Set<() => void>();
  private typingTimer: ReturnType<typeof setTimeout> | undefined;
  private typedAt = 0;
  /** How far the gateway's clock is ahead of the browser's. */
  private ahead_s = 0;
  private readUpTo = "";
  private uploadCount = 0;

  /** `scope` is what the names of all that it keeps in the browser begin with. */
  constructor(scope: string) {
    const store = lastingStore();
    this.visitor = new Visitor(store, scope + VISITOR);
    this.outbox = new Outbox(store, `${scope}out.`);
    this.client = new Client({
      ticket: () => this.visitor.ticket(),
      open: () => new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/webchat/socket`),
      outbox: this.outbox,
      onFrame: (frame) => this.hear(frame as Citizen.Down),
      // Whoever wrote is shown that it has arrived; the citizen's own words coming back nobody waits for.
      isAwaited: (frame) => frame.t === "snapshot" || (frame as Citizen.MessageNew).from === "agent",
      onLink: (link) => this.change({ link }),
      onWelcome: ({ limits, srv_ts }) => {
        this.ahead_s = srv_ts - Date.now() / 1000;
        this.change({ limits });
      },
      onAck: (id, rev) => this.taken(id, rev),
      onRefused: (id, command, code) => this.refused(id, command, code),
      onOutdated: () => reloadOnce(),
      build: "1",
    });
  }

  start(): void {
    this.change({ bubbles: this.ownPending() });
    this.client.start();
    addEventListener("online", () => this.client.hurry());
    watchLooks(() => {
      if (!isLookedAt()) return;
      this.client.hurry();
      this.confirmRead();
    });
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  write(text: string): void {
    this.typedAt = 0;
    this.sendOwn({ t: "msg.send", text }, { text });
  }

  /** Whether it goes: what does not is told. */
  async attach(file: File): Promise<boolean> {
    if (file.size > this.view.limits.file_bytes) return this.complain("file_too_large");
    const upload = { key: ++this.uploadCount, name: file.name };
    this.change({ uploads: [...this.view.uploads, upload], complaint: null });
    const answer = await this.visitor.upload(file);
    this.change({ uploads: this.view.uploads.filter(({ key }) => key !== upload.key) });
    if (typeof answer === "string") return this.complain(complaintOf(answer));
    const { file: id, name, content_type, size } = answer;
    this.sendOwn({ t: "file.send", file: id, name }, { file: { id, name, content_type, size } });
    return true;
  }

  private complain(complaint: Word): false {
    this.change({ complaint });
    return false;
  }

  /** Say where it is, as far as the browser knows and the citizen allows. */
  async sendLocation(): Promise<void> {
    this.change({ locating: true, complaint: null });
    try {
      const { coords } = await new Promise<GeolocationPosition>((found, failed) =>
        navigator.geolocation.getCurrentPosition(found, failed, LOCATING),
      );
      const { latitude, longitude, accuracy } = coords;
      const location = { latitude, longitude, accuracy_m: accuracy };
      this.sendOwn({ t: "location.send", ...location }, { location });
    } catch {
      this.change({ complaint: "location_failed" });
    }
    this.change({ locating: false });
  }

  /** A file's content. */
  fetchFile(id: string): Promise<Blob> {
    return this.visitor.fetchFile(id);
  }

  /** See `Visitor.prove`. */
  readonly prove: Visitor["prove"] = (what, body) => this.visitor.prove(what, body);

  mentionTyping(): void {
    if (Date.now() - this.typedAt < TYPING_EVERY_MS) return;
    this.typedAt = Date.now();
    this.client.mention({ t: "typing" });
  }

  askForHuman(): void {
    this.client.send({ t: "human.request" });
    this.change({ humanAsked: true });
  }

  end(): void {
    this.client.send({ t: "session.end" });
  }

  rate(score: number, solved: boolean | null, comment: string): void {
    this.client.send({ t: "rating.give", score, solved, comment });
    this.change({ rated: true });
  }

  sendAgain(bubble: Bubble): void {
    this.change({ bubbles: this.view.bubbles.filter(({ id }) => id !== bubble.id) });
    if (bubble.file) this.sendOwn({ t: "file.send", file: bubble.file.id, name: bubble.file.name }, { file: bubble.file });
    else if (bubble.location) void this.sendLocation();
    else this.write(bubble.text ?? "");
  }

  useHere(): void {
    this.client.takeOver();
  }

  dismissComplaint(): void {
    this.change({ complaint: null });
  }

  private sendOwn(command: Command, content: Content): void {
    const id = this.client.send(command);
    this.change({ bubbles: [...this.view.bubbles, ownBubble(id, this.ahead_s + Date.now() / 1000, content)], complaint: null });
  }

  private hear(frame: Citizen.Down): void {
    switch (frame.t) {
      case "snapshot":
        this.change({ calls: frame.calls, absence: frame.absence });
        return this.takeSnapshot(frame.state, frame.messages);
      case "session.state":
        return this.takeState(frame);
      case "msg.new":
        return this.takeMessage(frame);
      case "msg.state":
        return this.mark(frame.id, frame.state);
      case "queue.place":
        return this.change({ place: { position: frame.position, estimate_s: frame.estimate_s } });
      case "typing":
        return this.showTyping(frame.from === "bot" ? "bot" : "agent");
      default:
        this.onCall?.(frame);
    }
  }

  private takeSnapshot(state: Citizen.Standing, messages: readonly Citizen.Message[]): void {
    const known = new Set(messages.map(({ id }) => id));
    const failed = this.view.bubbles.filter((bubble) => bubble.state === "failed" && !known.has(bubble.id));
    const own = this.ownPending().filter(({ id }) => !known.has(id));
    this.change({ known: true, bubbles: [...messages, ...failed, ...own] });
    this.takeState(state);
    this.confirmRead();
  }

  private takeState(state: Citizen.Standing): void {
    const isNew = this.view.state.phase === "ended" && state.phase !== "ended";
    this.change({
      known: true,
      state,
      place: state.phase === "waiting" || state.phase === "with_bot" ? this.view.place : null,
      typing: null,
      humanAsked: state.phase === "with_bot" && this.view.humanAsked,
      rated: this.view.rated && !isNew,
    });
  }

  private takeMessage(message: Citizen.Message): void {
    this.place(message);
    if (message.from !== "citizen") this.change({ typing: null });
    this.confirmRead();
  }

  /** The gateway has what was said here. */
  private taken(id: string, rev: number): void {
    const own = this.view.bubbles.find((bubble) => bubble.id === id);
    if (own) this.place({ ...own, rev, state: own.state === "sending" ? "sent" : own.state });
  }

  /** Put it in its place; own messages that the gateway has not taken yet stay below those that it has. */
  private place(bubble: Bubble): void {
    const bubbles = this.view.bubbles.filter(({ id }) => id !== bubble.id);
    let at = bubbles.length;
    while (at && (bubbles[at - 1] as Bubble).rev > bubble.rev) at--;
    bubbles.splice(at, 0, bubble);
    this.change({ bubbles });
  }

  /** A message's state only rises: an acknowledgement that comes late does not undo "read". */
  private mark(id: string, state: Bubble["state"]): void {
    const rank = (of: Bubble["state"]) => ["failed", "sending", "sent", "delivered", "read"].indexOf(of);
    const at = this.view.bubbles.find((bubble) => bubble.id === id);
    if (!at) return;
    // "Read" speaks for every earlier message too.
    const covers = (bubble: Bubble) =>
      bubble.id === id || (state === "read" && bubble.from === at.from && bubble.rev <= at.rev && rank(bubble.state) > 1);
    this.change({
      bubbles: this.view.bubbles.map((bubble) =>
        covers(bubble) && rank(state) > rank(bubble.state) ? { ...bubble, state } : bubble,
      ),
    });
  }

  private refused(id: string, command: Command, code: string): void {
    if (command.t === "msg.send" || command.t === "file.send" || command.t === "location.send") {
      this.change({
        bubbles: this.view.bubbles.map((bubble) => (bubble.id === id ? { ...bubble, rev: 0, state: "failed" } : bubble)),
      });
    } else if (command.t === "human.request") {
      this.change({ humanAsked: false });
    } else if (command.t === "rating.give") {
      this.change({ rated: false });
    }
    if (command.t === "call.offer") this.onCall?.({ t: "refused", code });
    else if (command.t === "call.ask") this.change({ state: { ...this.view.state, call_failed: code as "refused" } });
    else if (command.t !== "msg.read") this.change({ complaint: refusalWord(code) });
  }

  private showTyping(who: "agent" | "bot"): void {
    clearTimeout(this.typingTimer);
    this.change({ typing: who });
    this.typingTimer = setTimeout(() => this.change({ typing: null }), TYPING_SHOWN_MS);
  }

  /** Tell the other side that its newest message has been seen, once, and only while the page is looked at. */
  private confirmRead(): void {
    const newest = this.view.bubbles.filter(({ from }) => from === "agent" || from === "bot").pop();
    const isOver = this.view.state.phase === "ended" || this.view.state.phase === "new";
    if (!newest || isOver || newest.id === this.readUpTo || !isLookedAt()) return;
    this.readUpTo = newest.id;
    if (newest.state !== "read") this.client.send({ t: "msg.read", message: newest.id });
  }

  private ownPending(): Bubble[] {
    return this.outbox.pending.flatMap(({ id, command }) => {
      if (command.t === "msg.send") return [ownBubble(id, Date.now() / 1000, { text: command.text })];
      if (command.t === "location.send") {
        const { latitude, longitude, accuracy_m } = command;
        return [ownBubble(id, Date.now() / 1000, { location: { latitude, longitude, accuracy_m } })];
      }
      if (command.t !== "file.send") return [];
      const file = { id: command.file, name: command.name, content_type: "", size: 0 };
      return [ownBubble(id, Date.now() / 1000, { file })];
    });
  }

  private change(part: Partial<View>): void {
    this.view = { ...this.view, ...part };
    for (const watcher of this.watchers) watcher();
  }
}

function ownBubble(id: string, ts: number, content: Content): Bubble {
  const rev = Number.MAX_VALUE;
  return { id, rev, from: "citizen", name: "", ts, state: "sending", text: null, file: null, location: null, ...content };
}

function complaintOf(refusal: FileRefusal): Word {
  return refusal === "too_large" ? "file_too_large" : refusal === "kind" ? "file_kind" : "file_failed";
}

function refusalWord(code: string): Word {
  if (code === "ended" || code === "closed") return "refused_ended";
  return code === "rate" ? "refused_rate" : "refused_text";
}

/** A newer page is there. Once only: were it the wrong page again, it would reload for ever. */
function reloadOnce(): void {
  if (sessionStorage.getItem(RELOADED)) return;
  sessionStorage.setItem(RELOADED, "1");
  location.reload();
}
