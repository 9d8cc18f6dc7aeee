import { Outbox, type Pending } from "./outbox";
import { type Ack, Close, type Nack, VERSION, type Welcome } from "./protocol";

/** What the page tells its reader about the connection. `elsewhere`: another window has it, and only a word brings it back. */
export type Link = "connecting" | "open" | "waiting" | "elsewhere" | "refused" | "closed";

/** A frame as it comes off the wire; `seq` stands on those that must not be lost. */
export interface Frame {
  readonly t: string;
  readonly seq?: number;
}


/** What the client asks of a WebSocket; a test gives one with a bad network behind it. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface ClientOptions<Command extends object> {
  /** A single-use ticket, asked for anew at each connection. `null`: there is no right to one (logged out). */
  ticket(): Promise<string | null>;
  open(): Socket;
  outbox: Outbox<Command>;
  /** Every frame but those of the connection itself; durable ones exactly once and in order. */
  onFrame(frame: Frame): void;
  /** Whether anybody waits to see that the frame arrived ("delivered"). Of all, where it is not said. */
  isAwaited?(frame: Frame): boolean;
  onLink(link: Link): void;
  /** A socket serves: its bounds, and the gateway's clock. */
  onWelcome?(welcome: Welcome): void;
  /** The gateway took it, and keeps it. */
  onAck?(id: string, rev: number): void;
  /** Refused for good: it will not be sent again. */
  onRefused(id: string, command: Command, code: string): void;
  /** The gateway speaks a newer protocol: the page must be loaded anew. */
  onOutdated(): void;
  /** Said in the first hello only: this window wants the place of another one. */
  take?: boolean;
  build: string;
}

const RCV_EVERY_MS = 200;
/** A hidden tab's timers run once a minute, so a shorter silence proves nothing (measured: nextcloud/text#8005). */
const DEAD_AFTER_MS = 70_000;
const PULSE_EVERY_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;
const BACK_OFF_FIRST_MS = 400;
const BACK_OFF_MOST_MS = 15_000;
const RATE_PAUSE_MS = 30_000;
/** Commands in flight: enough for a fast typist, few enough that a cut repeats little. */
const WINDOW = 16;

/**
 * One conversation with the gateway over any number of sockets: no frame is lost, doubled or out of order.
 *
 * There is one writer. It goes through the outbox with a pointer, and at each new socket the pointer goes back to the
 * oldest command without an answer; whatever the page adds meanwhile stands behind it. (Resending the outbox while the
 * page goes on sending put 22 of 40 clients out of order.)
 */
export class Client<Command extends { t: string }> {
  private socket: Socket | null = null;
  private sid = "";
  private resume: string | null = null;
  private lastSeq = 0;
  private nextCseq = 1;
  /** The writer's pointer into the outbox. */
  private pointer = 0;
  private welcomed = false;
  private pausedUntil = 0;
  private pingEvery_ms = 20_000;
  private refusals = 0;
  private attempts = 0;
  private authFailures = 0;
  private heardAt = 0;
  private askedAt = 0;
  private generation = 0;
  private stopped = true;
  private take: boolean;
  private rcvTimer: ReturnType<typeof setTimeout> | null = null;
  private confirmed = 0;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private resumeTimer: ReturnType<typeof setTimeout> | null = null;
  private pulse: ReturnType<typeof setInterval> | null = null;
  link: Link = "closed";

  constructor(private readonly options: ClientOptions<Command>) {
    this.take = options.take ?? false;
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.pulse = setInterval(() => this.checkPulse(), PULSE_EVERY_MS);
    void this.connect();
  }

  stop(link: Link = "closed"): void {
    this.stopped = true;
    this.generation++;
    if (this.pulse) clearInterval(this.pulse);
    if (this.retryTimer) clearTimeout(this.retryTimer);
    if (this.resumeTimer) clearTimeout(this.resumeTimer);
    this.retryTimer = this.resumeTimer = this.pulse = null;
    this.leave(1000);
    this.tell(link);
  }

