import { defineStore } from "pinia";
import { ref } from "vue";

/** The gateway's clock as this page knows it: countdowns follow it, never the computer's own (law 11). */
export const useClock = defineStore("clock", () => {
  const now_s = ref(Date.now() / 1000);
  let ahead_s = 0;

  function tick(): void {
    now_s.value = Date.now() / 1000 + ahead_s;
  }

  /** Set by the gateway's time as of this instant. */
  function follow(server_s: number): void {
    ahead_s = server_s - Date.now() / 1000;
    tick();
  }

  setInterval(tick, 500);
  return { now_s, follow };
});
