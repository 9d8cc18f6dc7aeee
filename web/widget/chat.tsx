import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Composer } from "./composer";
import type { Conversation, View } from "./conversation";
import { fetched } from "./fetched";
import { isLookedAt, tellHost, watchLooks } from "./host";
import { Message, TimeMark, Typing } from "./messages";
import { Rating } from "./rating";
import { LinkBanner, Standing } from "./standing";
import type { Language, Say, Word } from "./words";

/** Minutes between two messages after which the time stands between them. */
const TIME_MARK_S = 5 * 60;
/** So close to the end counts as reading the newest. */
const NEAR_END_PX = 80;

const STARTERS: readonly [Word, Word][] = [
  ["scope_consult", "start_consult"],
  ["scope_help", "start_help"],
  ["scope_complain", "start_complain"],
  ["scope_report", "start_report"],
  ["scope_suggest", "start_suggest"],
];

interface Props {
  conversation: Conversation;
  say: Say;
  language: Language;
  asks: boolean;
}

export function Chat({ conversation, say, language, asks }: Props) {
  const view = useView(conversation);
  const [draft, setDraft] = useState(() => kept(DRAFT) ?? "");
  const box = useRef<HTMLTextAreaElement>(null);
  const { list, hasNew, toEnd } = useFollowing(view);
  const canCall = view.calls && !asks;
  const { at, call } = useCall(conversation, language, canCall, view.state.rings);

  useUnread(view);

  /** Kept at the key: an effect would keep it after the next paint, and a reload may come before that. */
  const write = (text: string) => {
    saveDraft(text);
    setDraft(text);
  };
  const start = (word: Word) => {
    write(say(word));
    box.current?.focus();
  };
  const isEmpty = view.bubbles.length === 0 && view.uploads.length === 0;
  const isOver = view.state.phase === "ended";

  return (
    <main class="chat">
      <Standing view={view} say={say} conversation={conversation} onCall={canCall ? () => void call(null) : null} />
      <div ref={at} />
      {!asks && <ProofDoor conversation={conversation} say={say} language={language} />}
      <LinkBanner view={view} say={say} onUseHere={() => conversation.useHere()} />
      <div class="scroll" ref={list} tabIndex={0} role="log" aria-live="polite" aria-label={say("title")}>
        {isEmpty && view.known && !asks && !view.absence && <Welcome say={say} onStart={start} />}
        <ul class="bubbles">
          {view.bubbles.map((bubble, index) => {
            const before = view.bubbles[index - 1];
            return (
              <li key={bubble.id}>
                {(!before || bubble.ts - before.ts > TIME_MARK_S) && <TimeMark at={bubble.ts} language={language} />}
                <Message bubble={bubble} conversation={conversation} say={say} />
              </li>
            );
          })}
          {view.uploads.map((upload) => (
            <li key={`upload-${upload.key}`} class="uploading">
              {say("file_sending", { name: upload.name })}
            </li>
          ))}
          {view.typing && !isOver && (
            <li>
              <Typing who={view.typing} say={say} />
            </li>
          )}
        </ul>
        {isOver && <Rating view={view} say={say} onRate={(...rating) => conversation.rate(...rating)} />}
        {view.absence && <Part name="word" conversation={conversation} language={language} />}
      </div>
      {hasNew && (
        <button type="button" class="to-end" onClick={toEnd}>
          {say("new_messages")} ↓
        </button>
      )}
      {view.complaint && (
        <div class="complaint" role="alert">
          {say(view.complaint, { mb: Math.round(view.limits.file_bytes / 1024 / 1024) })}
          <button type="button" aria-label="×" onClick={() => conversation.dismissComplaint()}>
            ×
          </button>
        </div>
      )}
      {asks && !isOver && <Part name="asked" conversation={conversation} language={language} />}
      <Composer
        conversation={conversation}
        view={view}
        say={say}
        box={box}
        draft={draft}
        onDraft={write}
        onSent={toEnd}
      />
    </main>
  );
}

