import { onScopeDispose, ref, watch, type Ref } from "vue";
import { direct } from "./devices";

const FIRST_HZ = 880;
const SECOND_HZ = 660;
const REPEAT_MS = 2_400;
const LOUDNESS = 0.16;

let context: AudioContext | null = null;
/** Which of them counts is the browser's affair: a touch by its end, Escape never. */
const GESTURES = ["pointerdown", "pointerup", "keydown"] as const;

/** Whether the browser lets this page sound: not before somebody's first gesture since it was loaded. */
export const audible = ref(false);

function unlock(): void {
  context ??= new AudioContext();
  void context.resume().then(() => {
    audible.value = true;
    for (const gesture of GESTURES) removeEventListener(gesture, unlock);
  });
}
for (const gesture of GESTURES) addEventListener(gesture, unlock);

function tone(from_s: number, hertz: number): void {
  if (!context) return;
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  const start = context.currentTime + from_s;
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(LOUDNESS, start + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.001, start + 0.32);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(start);
  oscillator.stop(start + 0.34);
}

function ringOnce(): void {
  tone(0, FIRST_HZ);
  tone(0.2, SECOND_HZ);
  tone(0.6, FIRST_HZ);
  tone(0.8, SECOND_HZ);
}

/** Ring and blink the window's title while `calls` holds; ring only where `sound` is on, by the device that is chosen. */
export function useRing(calls: Ref<boolean>, sound: Ref<boolean>, words: () => string, device: () => string) {
  let timer: ReturnType<typeof setInterval> | undefined;
  let blink: ReturnType<typeof setInterval> | undefined;
  const plain = document.title;

  function stop(): void {
    clearInterval(timer);
    clearInterval(blink);
    document.title = plain;
  }
  watch(
    calls,
    (isRinging) => {
      stop();
      if (!isRinging) return;
      direct(context, device());
      const ring = () => sound.value && ringOnce();
      ring();
      timer = setInterval(ring, REPEAT_MS);
      blink = setInterval(() => {
        document.title = document.title === plain ? words() + plain : plain;
      }, 900);
    },
    { immediate: true },
  );
  onScopeDispose(stop);
}
