/** SIP over the page's own socket, sound by WebRTC. Loaded only where an agent's telephone is this browser. */
import { UA, WebSocketInterface } from "jssip";
import type { RTCSession } from "jssip/lib/RTCSession";
import type { RTCSessionEvent } from "jssip/lib/UA";
import type { Lent } from "./api";
import { direct } from "./devices";
import { type Trouble, hearEcho } from "./trial";

const SOCKET = "/api/phone/sip";
/** The gateway asks again within this; a page that is gone is known sooner, by its socket. */
const REGISTERS_S = 120;
const HEARD_EVERY_MS = 500;
const NAME = "yihao.desk.telephone.name";
/** An agent who has asked for a call has picked up for it. */
const EXPECTED_MS = 15_000;

/** RFC 7462: a call of our own house. */
const INSIDE = "urn:alert:source:internal";

export type PhoneState = "starting" | "idle" | "ringing" | "talking" | "lost";

export interface Telling {
  state(state: PhoneState): void;
  /** Whether anything but silence has come since the last time. */
  hears(isHeard: boolean): void;
  /** How the call arrives here; null once it is over. */
  heard(how: Heard | null): void;
  /** A colleague calls, or has this agent called about a citizen's call, shown as `who`; null once that is over. */
  inside(who: string | null): void;
}

/** By the browser's own count, since the last look. */
export interface Heard {
  /** A share, 0 to 1, of what the gateway has sent; and of ours, as the gateway reports it. */
  readonly loss: number;
  readonly far_loss: number | null;
  readonly jitter_ms: number;
  readonly round_trip_ms: number | null;
}

/** The same for this window when it is loaded again: the gateway then knows which registration it stands for. */
function ownName(): string {
  const name = sessionStorage.getItem(NAME) ?? crypto.randomUUID();
  sessionStorage.setItem(NAME, name);
  return name;
}

export class Softphone {
  private readonly agent: UA;
  private readonly speaker = new Audio();
  private call: RTCSession | null = null;
  private watch = 0;
  private energy = 0;
  private lost = 0;
  private received = 0;
  private wasCut = false;
  private expectedUntil = 0;

  constructor(
    lent: Lent,
    private microphone: MediaStream,
    private readonly telling: Telling,
  ) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.agent = new UA({
      sockets: [new WebSocketInterface(`${scheme}://${location.host}${SOCKET}`)],
      uri: `sip:${lent.extension}@${location.hostname}`,
      authorization_user: lent.username,
      password: lent.password,
      realm: lent.realm,
      instance_id: ownName(),
      register_expires: REGISTERS_S,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
    });
    this.speaker.autoplay = true;
    this.agent.on("registered", () => this.restore());
    this.agent.on("registrationFailed", () => telling.state("lost"));
    this.agent.on("disconnected", () => {
      this.wasCut = true;
      telling.state("lost");
    });
    this.agent.on("newRTCSession", (event: RTCSessionEvent) => this.ring(event));
    telling.state("starting");
    this.agent.start();
  }

  /** The next hour's login. */
  renew(lent: Lent): void {
    this.agent.set("authorization_user", lent.username);
    this.agent.set("password", lent.password);
  }

  answer(): void {
    if (!this.call?.isInProgress()) return;
    this.call.answer({ mediaStream: this.microphone, pcConfig: { iceServers: [] } });
  }

  /** Or refuse it, before it is taken. */
  hangUp(): void {
    this.call?.terminate(this.call.isInProgress() ? { status_code: 603 } : undefined);
  }

  /** A call that was asked for here comes by ringing here: it needs no second word. */
  expect(): void {
    this.expectedUntil = Date.now() + EXPECTED_MS;
  }

  /** Another microphone, in a running call too. */
  async hearFrom(microphone: MediaStream): Promise<void> {
    this.microphone = microphone;
    const track = microphone.getAudioTracks()[0] ?? null;
    for (const sender of this.call?.connection?.getSenders() ?? []) await sender.replaceTrack(track);
  }

  speakThrough(device: string): void {
    direct(this.speaker, device);
  }

  /** See `trial.ts`. */
  hearEcho(target: string): Promise<number | Trouble> {
    return hearEcho(this.agent, target);
  }

  stop(): void {
    clearInterval(this.watch);
    this.agent.stop();
  }

  /** The socket is there again, and with it the call: where the network has changed, its sound takes the new way. */
  private restore(): void {
    if (this.wasCut && this.call?.isEstablished()) this.call.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
    this.wasCut = false;
    this.rest();
  }

  private rest(): void {
    this.telling.state(this.call === null ? "idle" : this.call.isEstablished() ? "talking" : "ringing");
  }

  private ring({ originator, session, request }: RTCSessionEvent): void {
    if (originator !== "remote") return;
    // The gateway calls a page so that was in this very call before it was loaded again (RFC 5373).
    const isOurs = request.getHeader("Answer-Mode") === "Auto";
    if (this.call !== null && !isOurs) {
      session.terminate({ status_code: 486 });
      return;
    }
    const before = this.call;
    this.call = session;
    before?.terminate();
    session.on("peerconnection", ({ peerconnection }: { peerconnection: RTCPeerConnection }) => this.hear(peerconnection));
    session.on("confirmed", () => this.rest());
    const over = (): void => {
      if (this.call !== session) return;
      this.call = null;
      clearInterval(this.watch);
      this.telling.hears(false);
      this.telling.heard(null);
      this.telling.inside(null);
      this.rest();
    };
    session.on("ended", over);
    session.on("failed", over);
    if (request.getHeader("Alert-Info")?.includes(INSIDE)) this.telling.inside(session.remote_identity.uri.user);
    this.rest();
    // JsSIP can answer only once it has told everybody of the call.
    if (isOurs || Date.now() < this.expectedUntil) setTimeout(() => this.answer());
    this.expectedUntil = 0;
  }

  private hear(connection: RTCPeerConnection): void {
    // The gateway names no stream, so the track comes alone.
    connection.addEventListener("track", ({ track }) => {
      this.speaker.srcObject = new MediaStream([track]);
    });
    this.energy = this.lost = this.received = 0;
    clearInterval(this.watch);
    this.watch = window.setInterval(() => void this.listen(connection), HEARD_EVERY_MS);
  }

  private async listen(connection: RTCPeerConnection): Promise<void> {
    const reports = [...(await connection.getStats()).values()];
    const ours = reports.find(({ type }) => type === "inbound-rtp");
    if (!ours || this.call?.connection !== connection) return;
    const energy = Number(ours.totalAudioEnergy ?? 0);
    this.telling.hears(energy > this.energy + 1e-5);
    const lost = Number(ours.packetsLost) - this.lost;
    const received = Number(ours.packetsReceived) - this.received;
    const far = reports.find(({ type }) => type === "remote-inbound-rtp");
    const trip = far?.roundTripTime ?? reports.find(({ type, nominated }) => type === "candidate-pair" && nominated)?.currentRoundTripTime;
    this.telling.heard({
      loss: Math.max(0, lost) / Math.max(1, lost + received),
      far_loss: far ? Number(far.fractionLost) : null,
      jitter_ms: Number(ours.jitter ?? 0) * 1000,
      round_trip_ms: trip === undefined ? null : Number(trip) * 1000,
    });
    this.energy = energy;
    this.lost += lost;
    this.received += received;
  }
}
