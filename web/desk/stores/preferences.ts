import { defineStore } from "pinia";
import { ref, watch } from "vue";

const SOUND = "yihao.desk.sound";
const THEME = "yihao.desk.theme";
const SENDS = "yihao.desk.sends";

/** What an agent has set for themselves at this browser. */
export const usePreferences = defineStore("preferences", () => {
  const sound = ref(localStorage.getItem(SOUND) !== "off");
  /** Ctrl+Enter sends, and Enter begins a line. */
  const sendsByCtrl = ref(localStorage.getItem(SENDS) === "Ctrl+Enter");
  const dark = ref(localStorage.getItem(THEME) === "dark");

  watch(sound, (on) => localStorage.setItem(SOUND, on ? "on" : "off"));
  watch(sendsByCtrl, (on) => localStorage.setItem(SENDS, on ? "Ctrl+Enter" : "Enter"));
  watch(
    dark,
    (on) => {
      localStorage.setItem(THEME, on ? "dark" : "light");
      document.documentElement.dataset["theme"] = on ? "dark" : "light";
      // Element Plus looks for this class.
      document.documentElement.classList.toggle("dark", on);
    },
    { immediate: true },
  );
  return { sound, sendsByCtrl, dark };
});
