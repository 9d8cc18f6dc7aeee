/** What a telephone in a page is tried by before anybody is offered to it. */
import type { UA } from "jssip";

const LISTEN_MS = 5_000;
const LOOK_MS = 50;
/** A microphone that is muted gives nothing at all; a quiet word gives far more than this. */
const SILENCE = 0.0005;
const TONE_HZ = 1_000;
const ECHO_MS = 6_000;
/** In decibels: the tone comes back at -20, and what is beside it is far below. */
const HEARD_DB = -60;

export const STEPS = ["microphone", "socket", "sound"] as const;
export type Step = (typeof STEPS)[number];
export type Trouble = "no_microphone" | "silent" | "no_socket" | "refused" | "no_echo";

/** Tell how loud a microphone is (0 to 1), again and again, until what is given back is called. */
export function meter(microphone: MediaStream, tell: (loudness: number) => void): () => void {
  const context = new AudioContext();
  const ear = new AnalyserNode(context, { fftSize: 1024 });
  context.createMediaStreamSource(microphone).connect(ear);
  const samples = new Float32Array(ear.fftSize);
  const timer = setInterval(() => {
    ear.getFloatTimeDomainData(samples);
    tell(Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length));
  }, LOOK_MS);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}

/** Whether anything comes from it, waiting no longer than it takes to know. */
export async function isHeard(loudness: () => number): Promise<boolean> {
  const until = Date.now() + LISTEN_MS;
  while (loudness() < SILENCE && Date.now() < until) await pause(LOOK_MS);
  return loudness() >= SILENCE;
}

/** Call the gateway's echo and let it hear a tone: after how many milliseconds it is back, or what is wrong. */
export async function hearEcho(agent: UA, target: string): Promise<number | Trouble> {
  const context = new AudioContext();
  const tone = new GainNode(context, { gain: 0 });
  const source = new OscillatorNode(context, { frequency: TONE_HZ });
  const mouth = context.createMediaStreamDestination();
  source.connect(tone).connect(mouth);
  source.start();
  const ear = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0 });
  // Chromium lets nobody hear a far end that no element plays.
  const player = new Audio();
  player.muted = true;
  const listen = ({ peerconnection }: { peerconnection: RTCPeerConnection }): void =>
    peerconnection.addEventListener("track", ({ track }) => {
      player.srcObject = new MediaStream([track]);
      context.createMediaStreamSource(player.srcObject).connect(ear);
    });
  try {
    return await new Promise((settle) => {
      const call = agent.call(target, {
        mediaStream: mouth.stream,
        pcConfig: { iceServers: [] },
        eventHandlers: {
          peerconnection: listen,
          confirmed: () =>
            void returned(context, tone, ear).then((after_ms) => {
              call.terminate();
              settle(after_ms ?? "no_echo");
            }),
          failed: () => settle("refused"),
        },
      });
      setTimeout(() => settle("no_echo"), 2 * ECHO_MS);
    });
  } finally {
    await context.close();
  }
}

/** From the moment the tone begins. */
async function returned(context: AudioContext, tone: GainNode, ear: AnalyserNode): Promise<number | null> {
  const levels = new Float32Array(ear.frequencyBinCount);
  const place = Math.round((TONE_HZ * ear.fftSize) / context.sampleRate);
  tone.gain.value = 0.4;
  const began = performance.now();
  while (performance.now() - began < ECHO_MS) {
    await pause(LOOK_MS / 5);
    ear.getFloatFrequencyData(levels);
    const strongest = levels.indexOf(Math.max(...levels));
    if (Math.abs(strongest - place) <= 1 && (levels[strongest] ?? -Infinity) > HEARD_DB) return performance.now() - began;
  }
  return null;
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
