import type { Socket } from "@shared/client";
import type { Hello, Rcv, Welcome } from "@shared/protocol";

/** A run of chance that a seed repeats (mulberry32), so that a failure can be seen again. */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface LinkLog {
  readonly sid: string;
  readonly frames: { t: string; seq: number; n: number }[];
  expected: number;
}

interface CommandFrame {
  readonly t: string;
  readonly id: string;
  readonly cseq: number;
  readonly n: number;
}

/**
 * The gateway's end of the protocol as `docs/protocol.md` tells it, with a network that delays every frame, and that can be
 * cut with frames on their way, in both directions. It keeps no faith with anybody: only ids and numbers count.
 */
export class BadNetwork {
  readonly links = new Map<string, LinkLog>();
  readonly done: number[] = [];
  readonly hellos: Hello[] = [];
  sockets: Wire[] = [];
  /** What the pages have confirmed, in order. */
  readonly confirmed: number[] = [];
  /** How often the next commands are refused for now. */
  refuseNext = 0;
  /** The code with which the next socket is closed instead of welcomed. */
  closeNext = 0;
  closeAlways = 0;
  isDeaf = false;
  /** Frames that a resume repeats though the page has them. */
  repeats = 0;
  /** Commands that came over the wire, repeated ones too. */
  heard = 0;
  private readonly ids = new Set<string>();
  private sidCount = 0;

  constructor(
    readonly random: () => number,
    readonly delay_ms = 40,
  ) {}

  open(): Wire {
    const wire = new Wire(this);
    this.sockets.push(wire);
    return wire;
  }

  /** Send a durable frame on every link: what is not read stays in the log. */
  push(n: number, isWithheld = false): void {
    for (const link of this.links.values()) {
      const frame = { t: "told", seq: link.frames.length + 1, n };
      link.frames.push(frame);
      for (const wire of this.sockets) if (wire.link === link && !isWithheld) wire.down(frame);
    }
  }

  cutAll(): void {
    for (const wire of this.sockets) wire.cut(1006);
  }

  /** The node dies: links are forgotten, what was done is not. */
  forget(): void {
    this.links.clear();
    this.cutAll();
  }

  hear(wire: Wire, text: string): void {
    const frame = JSON.parse(text) as { t: string };
    if (this.isDeaf) return;
    if (frame.t === "hello") this.greet(wire, frame as Hello);
    else if (frame.t === "ping") wire.down({ t: "pong" });
    else if (frame.t === "rcv") this.confirmed.push((frame as Rcv).seq);
    else if (wire.link) this.command(wire, wire.link, frame as CommandFrame);
  }

  private greet(wire: Wire, hello: Hello): void {
    this.hellos.push(hello);
    const code = this.closeAlways || this.closeNext;
    this.closeNext = 0;
    if (code) return wire.cut(code);
    const known = hello.resume ? this.links.get(hello.resume) : undefined;
    const link = known ?? { sid: `link-${++this.sidCount}`, frames: [], expected: 1 };
    this.links.set(link.sid, link);
    wire.link = link;
    const welcome: Welcome = {
      t: "welcome",
      sid: link.sid,
      resume: link.sid,
      seq: link.frames.length,
      reset: !known,
      srv_ts: 0,
      hb_s: 20,
      limits: { text: 4000, frame_bytes: 8192, file_bytes: 1, rate_per_s: 5, burst: 20 },
    };
    wire.down(welcome);
    for (const frame of link.frames.slice(Math.max(0, (hello.last ?? 0) - this.repeats))) wire.down(frame);
  }

  private command(wire: Wire, link: LinkLog, frame: CommandFrame): void {
    this.heard++;
    const nack = { t: "nack", id: frame.id, text_key: "", after_s: null };
    if (frame.cseq > link.expected) {
      wire.down({ ...nack, code: "gap", retry: true, expect: link.expected });
      return;
    }
    if (frame.cseq === link.expected) {
      if (this.refuseNext > 0) {
        this.refuseNext--;
        wire.down({ ...nack, code: "not_accepted", retry: true, expect: null });
        return;
      }
      link.expected++;
    }
    if (!this.ids.has(frame.id)) this.done.push(frame.n);
    this.ids.add(frame.id);
    wire.down({ t: "ack", id: frame.id, rev: 0 });
  }
}

/** One socket over the bad network. Frames of one direction stay in order, as TCP keeps them; a cut loses the last of them. */
export class Wire implements Socket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  link: LinkLog | null = null;
  private isUp = true;
  private readonly arrives = { up: 0, down: 0 };

  constructor(private readonly network: BadNetwork) {
    this.after("down", () => this.onopen?.({} as never));
  }

  send(text: string): void {
    this.after("up", () => this.network.hear(this, text));
  }

  down(frame: object): void {
    const text = JSON.stringify(frame);
    this.after("down", () => this.onmessage?.({ data: text } as never));
  }

  close(): void {
    this.cut(1000);
  }

  cut(code: number): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.link = null;
    setTimeout(() => this.onclose?.({ code } as never), 1);
  }

  private after(way: "up" | "down", act: () => void): void {
    const at = Math.max(this.arrives[way], Date.now() + 1 + this.network.random() * this.network.delay_ms);
    this.arrives[way] = at;
    setTimeout(() => this.isUp && act(), at - Date.now());
  }
}
