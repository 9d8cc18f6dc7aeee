import { useEffect, useMemo, useState } from "preact/hooks";
import { Chat } from "./chat";
import type { Conversation } from "./conversation";
import { Icon } from "./icons";
import { TEXT_SIZES, savedLanguage, savedTextSize, useLanguage, useTextSize } from "./preferences";
import { type Say, type Word, speaker } from "./words";
import { embedded, tellHost } from "./host";

const URGENT: readonly [string, Word][] = [
  ["110", "urgent_police"],
  ["119", "urgent_fire"],
  ["120", "urgent_medical"],
  ["122", "urgent_traffic"],
];

/** `asks`: the page was opened to send pictures from, in the middle of a call. */
export function App({ conversation, asks }: { conversation: Conversation; asks: boolean }) {
  const [language, setLanguage] = useState(savedLanguage);
  const [size, setSize] = useState(savedTextSize);
  const say = useMemo(() => speaker(language), [language]);

  useEffect(() => {
    useLanguage(language);
    document.title = say("title");
  }, [language]);
  // No effect: by the size things are measured, and that before they are painted.
  useMemo(() => useTextSize(size), [size]);

  return (
    <div class="page">
      <header class="band">
        <div class="band-inner">
          <Emblem />
          <div class="band-words">
            <h1>{say("title")}</h1>
            <p lang={language === "zh" ? "en" : "zh"}>{say("other_title")}</p>
          </div>
          <div class="band-tools">
            <div class="sizes" role="group" aria-label={say("text_size")}>
              {TEXT_SIZES.map((choice) => (
                <button
                  key={choice}
                  type="button"
                  class={`size size-${choice}`}
                  aria-pressed={choice === size}
                  onClick={() => setSize(choice)}
                >
                  {say(`text_${choice}`)}
                </button>
              ))}
            </div>
            <button
              type="button"
              class="language"
              lang={language === "zh" ? "en" : "zh-CN"}
              onClick={() => setLanguage(language === "zh" ? "en" : "zh")}
            >
              {say("other_language")}
            </button>
            {embedded && (
              <button type="button" class="minimise" aria-label={say("minimise")} onClick={() => tellHost("close")}>
                <Icon name="down" />
              </button>
            )}
          </div>
        </div>
      </header>
      <div class="columns">
        <Chat conversation={conversation} say={say} language={language} asks={asks} />
        {!embedded && <Aside say={say} />}
      </div>
    </div>
  );
}

export function Emblem() {
  return (
    <svg class="emblem" viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="16" fill="#fff" />
      <g fill="none" stroke="#0b57a4" stroke-linecap="round">
        <path d="M14 34c0-11 8-19 18-19s18 8 18 19" stroke-width="5" />
        <path d="M50 46c0 5-5 8-13 8" stroke-width="4" />
      </g>
      <rect x="9" y="31" width="10" height="16" rx="5" fill="#0b57a4" />
      <rect x="45" y="31" width="10" height="16" rx="5" fill="#0b57a4" />
      <circle cx="33" cy="54" r="4.5" fill="#c8102e" />
    </svg>
  );
}

/** What one should know beside the chat: the telephone, and where emergencies belong (非紧急). */
function Aside({ say }: { say: Say }) {
  return (
    <aside class="aside">
      <section class="card">
        <h2>{say("phone_title")}</h2>
        <a class="number" href="tel:12345">
          <Icon name="phone" />
          12345
        </a>
        <p>{say("phone_text")}</p>
      </section>
      <section class="card urgent">
        <h2>{say("urgent_title")}</h2>
        <ul class="urgent-numbers">
          {URGENT.map(([number, word]) => (
            <li key={number}>
              <a href={`tel:${number}`}>
                <strong>{number}</strong>
                <span>{say(word)}</span>
              </a>
            </li>
          ))}
        </ul>
      </section>
      <p class="privacy">{say("privacy")}</p>
    </aside>
  );
}