  /** Send for certain: kept until the gateway acknowledges it. Gives the command's id. */
  send(command: Command): string {
    const entry = this.options.outbox.add(command);
    this.write();
    return entry.id;
  }

  /** Send now or never (typing): nobody misses it. */
  mention<Ephemeral extends { t: string }>(frame: Ephemeral): void {
    if (this.welcomed) this.put(frame);
  }

  /** Take the place of the other window. */
  takeOver(): void {
    this.take = true;
    this.attempts = 0;
    if (this.stopped) this.start();
    else this.hurry();
  }

  /** The network is back, or the page is looked at again: do not sit out the back-off. */
  hurry(): void {
    if (this.stopped) return;
    if (this.link === "waiting") {
      this.attempts = 0;
      if (this.retryTimer) clearTimeout(this.retryTimer);
      void this.connect();
    } else {
      this.ping();
    }
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    this.retryTimer = null;
    this.tell("connecting");
    let ticket: string | null;
    try {
      ticket = await this.options.ticket();
    } catch {
      if (generation === this.generation) this.later();
      return;
    }
    if (generation !== this.generation || this.stopped) return;
    if (ticket === null) {
      this.stop("refused");
      return;
    }
    const socket = this.options.open();
    this.socket = socket;
    this.heardAt = Date.now();
    this.askedAt = Date.now();
    socket.onopen = () => {
      const hello = { t: "hello", v: VERSION, ticket, resume: this.resume, last: this.lastSeq };
      this.put({ ...hello, build: this.options.build, take: this.take });
    };
    socket.onmessage = (event: { data: unknown }) => {
      if (socket === this.socket) this.hear(String(event.data));
    };
    socket.onclose = (event: { code: number }) => {
      if (socket === this.socket) this.lost(event.code);
    };
  }

  private hear(text: string): void {
    this.heardAt = Date.now();
    this.askedAt = 0;
    const frame = JSON.parse(text) as Frame;
    switch (frame.t) {
      case "welcome":
        return this.welcome(frame as Welcome);
      case "ack": {
        const { id, rev } = frame as Ack;
        this.settle(id);
        this.refusals = 0;
        this.options.onAck?.(id, rev);
        return this.write();
      }
      case "nack":
        return this.refused(frame as Nack);
      case "pong":
        return;
    }
    if (frame.seq !== undefined && frame.seq !== null) {
      if (frame.seq <= this.lastSeq) return;
      if (frame.seq > this.lastSeq + 1) return this.breakOff();
      this.lastSeq = frame.seq;
      if (this.options.isAwaited?.(frame) ?? true) this.rcvTimer ??= setTimeout(() => this.confirm(), RCV_EVERY_MS);
    }
    this.options.onFrame(frame);
  }

  private welcome(frame: Welcome): void {
    if (frame.reset || frame.sid !== this.sid) {
      this.lastSeq = frame.seq;
      this.nextCseq = 1;
      this.options.outbox.renumber(0);
    }
    this.sid = frame.sid;
    this.resume = frame.resume;
    this.pingEvery_ms = frame.hb_s * 1000;
    this.take = false;
    this.attempts = this.authFailures = 0;
    this.welcomed = true;
    this.pointer = 0;
    for (const entry of this.options.outbox.pending) entry.unanswered = 0;
    this.options.onWelcome?.(frame);
    this.tell("open");
    this.write();
  }

  /** The one writer. */
  private write(): void {
    const { pending } = this.options.outbox;
    if (!this.welcomed || Date.now() < this.pausedUntil) return;
    while (this.pointer < Math.min(pending.length, WINDOW)) {
      const entry = pending[this.pointer++] as Pending<Command>;
      entry.cseq ||= this.nextCseq++;
      entry.unanswered++;
      this.put({ ...entry.command, id: entry.id, cseq: entry.cseq });
    }
  }

  private settle(id: string): void {
    const index = this.options.outbox.settle(id);
    if (index >= 0 && index < this.pointer) this.pointer--;
  }

