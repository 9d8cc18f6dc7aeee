import { defineStore } from "pinia";
import { computed, reactive, ref } from "vue";
import { type Lent, telephoneLogin } from "../api";
import { type Use, chosenDevices, openMicrophone, rememberDevices } from "../devices";
import type { Heard, PhoneState, Softphone } from "../softphone";
import { STEPS, type Step, type Trouble, isHeard, meter } from "../trial";
import { useDesk } from "./desk";

const KEPT = "yihao.desk.telephone";
const FIT = "yihao.desk.telephone.fit";
const SETTLES_MS = 10_000;

/** One thing that is tried. */
interface Trying {
  state: "untested" | "running" | "passed" | "failed";
  trouble: Trouble | null;
  /** The tone's way to the gateway and back. */
  after_ms: number | null;
}

const untried = (): Trying => ({ state: "untested", trouble: null, after_ms: null });

/** The telephone of whoever sits here: this browser, or another one that stands beside it. */
export const useTelephone = defineStore("telephone", () => {
  const isHere = ref(localStorage.getItem(KEPT) === "browser");
  const state = ref<PhoneState | "off" | "no_microphone">("off");
  const hears = ref(false);
  const heard = ref<Heard | null>(null);
  const inside = ref<string | null>(null);
  const devices = reactive(chosenDevices());
  const trial = reactive<Record<Step, Trying>>({ microphone: untried(), socket: untried(), sound: untried() });
  const level = ref(0);
  const isTrying = ref(false);
  const isTrialOpen = ref(false);
  const wantsReady = ref(false);
  let phone: Softphone | null = null;
  let microphone: MediaStream | null = null;
  let echo = "";
  let stopMeasuring: () => void = () => undefined;
  let renewing = 0;

  const isUp = computed(() => ["idle", "ringing", "talking"].includes(state.value));
  /** Whether calls may come here: a telephone beside is nobody's business but its own. */
  const isFit = computed(() => !isHere.value || (isUp.value && STEPS.every((step) => trial[step].state === "passed")));

  // A page that is loaded again was tried in the same window, with the same microphone.
  if (sessionStorage.getItem(FIT) === devices.microphone) for (const step of STEPS) trial[step].state = "passed";

  /** Try the microphone, then the socket: what fails is seen before anybody is offered. */
  async function open(): Promise<void> {
    if (!isHere.value || phone !== null || state.value === "starting") return;
    state.value = "starting";
    // All at once: a call may wait for this page to come back.
    const asked = Promise.all([import("../softphone"), telephoneLogin()]).catch(() => null);
    const lent = await openMicrophone(devices.microphone).catch(() => null);
    if (lent === null) {
      state.value = "no_microphone";
      return;
    }
    const ready = await asked;
    if (ready === null) {
      stopAll(lent);
      state.value = "lost";
      return;
    }
    if (isHere.value) begin(ready[0].Softphone, ready[1], lent);
    else stopAll(lent);
  }

  function begin(made: typeof Softphone, lent: Lent, lentMicrophone: MediaStream): void {
    listenTo(lentMicrophone);
    echo = lent.echo;
    phone = new made(lent, lentMicrophone, {
      state: (now) => (state.value = now),
      hears: (now) => (hears.value = now),
      heard: (now) => (heard.value = now),
      inside: (who) => (inside.value = who),
    });
    phone.speakThrough(devices.speaker);
    renewing = window.setInterval(() => void renew(), (lent.lasts_s * 1000) / 3);
  }

  function listenTo(stream: MediaStream): void {
    microphone = stream;
    stream.getAudioTracks()[0]?.addEventListener("ended", () => {
      if (microphone !== stream) return;
      forget("microphone");
      trial.microphone = { ...untried(), state: "failed", trouble: "no_microphone" };
    });
  }

  async function renew(): Promise<void> {
    const lent = await telephoneLogin().catch(() => null);
    if (lent) phone?.renew(lent);
  }

  function close(): void {
    clearInterval(renewing);
    phone?.stop();
    phone = null;
    if (microphone) stopAll(microphone);
    microphone = null;
    state.value = "off";
    hears.value = false;
    heard.value = inside.value = null;
  }

  function choose(here: boolean): void {
    isHere.value = here;
    localStorage.setItem(KEPT, here ? "browser" : "beside");
    if (here) void open();
    else close();
  }

  /** What was tried no longer says anything. */
  function forget(...steps: Step[]): void {
    for (const step of steps) trial[step] = untried();
    sessionStorage.removeItem(FIT);
  }

  /** Another device, in a running call too. */
  async function pick(use: Use, id: string): Promise<void> {
    devices[use] = id;
    rememberDevices({ ...devices });
    if (use === "speaker") phone?.speakThrough(id);
    if (use !== "microphone") return;
    const stream = await openMicrophone(id).catch(() => null);
    forget("microphone");
    if (stream === null) {
      trial.microphone = { ...untried(), state: "failed", trouble: "no_microphone" };
      return;
    }
    const before = microphone;
    listenTo(stream);
    await phone?.hearFrom(stream);
    if (before) stopAll(before);
    await attempt("microphone", tryMicrophone);
    settle();
  }

  /** The whole trial (自检): the microphone, the socket, and a tone to the gateway and back. */
  async function tryAll(): Promise<void> {
    if (isTrying.value || !isHere.value) return;
    isTrying.value = true;
    forget(...STEPS);
    if (phone === null) await open();
    level.value = 0;
    await attempt("microphone", tryMicrophone);
    await attempt("socket", trySocket);
    if (trial.socket.state === "passed") await attempt("sound", trySound);
    isTrying.value = false;
    settle();
  }

  async function attempt(step: Step, how: () => Promise<Trouble | number | null>): Promise<void> {
    trial[step] = { ...untried(), state: "running" };
    const outcome = await how().catch((): Trouble => "no_echo");
    if (typeof outcome === "string") trial[step] = { ...untried(), state: "failed", trouble: outcome };
    else trial[step] = { ...untried(), state: "passed", after_ms: outcome };
  }

  async function tryMicrophone(): Promise<Trouble | null> {
    if (microphone === null) return "no_microphone";
    measure();
    return (await isHeard(() => level.value)) ? null : "silent";
  }

  /** Show how loud the microphone is, as long as somebody looks. */
  function measure(): void {
    stopMeasuring();
    if (microphone) stopMeasuring = meter(microphone, (now) => (level.value = now));
  }

  async function trySocket(): Promise<Trouble | null> {
    const until = Date.now() + SETTLES_MS;
    while (!isUp.value && phone !== null && Date.now() < until) await new Promise((done) => setTimeout(done, 100));
    return isUp.value && useDesk().link === "open" ? null : "no_socket";
  }

  async function trySound(): Promise<Trouble | number> {
    // Sound that is heard in a running call needs no other proof.
    if (state.value === "talking") return heard.value ? (heard.value.round_trip_ms ?? 0) : "no_echo";
    return phone ? phone.hearEcho(echo) : "no_socket";
  }

  function settle(): void {
    if (!isFit.value) return;
    sessionStorage.setItem(FIT, devices.microphone);
    if (!wantsReady.value) return;
    closeTrial();
    sayReady();
  }

  const sayReady = (): void => useDesk().send({ t: "presence.set", presence: "ready", reason: "" });

  /** Ready (就绪), once the telephone here has been tried; one that stands beside is not asked. */
  function becomeReady(): void {
    if (isFit.value) return sayReady();
    wantsReady.value = isTrialOpen.value = true;
  }

  function closeTrial(): void {
    isTrialOpen.value = wantsReady.value = false;
    stopMeasuring();
    level.value = 0;
  }

  const answer = (): void => phone?.answer();
  const hangUp = (): void => phone?.hangUp();
  const expect = (): void => phone?.expect();

  return {
    ...{ isHere, state, hears, heard, inside, devices, trial, level, isTrying, isTrialOpen, wantsReady, isFit },
    ...{ open, close, choose, pick, try: tryAll, closeTrial, becomeReady, answer, hangUp, expect },
  };
});

function stopAll(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
