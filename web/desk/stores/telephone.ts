import { defineStore } from "pinia";
import { ref } from "vue";
import { telephoneLogin } from "../api";
import type { PhoneState, Softphone } from "../softphone";

const KEPT = "yihao.desk.telephone";

/** The telephone of whoever sits here: this browser, or another one that stands beside it. */
export const useTelephone = defineStore("telephone", () => {
  const isHere = ref(localStorage.getItem(KEPT) === "browser");
  const state = ref<PhoneState | "off" | "no_microphone">("off");
  const hears = ref(false);
  let phone: Softphone | null = null;
  let renewing = 0;

  /** Try the microphone, then the socket: what fails is seen before anybody is offered. */
  async function open(): Promise<void> {
    if (!isHere.value || phone !== null || state.value === "starting") return;
    state.value = "starting";
    // All three at once: a call may wait for this page to come back.
    const asked = Promise.all([import("../softphone"), telephoneLogin()]).catch(() => null);
    let microphone: MediaStream;
    try {
      microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      state.value = "no_microphone";
      return;
    }
    const ready = await asked;
    if (ready === null) {
      for (const track of microphone.getTracks()) track.stop();
      state.value = "lost";
      return;
    }
    const [{ Softphone }, lent] = ready;
    phone = new Softphone(lent, microphone, {
      state: (now) => (state.value = now),
      hears: (now) => (hears.value = now),
    });
    renewing = window.setInterval(() => void renew(), (lent.lasts_s * 1000) / 3);
  }

  async function renew(): Promise<void> {
    const lent = await telephoneLogin().catch(() => null);
    if (lent) phone?.renew(lent);
  }

  function close(): void {
    clearInterval(renewing);
    phone?.stop();
    phone = null;
    state.value = "off";
    hears.value = false;
  }

  function choose(here: boolean): void {
    isHere.value = here;
    localStorage.setItem(KEPT, here ? "browser" : "beside");
    if (here) void open();
    else close();
  }

  const answer = (): void => phone?.answer();

  return { isHere, state, hears, open, close, choose, answer };
});