  private refused(nack: Nack): void {
    const { outbox } = this.options;
    const entry = outbox.pending.find(({ id }) => id === nack.id);
    if (!entry) return;
    // It was written again since: the answer to the later writing counts.
    if (--entry.unanswered > 0) return;
    if (nack.code === "gap") {
      this.rewind(nack.expect ?? this.nextCseq);
    } else if (nack.retry) {
      this.pause(nack.after_s);
    } else {
      this.settle(nack.id);
      this.options.onRefused(nack.id, entry.command, nack.code);
      this.write();
    }
  }

  /** The gateway lacks the command `expect`: write again from there on, or number anew where it is none of ours. */
  private rewind(expect: number): void {
    const { outbox } = this.options;
    const place = outbox.pending.findIndex(({ cseq }) => cseq === expect);
    if (place < 0) {
      outbox.renumber(expect);
      this.nextCseq = expect + outbox.pending.filter(({ cseq }) => cseq > 0).length;
    }
    this.pointer = Math.max(0, place);
    this.write();
  }

  /** Not taken now: wait a little, then again from the oldest on, so that nothing overtakes it. */
  private pause(after_s: number | null): void {
    this.pointer = 0;
    if (this.resumeTimer) return;
    const wait = Math.max((after_s ?? 0) * 1000, Math.min(5_000, 500 * 2 ** this.refusals++));
    this.pausedUntil = Date.now() + wait;
    this.resumeTimer = setTimeout(() => {
      this.resumeTimer = null;
      this.pausedUntil = 0;
      this.write();
    }, wait);
  }

  private confirm(): void {
    this.rcvTimer = null;
    if (!this.welcomed) return;
    this.confirmed = this.lastSeq;
    this.put({ t: "rcv", seq: this.lastSeq });
  }

  private checkPulse(): void {
    const now = Date.now();
    if (!this.socket) return;
    // What nobody waits to see confirmed: it only frees the gateway's memory.
    if (this.confirmed !== this.lastSeq) this.confirm();
    const silent = now - this.heardAt > DEAD_AFTER_MS || (this.askedAt > 0 && now - this.askedAt > ANSWER_WITHIN_MS);
    if (silent) this.breakOff();
    else if (now - this.heardAt >= this.pingEvery_ms) this.ping();
  }

  private ping(): void {
    if (!this.welcomed) return;
    this.askedAt ||= Date.now();
    this.put({ t: "ping" });
  }

  private breakOff(): void {
    this.leave(4000);
    this.later();
  }

  private leave(code: number): void {
    const { socket } = this;
    this.socket = null;
    this.welcomed = false;
    if (this.rcvTimer) clearTimeout(this.rcvTimer);
    this.rcvTimer = null;
    socket?.close(code);
  }

  private lost(code: number): void {
    this.leave(1000);
    if (this.stopped) return;
    switch (code) {
      case Close.REPLACED:
        return this.stop("elsewhere");
      case Close.MALFORMED:
        return this.stop("refused");
      case Close.VERSION:
        this.stop();
        return this.options.onOutdated();
      case Close.AUTH:
        // The resume token is not ours any more (another visitor, another secret): begin anew, but not for ever.
        this.resume = null;
        if (++this.authFailures > 2) return this.stop("refused");
        return this.later();
      case Close.RATE:
        return this.later(RATE_PAUSE_MS);
      default:
        return this.later();
    }
  }

  private later(least = 0): void {
    if (this.stopped || this.retryTimer) return;
    const bound = Math.min(BACK_OFF_MOST_MS, BACK_OFF_FIRST_MS * 2 ** this.attempts++);
    this.tell("waiting");
    this.retryTimer = setTimeout(() => void this.connect(), least + bound * (0.3 + 0.7 * Math.random()));
  }

  private put(frame: object): void {
    this.socket?.send(JSON.stringify(frame));
  }

  private tell(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    this.options.onLink(link);
  }
}
