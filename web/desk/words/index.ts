import { createI18n } from "vue-i18n";
import * as acts from "./acts";
import { en } from "./en";
import * as handling from "./handling";
import * as past from "./past";
import { zh } from "./zh";

const chinese = { ...zh, ...acts.zh, ...handling.zh, ...past.zh };
const english: typeof chinese = { ...en, ...acts.en, ...handling.en, ...past.en };

export type Language = "zh" | "en";
const LANGUAGE = "yihao.desk.language";

export const i18n = createI18n<[typeof chinese], Language, false>({
  legacy: false,
  locale: localStorage.getItem(LANGUAGE) === "en" ? "en" : "zh",
  fallbackLocale: "zh",
  messages: { zh: chinese, en: english },
});

/** Speak another language from now on, and after a reload too. */
export function speak(language: Language): void {
  i18n.global.locale.value = language;
  localStorage.setItem(LANGUAGE, language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}
