import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Citizen } from "@shared/protocol";
import type { Bubble, Conversation } from "./conversation";
import { fetched } from "./fetched";
import { Icon } from "./icons";
import { type Language, type Say, called } from "./words";

/** Not every image: an SVG may bear scripts, and would run them as ours. */
const PICTURE = /^image\/(jpeg|png|webp|gif)$/;
const DAY_S = 24 * 3600;

// A formatter is made once: making one for each row took seconds on a long conversation (measured).
const clocks: Record<Language, { today: Intl.DateTimeFormat; earlier: Intl.DateTimeFormat }> = {
  zh: clocksOf("zh-CN"),
  en: clocksOf("en-GB"),
};

function clocksOf(locale: string) {
  const time = { hour: "2-digit", minute: "2-digit", hour12: false } as const;
  return {
    today: new Intl.DateTimeFormat(locale, time),
    earlier: new Intl.DateTimeFormat(locale, { ...time, month: "long", day: "numeric" }),
  };
}

export function TimeMark({ at, language }: { at: number; language: Language }) {
  const isRecent = Date.now() / 1000 - at < DAY_S && new Date(at * 1000).getDate() === new Date().getDate();
  const clock = clocks[language][isRecent ? "today" : "earlier"];
  return <p class="time">{clock.format(at * 1000)}</p>;
}

interface Props {
  bubble: Bubble;
  conversation: Conversation;
  say: Say;
}

interface Attached {
  file: Citizen.File;
  conversation: Conversation;
}

/** One message. Drawn again only when it has changed: a long talk stays quick on an old phone. */
export function Message({ bubble, conversation, say }: Props) {
  return useMemo(() => {
    const { from, name, text, file, location, state } = bubble;
    const isOwn = from === "citizen";
    return (
      <article class={`bubble bubble-${from}`}>
        {!isOwn && (
          <header>
            {from !== "system" && <span class={`tag tag-${from}`}>{say(from)}</span>}
            <span class="name">{from === "system" ? say("system") : called(name, say)}</span>
          </header>
        )}
        <div class={file && PICTURE.test(file.content_type) ? "body body-picture" : "body"}>
          {text !== null && <p>{text}</p>}
          {file && (file.content_type.startsWith("audio/") ? <Sound file={file} conversation={conversation} /> : <Attachment file={file} conversation={conversation} />)}
          {location && <p class="place">{say("location", placeOf(location))}</p>}
        </div>
        {isOwn && (
          <footer class={`state state-${state}`}>
            {state === "failed" && (
              <button type="button" class="again" onClick={() => conversation.sendAgain(bubble)}>
                {say("retry")}
              </button>
            )}
            <span>{say(`state_${state}`)}</span>
          </footer>
        )}
      </article>
    );
  }, [bubble, say]);
}

/** A voice note, or another sound: what plays it is fetched, the sound itself only when it is to be heard. */
function Sound({ file, conversation }: Attached) {
  const at = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void fetched<typeof import("./voice")>("/voice.js").then((part) => at.current && part.showSound(at.current, file, conversation));
  }, [file.id]);
  return <div ref={at}>{file.name}</div>;
}

/** A picture is shown, anything else can be saved; both only once the gateway has said what it is. */
function Attachment({ file, conversation }: Attached) {
  const [address, setAddress] = useState<string | null>(null);
  const isPicture = PICTURE.test(file.content_type);
  useEffect(() => {
    if (!isPicture) return;
    let isGone = false;
    let made = "";
    conversation.fetchFile(file.id).then(
      (content) => {
        if (isGone) return;
        made = URL.createObjectURL(content);
        setAddress(made);
      },
      () => setAddress(null),
    );
    return () => {
      isGone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [file.id, isPicture]);
  if (isPicture && address) {
    return (
      <a href={address} target="_blank" rel="noopener" class="picture">
        <img src={address} alt={file.name} />
      </a>
    );
  }
  return (
    <button type="button" class="file" onClick={() => void save(file, conversation)}>
      <Icon name="file" />
      <span class="file-name">{file.name}</span>
      {file.size > 0 && <span class="file-size">{sizeOf(file.size)}</span>}
    </button>
  );
}

async function save(file: Citizen.File, conversation: Conversation): Promise<void> {
  const address = URL.createObjectURL(await conversation.fetchFile(file.id));
  const link = document.createElement("a");
  link.href = address;
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Five digits behind the point are about a metre. */
function placeOf({ latitude, longitude, accuracy_m }: Citizen.Location): Record<string, string> {
  return { latitude: latitude.toFixed(5), longitude: longitude.toFixed(5), metres: String(Math.ceil(accuracy_m ?? 0)) };
}

function sizeOf(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export function Typing({ who, say }: { who: "agent" | "bot"; say: Say }) {
  return (
    <div class="typing" role="status">
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {say(`typing_${who}`)}
    </div>
  );
}