function ProofDoor({ conversation, say, language }: Omit<Props, "asks">) {
  const [isOpened, setOpened] = useState(false);
  return (
    <details class="proof-door" onToggle={() => setOpened(true)}>
      <summary>{say("proof")}</summary>
      {isOpened && <Part name="proof" conversation={conversation} language={language} />}
    </details>
  );
}

interface Shown {
  show(at: HTMLElement, conversation: Conversation, language: Language): void;
}

/** What a file of its own draws, as `asked.ts` does. */
function Part({ name, conversation, language }: Pick<Props, "conversation" | "language"> & { name: "asked" | "proof" | "word" }) {
  const at = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void fetched<Shown>(`/${name}.js`).then((part) => at.current && part.show(at.current, conversation, language));
  }, [language]);
  return <div ref={at} />;
}

/** A page that was loaded anew in the middle of a call goes on with it; one that is called rings. */
function useCall(conversation: Conversation, language: Language, canCall: boolean, rings: string | null) {
  const at = useRef<HTMLDivElement>(null);
  const call = async (again: string | null) => {
    const part = await fetched<typeof import("./call")>("/call.js");
    if (at.current) part.showCall(at.current, conversation, language, again);
  };
  useEffect(() => {
    const again = canCall && (rings || kept("yihao.call"));
    if (again) void call(again);
  }, [canCall, language, rings]);
  return { at, call };
}

function Welcome({ say, onStart }: { say: Say; onStart: (word: Word) => void }) {
  return (
    <div class="welcome">
      <h2>{say("hello_title")}</h2>
      <p>{say("hello_text")}</p>
      <div class="starters" role="group" aria-label={say("scope_title")}>
        {STARTERS.map(([label, start]) => (
          <button key={label} type="button" onClick={() => onStart(start)}>
            {say(label)}
          </button>
        ))}
      </div>
    </div>
  );
}

function useView(conversation: Conversation): View {
  const [view, setView] = useState(conversation.view);
  useEffect(() => conversation.watch(() => setView(conversation.view)), [conversation]);
  return view;
}

/** Keep the newest message in sight, unless the reader has scrolled up to read; then say that there is more. */
function useFollowing(view: View) {
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [hasNew, setHasNew] = useState(false);

  const toEnd = () => {
    atEnd.current = true;
    setHasNew(false);
    const at = list.current;
    if (at) at.scrollTop = at.scrollHeight;
  };
  useEffect(() => {
    const at = list.current;
    if (!at) return;
    const onScroll = () => {
      atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_END_PX;
      if (atEnd.current) setHasNew(false);
    };
    at.addEventListener("scroll", onScroll, { passive: true });
    const resized = new ResizeObserver(() => atEnd.current && toEnd());
    resized.observe(at);
    return () => {
      at.removeEventListener("scroll", onScroll);
      resized.disconnect();
    };
  }, []);
  useLayoutEffect(() => {
    if (atEnd.current) toEnd();
    else setHasNew(true);
  }, [view.bubbles.length, view.typing, view.state.phase, view.uploads.length]);

  return { list, hasNew, toEnd };
}

/** While nobody looks: the number of new messages before the title, and to the page around this frame. */
function useUnread(view: View): void {
  const seen = useRef(0);
  const others = view.bubbles.filter(({ from }) => from !== "citizen").length;
  useEffect(() => {
    const show = () => {
      if (isLookedAt()) seen.current = others;
      const unread = Math.max(0, others - seen.current);
      document.title = document.title.replace(/^\(\d+\) /, "");
      if (unread > 0) document.title = `(${unread}) ${document.title}`;
      tellHost("unread", unread);
    };
    show();
    return watchLooks(show);
  }, [others]);
}

const DRAFT = "yihao.draft";

/** What a reload leaves. */
function kept(name: string): string | null {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

function saveDraft(text: string): void {
  try {
    sessionStorage.setItem(DRAFT, text);
  } catch {
    // Forbidden or full: only a reload would lose the draft.
  }
}
