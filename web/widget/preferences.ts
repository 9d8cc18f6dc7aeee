import { lastingStore } from "@shared/outbox";
import type { Language } from "./words";

/** Root type sizes; a message is 1.125 of it: 18, 22 and 30 px, as the ministry's rules for elders ask. */
export const TEXT_SIZES = ["normal", "large", "largest"] as const;
export type TextSize = (typeof TEXT_SIZES)[number];

const store = lastingStore();
const LANGUAGE = "yihao.language";
const TEXT_SIZE = "yihao.text";

export function savedLanguage(): Language {
  const asked = new URLSearchParams(location.search).get("lang") ?? store.getItem(LANGUAGE);
  return asked === "en" ? "en" : "zh";
}

export function useLanguage(language: Language): void {
  store.setItem(LANGUAGE, language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

export function savedTextSize(): TextSize {
  const asked = store.getItem(TEXT_SIZE);
  return TEXT_SIZES.find((size) => size === asked) ?? "normal";
}

export function useTextSize(size: TextSize): void {
  store.setItem(TEXT_SIZE, size);
  document.documentElement.dataset["text"] = size;
}
